package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// asked asks both stores for the condition in ways that a plan may get wrong: in both directions,
// from the middle, and with a small limit.
func (f *fixture) asked(x call.Expr, middle call.Cursor) (rows []call.Row) {
	f.Helper()
	for _, reverse := range []bool{false, true} {
		q := call.Query{Tenant: Tenants()[0], Where: x, Reverse: reverse}
		rows = f.same(q)
		q.Limit = 3
		f.same(q)
		q.After = middle
		f.same(q)
		q.Skip, q.Limit = 2, 30
		f.same(q)
	}
	f.same(call.Query{Tenant: Tenants()[0], Where: x, From: middle.Start.Add(-30 * time.Hour), To: middle.Start.Add(30 * time.Hour)})
	return rows
}

// whereUnions asks for rows that have one of several values, of one kind and of several, each of
// which an engine may look up.
func whereUnions(f *fixture) {
	rows := Rows(21, 600)
	f.write(call.Batch{Rows: rows})
	g := newGenerator(Seed(f))
	found := 0
	for i := range Scale(60) {
		if i == 30 {
			f.reopen()
		}
		var or call.Or
		for range 1 + g.IntN(12) {
			or = append(or, g.lookup(&rows[g.IntN(len(rows))]))
		}
		middle := rows[g.IntN(len(rows))].Cursor()
		found += len(f.asked(or, middle))
		f.asked(call.And{or, g.lookup(&rows[g.IntN(len(rows))])}, middle)
		f.asked(call.And{or, call.Not{X: or[0]}}, middle)
		f.asked(call.Or{or, call.And{g.expr(&rows[0], 1), or[0]}}, middle)
	}
	if found == 0 {
		f.Fatal("the unions found nothing at all")
	}
}

// whereHugeUnion asks for more values than an engine would look up one by one.
func whereHugeUnion(f *fixture) {
	rows := Rows(22, 300)
	f.write(call.Batch{Rows: rows})
	for _, n := range []int{2, call.MaxLookups - 1, call.MaxLookups, call.MaxLookups + 1, 3 * call.MaxLookups} {
		var ids, numbers call.Or
		for i := range n {
			r := &rows[i%len(rows)]
			ids = append(ids, call.Compare{Field: call.FieldID, Value: r.ID})
			numbers = append(numbers, call.Digits(fmt.Sprint(4930_1234500+i)))
		}
		f.asked(ids, rows[7].Cursor())
		f.asked(numbers, rows[7].Cursor())
	}
}

// lookup returns a condition that an engine may look up, and that r fulfils.
func (g *generator) lookup(r *call.Row) call.Expr {
	switch g.IntN(8) {
	case 0:
		return call.Compare{Field: call.FieldID, Value: r.ID}
	case 1:
		return call.Compare{Field: call.FieldCorrelationID, Value: r.CorrelationID}
	case 2:
		return call.Compare{Field: call.FieldUserID, Value: r.UserID}
	case 3:
		return call.Compare{Field: call.FieldUserPrincipalName, Value: r.UserPrincipalName}
	case 4:
		return call.TextMatch{Field: call.FieldUserPrincipalName, Op: call.EqualFold, Part: g.otherCase(r.UserPrincipalName)}
	case 5:
		field := pick(g, call.FieldCaller, call.FieldCallee)
		return call.Compare{Field: field, Value: r.Text(field)}
	case 6:
		return call.Digits(g.maskedPart(pick(g, r.Caller, r.Callee)))
	}
	return call.Digits(pick(g, r.Caller, r.Callee))
}

func (g *generator) otherCase(s string) string {
	return pick(g, strings.ToUpper, strings.ToLower, strings.ToTitle, strings.Clone)(s)
}

// maskedPart hides some of the digits of a number.
func (g *generator) maskedPart(number string) string {
	b := []byte(number)
	for i := g.IntN(len(b) + 1); i < len(b) && !g.oneIn(10); i++ {
		b[i] = '*'
	}
	return string(b)
}

