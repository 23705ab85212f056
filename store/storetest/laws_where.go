package storetest

import (
	"fmt"
	"time"

	"github.com/trunklog/trunklog/call"
)

func whereEveryComparison(f *fixture) {
	rows := Rows(15, 250)
	f.write(call.Batch{Rows: rows})
	for field := range call.NumFields {
		for op := call.EQ; op <= call.GE; op++ {
			for _, i := range few([]int{0, 17, 101, 249}, 3) {
				x := call.Compare{Field: field, Op: op, Value: value(&rows[i], field)}
				f.same(call.Query{Tenant: rows[i].Tenant, Where: x})
				f.same(call.Query{Tenant: rows[i].Tenant, Where: call.And{x}, Reverse: true, Limit: 5})
			}
		}
		for _, wrong := range []any{nil, "", 1, int32(0), false, time.Time{}, call.GUID{}, []call.GUID{}} {
			f.same(call.Query{Tenant: Tenants()[0], Where: call.Compare{Field: field, Value: wrong}})
		}
		f.same(call.Query{Tenant: Tenants()[0], Where: call.Compare{Field: field, Op: 99, Value: value(&rows[0], field)}})
	}
}

// whereStartBetweenTicks asks for starts between two ticks.
func whereStartBetweenTicks(f *fixture) {
	f.write(call.Batch{Rows: Rows(18, 250)})
	for i := range 6 {
		r := rowAt(time.Duration(i).String(), noon().Add(time.Duration(i)*100))
		f.write(call.Batch{Rows: []call.Row{r}})
	}
	for _, d := range []time.Duration{-1, 0, 1, 50, 99, 100, 101, 250, 499, 500, 501} {
		for op := call.EQ; op <= call.GE; op++ {
			x := call.Compare{Field: call.FieldStart, Op: op, Value: noon().Add(d)}
			f.same(call.Query{Tenant: Tenants()[0], Where: x})
			f.same(call.Query{Tenant: Tenants()[0], Where: call.And{x, call.Compare{Field: call.FieldStart, Op: call.GE, Value: noon()}}, Reverse: true})
		}
	}
}

// value returns the value of r in the field, in the type for a [call.Compare].
func value(r *call.Row, field call.Field) any {
	switch field.Type() {
	case call.ID:
		return r.GUID(field)
	case call.Text:
		return r.Text(field)
	case call.Time:
		return r.Time(field)
	case call.Number:
		return r.Number(field)
	case call.Bool:
		return r.Bool(field)
	}
	return nil
}

func whereEveryTextMatch(f *fixture) {
	f.write(call.Batch{Rows: Rows(16, 250)})
	for field := range call.NumFields {
		for op := call.HasPrefix; op <= call.EqualFold+1; op++ { // and one that does not exist
			for _, part := range few([]string{"", "a", "A", "Ä", "ä", "user 1", "contoso", "COM", "%", "_", "\\", "\x00", "***", "sbc1.CONTOSO.com", "K"}, 4) {
				f.same(call.Query{Tenant: Tenants()[0], Where: call.TextMatch{Field: field, Op: op, Part: part}})
			}
		}
	}
}

func whereDigits(f *fixture) {
	numbers := []string{
		"+49301234567", "+49301234***", "+49301*", "***********", "49301234567", "+49 (30) 1234-567", "0049301234567",
		"+4930123456", "+493012345678", "+49***234567", "*49301234567", "+49**1234*67", "sip:49301234567@sbc", "anonymous", "", "*", "112",
		"+49301234567;ext=12", "+49301234***;x",
	}
	var rows []call.Row
	for i, n := range numbers {
		r := rowAt(n, noon().Add(time.Duration(i%5-2)*24*time.Hour))
		r.Caller = n
		w := rowAt("to "+n, noon().Add(time.Duration(i%3)*time.Hour))
		w.Callee = n
		both := rowAt("both "+n, noon())
		both.Caller, both.Callee = n, numbers[(i*7)%len(numbers)]
		rows = append(rows, r, w, both)
	}
	f.write(call.Batch{Rows: rows})
	asked := append([]string{"49301234999", "1", "493012345", "+49301***567", "49301234***", "**", "+", "x", "49301234567 ", "٤٩"}, numbers...)
	for _, n := range few(asked, 2) {
		for _, x := range []call.Expr{
			call.Digits(n),
			call.And{call.Digits(n), call.Compare{Field: call.FieldStart, Op: call.GE, Value: noon()}},
			call.Or{call.Digits(n), call.Digits("112")},
			call.Not{X: call.Digits(n)},
			call.NumberLike(n + "*"),
			call.And{call.NumberLike("*" + n), call.Digits("49301234567")},
			call.And{call.Digits(n), call.Digits("112")},
			call.Compare{Field: call.FieldCaller, Value: n},
			call.Compare{Field: call.FieldCallee, Value: n},
			either(n, n),
			either(n, "112"),
			call.And{either(n, n), call.Compare{Field: call.FieldStart, Op: call.LT, Value: noon()}},
			call.Or{call.And{call.Digits(n), call.Compare{Field: call.FieldStart, Op: call.LT, Value: noon()}}, call.Digits(n)},
			call.Not{X: either(n, n)},
		} {
			f.same(call.Query{Tenant: Tenants()[0], Where: x})
			f.same(call.Query{Tenant: Tenants()[0], Where: x, Reverse: true, Skip: 1, Limit: 3})
			f.same(call.Query{Tenant: Tenants()[0], Where: x, From: noon().Add(-time.Hour), To: noon().Add(2 * time.Hour)})
		}
	}
	if n := len(f.same(call.Query{Tenant: Tenants()[0], Where: call.Digits("+49301234567")})); n == 0 {
		f.Fatal("the number was not found")
	}
}