// wherePrincipalName asks for principal names in any case, by both kinds of condition.
func wherePrincipalName(f *fixture) {
	names := []string{
		"anna@contoso.com", "Anna@Contoso.com", "ANNA@CONTOSO.COM", "anna@contoso.co", "anna@contoso.com ", "", "k@x", "K@X", "\u212a@x",
		"straße@x", "STRASSE@x", "ẞ", "ß", "ǆ", "ǅ", "σ", "ς", "Σ", "a", "a\x00", "a\x00b", "A\x00B", "\x00", strings.Repeat("Ü", call.MaxText/2),
		"a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "a\x00123456789\x00",
	}
	var rows []call.Row
	for i, n := range names {
		for j := range 3 {
			r := rowAt(fmt.Sprint(n, j), noon().Add(time.Duration((i*j)%4)*24*time.Hour))
			r.UserPrincipalName = n
			rows = append(rows, r)
		}
	}
	f.write(call.Batch{Rows: rows})
	for range 2 {
		for _, n := range few(append(names, "nobody@contoso.com", "\xff", "A\x00"), 3) {
			for _, x := range []call.Expr{
				call.Compare{Field: call.FieldUserPrincipalName, Value: n},
				call.TextMatch{Field: call.FieldUserPrincipalName, Op: call.EqualFold, Part: n},
				call.TextMatch{Field: call.FieldUserPrincipalName, Op: call.EqualFold, Part: strings.ToUpper(n)},
			} {
				f.asked(x, rows[20].Cursor())
			}
		}
		f.reopen()
	}
	anna := call.TextMatch{Field: call.FieldUserPrincipalName, Op: call.EqualFold, Part: "aNNa@contoso.com"}
	if n := len(f.same(call.Query{Tenant: Tenants()[0], Where: anna})); n != 9 {
		f.Fatalf("Anna has %d calls, want 9", n)
	}
}

// foldMovesNames changes the name, and the masked number, of a row that has a twin.
func foldMovesNames(f *fixture) {
	r := told(rowAt("named", noon()), call.CDR.Witness(), func(r *call.Row) { r.UserPrincipalName, r.Caller = "anna@x", "+49301***" })
	twin := r.Clone()
	twin.ID[15]++
	f.write(call.Batch{Rows: []call.Row{r, twin}})
	f.write(call.Batch{Rows: []call.Row{told(r, call.Graph.Witness(), func(r *call.Row) { r.UserPrincipalName, r.Caller = "Bert@x", "+4930*****" })}})
	found := func(x call.Expr, want int) {
		f.Helper()
		if n := len(f.same(call.Query{Tenant: r.Tenant, Where: x})); n != want {
			f.Fatalf("%#v finds %d rows, want %d", x, n, want)
		}
	}
	for range 2 {
		found(call.TextMatch{Field: call.FieldUserPrincipalName, Op: call.EqualFold, Part: "ANNA@X"}, 1)
		found(call.Compare{Field: call.FieldUserPrincipalName, Value: "Bert@x"}, 1)
		found(call.Compare{Field: call.FieldUserPrincipalName, Value: "bert@x"}, 0)
		found(call.Digits("49301234"), 1)
		found(call.Digits("493012345"), 1)
		found(call.Digits("49301****"), 1)
		f.reopen()
	}
}