// either holds for calls from one number and for calls to another.
func either(from, to string) call.Expr {
	return call.Or{call.Compare{Field: call.FieldCaller, Value: from}, call.Compare{Field: call.FieldCallee, Value: to}}
}

// whereBusyNumber looks for a number with many calls on many days, some of which begin at the same
// moment, among as many others.
func whereBusyNumber(f *fixture) {
	const busy = "+4930112"
	g := newGenerator(Seed(f))
	var rows []call.Row
	for i := range 600 {
		r := rowAt(fmt.Sprint("busy ", i), noon().Add(time.Duration(g.IntN(20*48))*30*time.Minute))
		r.Caller, r.Callee = pick(g, busy, busy, "+4930113"), pick(g, "+4930114", "+493011*", "112")
		rows = append(rows, r)
	}
	f.write(call.Batch{Rows: rows})
	for _, x := range []call.Expr{call.Digits(busy), either(busy, busy), call.And{call.Digits(busy), call.Digits("112")}} {
		for _, reverse := range []bool{false, true} {
			for _, limit := range few([]int{0, 1, 15, 40, 300}, 2) {
				f.same(call.Query{Tenant: Tenants()[0], Where: x, Reverse: reverse, Limit: limit})
				f.same(call.Query{Tenant: Tenants()[0], Where: x, Reverse: reverse, Limit: limit, Skip: 100})
				f.same(call.Query{Tenant: Tenants()[0], Where: x, Reverse: reverse, Limit: limit, From: noon().AddDate(0, 0, 3), To: noon().AddDate(0, 0, 12)})
				f.same(call.Query{Tenant: Tenants()[0], Where: x, Reverse: reverse, Limit: limit, After: rows[g.IntN(len(rows))].Cursor()})
			}
		}
	}
}

// whereCombined asks for random conditions, many of which an engine may answer from an index.
func whereCombined(f *fixture) {
	rows := Rows(17, 800)
	f.write(call.Batch{Rows: rows})
	g := newGenerator(Seed(f))
	found := 0
	for range Scale(500) {
		found += len(f.same(g.query(rows)))
	}
	if found == 0 {
		f.Fatal("the random queries found nothing at all")
	}
}

// query returns a random query of which most find some of the rows.
func (g *generator) query(rows []call.Row) call.Query {
	r := &rows[g.IntN(len(rows))]
	q := call.Query{Tenant: r.Tenant, Reverse: g.oneIn(2)}
	if g.oneIn(3) {
		q.From = r.Start.Add(-time.Duration(g.IntN(50)) * time.Hour)
	}
	if g.oneIn(3) {
		q.To = rows[g.IntN(len(rows))].Start
	}
	if g.oneIn(4) {
		q.After = rows[g.IntN(len(rows))].Cursor()
	}
	if g.oneIn(3) {
		q.Skip = g.Int64N(int64(len(rows)/2 + 1))
	}
	if g.oneIn(3) {
		q.Limit = 1 + g.IntN(20)
	}
	if g.oneIn(2) {
		q.Where = g.expr(r, 2)
	}
	return q
}

// expr returns a random condition, most of which r fulfils.
func (g *generator) expr(r *call.Row, depth int) call.Expr {
	switch g.IntN(14) {
	case 0, 1:
		if depth > 0 {
			return call.And(g.exprs(r, depth-1))
		}
	case 2:
		if depth > 0 {
			return call.Or(g.exprs(r, depth-1))
		}
	case 3:
		if depth > 0 {
			return call.Not{X: g.expr(r, depth-1)}
		}
	case 4:
		return call.TextMatch{Field: pick(g, call.FieldTrunk, call.FieldCaller, call.FieldUserDisplayName), Op: call.TextOp(g.IntN(4)), Part: pick(g, "s", "+49", "User", "com")}
	case 5:
		if n := g.maskedPart(g.number()); n != "" && g.IntN(3) == 0 {
			return call.NumberLike(pick(g, "*"+n, n+"*", n[:len(n)/2]+"*"+n[len(n)-1:]))
		}
		return call.Digits(pick(g, r.Caller, r.Callee, g.number()))
	case 6, 7, 8:
		return g.lookup(r)
	case 9:
		return call.Or{g.lookup(r), g.lookup(&g.last), call.Digits(g.maskedPart(g.number()))}
	case 11:
		if depth > 0 {
			return call.ToldProven{X: g.expr(r, depth-1)}
		}
	case 10:
		return call.SeenBy{All: r.Seen & call.Kinds(g.Uint32()), None: call.Kinds(g.Uint32()) &^ r.Seen}
	}
	field := call.Field(g.IntN(int(call.NumFields)))
	return call.Compare{Field: field, Op: call.Op(g.IntN(6)), Value: value(r, field)}
}

func (g *generator) exprs(r *call.Row, depth int) []call.Expr {
	var xs []call.Expr
	for range g.IntN(4) {
		xs = append(xs, g.expr(r, depth))
	}
	return xs
}