// whereMasked asks for masked numbers among whole and masked ones.
func whereMasked(f *fixture) {
	numbers := []string{
		"+49301234567", "+49301234***", "+49 30 1234-5**", "+4930*******", "+49***234567", "+493*1234567", "***********", "+49301239999",
		"+4930123456", "+493012345678", "+49301*", "+4930", "112", "+49302234567",
	}
	var rows []call.Row
	for i, n := range numbers {
		for j := range 4 {
			r := rowAt(fmt.Sprint(n, j), noon().Add(time.Duration((i*j)%5)*17*time.Hour))
			r.Caller = n
			if j == 1 {
				r.Caller, r.Callee = numbers[(i*3+1)%len(numbers)], n
			}
			rows = append(rows, r)
		}
	}
	f.write(call.Batch{Rows: rows})
	asked := []string{"+49301234***", "+4930*******", "+493********", "+49*********", "+49***234567", "+493**234567", "+49301******7", "+493012345**", "+4930****999", "493*", "49301234*67", "112*", "11*"}
	for range 2 {
		for _, n := range few(append(asked, numbers...), 4) {
			for _, x := range []call.Expr{
				call.Digits(n),
				call.Compare{Field: call.FieldCaller, Value: n},
				either(n, n),
				call.TextMatch{Field: call.FieldCallee, Op: call.EqualFold, Part: n},
				call.Or{call.Digits(n), call.Digits("+4930****999")},
				call.Not{X: call.Digits(n)},
			} {
				f.asked(x, rows[25].Cursor())
			}
		}
		f.reopen()
	}
	if n := len(f.same(call.Query{Tenant: Tenants()[0], Where: call.Digits("+49301234***")})); n < 16 {
		f.Fatalf("the masked number finds %d rows", n)
	}
}

// whereSeenBy asks which kinds of source have spoken of calls, and which have not.
func whereSeenBy(f *fixture) {
	rows := Rows(23, 200)
	f.write(call.Batch{Rows: rows})
	var again []call.Row
	for i := range rows[:60] {
		again = append(again, told(rows[i], call.Graph.Witness(), func(*call.Row) {}))
	}
	f.write(call.Batch{Rows: again})
	found := 0
	for k := call.Inferred; k <= call.Graph; k++ {
		for l := call.Inferred; l <= call.Graph; l++ {
			for _, tenant := range Tenants() {
				for _, x := range []call.Expr{
					call.SeenBy{All: k.Set() | l.Set()}, call.SeenBy{All: k.Set(), None: l.Set()}, call.SeenBy{None: k.Set() | l.Set()}, call.Not{X: call.SeenBy{All: k.Set()}},
				} {
					found += len(f.same(call.Query{Tenant: tenant, Where: x}))
				}
			}
		}
	}
	f.same(call.Query{Tenant: Tenants()[0], Where: call.SeenBy{}})
	hearsayIsLeftOut(f, rows[0].Tenant)
	if found == 0 {
		f.Fatal("nothing was found")
	}
}

// hearsayIsLeftOut asks for what authenticated witnesses have told, in a tenant where hearsay has
// told of one call alone, has added to another, and knows nothing of a third.
func hearsayIsLeftOut(f *fixture, tenant call.GUID) {
	add := func(name string, w call.Witness, caller string) {
		r := told(rowAt(name, noon().AddDate(1, 0, 0)), w, func(r *call.Row) { r.Tenant, r.Caller = tenant, caller })
		f.write(call.Batch{Rows: []call.Row{r}})
	}
	add("both", call.CDR.Witness(), "+4930777")
	add("both", call.SIP.Hearsay(), "+4930888")
	add("hearsay", call.SIP.Hearsay(), "+4930777")
	add("proven", call.CDR.Witness(), "")
	add("proven", call.SIP.Hearsay(), "+4930777")
	q := call.Query{Tenant: tenant, From: noon().AddDate(1, 0, -1), To: noon().AddDate(1, 0, 1)}
	for _, c := range []struct {
		x    call.Expr
		want int
	}{
		{call.Digits("+4930777"), 3},
		{call.ToldProven{X: call.Digits("+4930777")}, 1},
		{call.ToldProven{X: call.And{}}, 2},
		{call.Not{X: call.ToldProven{X: call.And{}}}, 1},
		{call.And{call.Digits("+4930777"), call.ToldProven{X: call.Not{X: call.Digits("+4930777")}}}, 1},
	} {
		q.Where = c.x
		if n := len(f.same(q)); n != c.want {
			f.Fatalf("%#v finds %d rows, want %d", c.x, n, c.want)
		}
	}
}
