package call

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func TestPlanOf(t *testing.T) {
	id, user, corr := GUID{1}, GUID{2}, GUID{3}
	is := func(f Field, v any) Expr { return Compare{Field: f, Value: v} }
	number := func(s string) Lookup { return Lookup{By: FindNumber, Text: s} }
	written := func(s string) Lookup { return Lookup{By: FindWritten, Text: s} }
	anna := Lookup{By: FindName, Text: "anna@contoso.com"}
	trunk := is(FieldTrunk, "sbc")
	for _, c := range []struct {
		x    Expr
		want []Lookup
	}{
		{nil, nil},
		{trunk, nil},
		{And{}, nil},
		{Or{}, []Lookup{}},
		{And{trunk, Or{}}, []Lookup{}},
		{is(FieldID, id), []Lookup{{By: FindID, ID: id}}},
		{is(FieldUserID, user), []Lookup{{By: FindUser, ID: user}}},
		{is(FieldUserID, GUID{}), nil},
		{is(FieldUserID, "x"), nil},
		{is(FieldTransferorID, id), nil},
		{Compare{FieldUserID, NE, user}, nil},
		{is(FieldUserPrincipalName, "Anna@Contoso.com"), []Lookup{anna}},
		{is(FieldUserPrincipalName, ""), nil},
		{TextMatch{FieldUserPrincipalName, EqualFold, "ANNA@contoso.com"}, []Lookup{anna}},
		{TextMatch{FieldUserPrincipalName, HasPrefix, "anna"}, nil},
		// Numbers.
		{Digits("+49 (30) 1"), []Lookup{number("49301")}},
		{Digits("+49301234***"), []Lookup{{By: FindMasked, Text: "49301234***"}}},
		{Digits("+49***1234"), nil},
		{Digits("+493***1234"), []Lookup{{By: FindMasked, Text: "493***1234"}}},
		{Digits("***"), nil},
		{Digits("anonymous"), []Lookup{}},
		{Digits(""), []Lookup{}},
		{is(FieldCaller, "+49 30"), []Lookup{written("4930")}},
		{is(FieldCallee, "+4930***"), []Lookup{written("4930***")}},
		{is(FieldCallee, "***"), []Lookup{written("***")}},
		{is(FieldCaller, "anonymous"), nil},
		{is(FieldCallerRaw, "+4930"), nil},
		{TextMatch{FieldCaller, EqualFold, "SIP:+4930"}, []Lookup{written("4930")}},
		// The best of those that must all hold.
		{And{trunk, is(FieldUserID, user), Digits("4930")}, []Lookup{number("4930")}},
		{And{Digits("4930"), And{is(FieldCorrelationID, corr)}}, []Lookup{{By: FindCorrelation, ID: corr}}},
		{And{is(FieldUserID, user), TextMatch{FieldUserPrincipalName, EqualFold, "anna@contoso.com"}}, []Lookup{anna}},
		{And{Or{Digits("1"), Digits("2"), Digits("3")}, is(FieldUserID, user)}, []Lookup{{By: FindUser, ID: user}}},
		{And{Or{is(FieldID, id), is(FieldCorrelationID, corr)}, is(FieldUserID, user)}, []Lookup{{By: FindID, ID: id}, {By: FindCorrelation, ID: corr}}},
		// Unions.
		{Or{is(FieldCaller, "+4930"), is(FieldCallee, "(49) 30")}, []Lookup{written("4930")}},
		{Or{is(FieldCaller, "+4930"), is(FieldCallee, "4930"), Digits("4930")}, []Lookup{number("4930")}},
		{Or{Digits("4930"), is(FieldCaller, "+4930")}, []Lookup{number("4930")}},
		{Or{Digits("4930"), Or{Digits("4931"), is(FieldUserID, user)}}, []Lookup{number("4930"), number("4931"), {By: FindUser, ID: user}}},
		{Or{is(FieldCaller, "+4930"), And{trunk, is(FieldCallee, "+4931")}}, []Lookup{written("4930"), written("4931")}},
		{Or{is(FieldCaller, "+4930"), trunk}, nil},
		{Or{trunk, is(FieldCaller, "+4930")}, nil},
		{Or{Digits("x"), Digits("1")}, []Lookup{number("1")}},
		{Not{Digits("4930")}, nil},
		{Not{Or{}}, nil},
		{And{Not{Digits("1")}, Digits("2")}, []Lookup{number("2")}},
		{SeenBy{All: Graph.Set()}, nil},
	} {
		p := PlanOf(Query{Where: c.x})
		if !reflect.DeepEqual(p, Plan{Any: c.want}) {
			t.Errorf("%#v: the plan is %+v, want %+v", c.x, p, c.want)
		}
	}
}

func TestPlanIsBounded(t *testing.T) {
	var or Or
	for i := range MaxLookups {
		or = append(or, Digits(fmt.Sprint(i)))
	}
	if n := len(PlanOf(Query{Where: or}).Any); n != MaxLookups {
		t.Errorf("%d look-ups, want %d", n, MaxLookups)
	}
	if p := PlanOf(Query{Where: append(or, Digits("4930"))}); p.Any != nil {
		t.Errorf("a union of more is looked up: %d", len(p.Any))
	}
	if n := len(PlanOf(Query{Where: append(or, Digits("7"))}).Any); n != MaxLookups {
		t.Errorf("%d look-ups if one is asked for twice, want %d", n, MaxLookups)
	}
}

func TestPlanNarrowsTheTime(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	start := func(op Op, d time.Duration) Expr { return Compare{FieldStart, op, at.Add(d)} }
	for _, c := range []struct {
		q        Query
		from, to time.Time
	}{
		{Query{Where: start(EQ, 0)}, at, at.Add(1)},
		{Query{Where: And{start(GT, 0), And{start(LE, 5)}}}, at.Add(1), at.Add(6)},
		{Query{From: at, To: at.Add(9), Where: And{start(GE, 1), start(LT, 8)}}, at.Add(1), at.Add(8)},
		{Query{From: at, To: at.Add(9), Where: And{start(GE, -1), start(LT, 10)}}, at, at.Add(9)},
		{Query{Where: start(NE, 0)}, time.Time{}, time.Time{}},
		{Query{Where: Or{start(GE, 0)}}, time.Time{}, time.Time{}},
		{Query{Where: And{Or{And{start(GE, 0), Digits("1")}}}}, time.Time{}, time.Time{}},
		{Query{Where: Not{start(GE, 0)}}, time.Time{}, time.Time{}},
		{Query{Where: Compare{FieldStart, LT, time.Time{}}}, time.Time{}, time.Time{}},
		{Query{Where: Compare{FieldInvite, LT, at}}, time.Time{}, time.Time{}},
	} {
		if p := PlanOf(c.q); !p.From.Equal(c.from) || !p.To.Equal(c.to) {
			t.Errorf("%+v: from %v to %v, want %v to %v", c.q, p.From, p.To, c.from, c.to)
		}
	}
}

// planRow returns a row that shares some values with others.
func planRow(rnd *rand.Rand) Row {
	number := func() string { return pick(rnd, planNumbers...) }
	id := func() GUID { return GUID{byte(rnd.IntN(3))} }
	return Row{
		ID: GUID{byte(1 + rnd.IntN(3))}, CorrelationID: id(), UserID: id(), Start: TimeOf(1000 + rnd.Uint64N(4)),
		UserPrincipalName: pick(rnd, planNames...), Caller: number(), Callee: number(), Seen: Kinds(rnd.IntN(1<<6) << 1),
	}
}

var (
	planNumbers = []string{"", "+49301", "(49) 301", "+4930*", "+49*01", "49***", "*", "**301", "x", "+49302", "+493", "4930*;x"}
	planNames   = []string{"", "k@x", "K@X", "\u212a@x", "anna"}
)

// planExpr returns a condition on values of planRow.
func planExpr(rnd *rand.Rand, depth int) Expr {
	some := func() (xs []Expr) {
		for range rnd.IntN(4) {
			xs = append(xs, planExpr(rnd, depth-1))
		}
		return xs
	}
	op := func() Op { return pick(rnd, EQ, EQ, EQ, Op(rnd.IntN(6))) }
	n := rnd.IntN(11)
	if depth == 0 {
		n = 3 + rnd.IntN(8)
	}
	switch n {
	case 0:
		return And(some())
	case 1:
		return Or(some())
	case 2:
		return Not{planExpr(rnd, depth-1)}
	case 3, 4:
		return Digits(pick(rnd, planNumbers...))
	case 5:
		return TextMatch{pick(rnd, FieldUserPrincipalName, FieldCaller, FieldCallee), pick(rnd, HasPrefix, EqualFold, EqualFold), pick(rnd, append(planNames, planNumbers...)...)}
	case 6:
		return Compare{FieldStart, op(), TimeOf(1000 + rnd.Uint64N(4))}
	case 7:
		return Compare{pick(rnd, FieldID, FieldCorrelationID, FieldUserID, FieldTransferorID), op(), GUID{byte(rnd.IntN(3))}}
	case 8:
		return SeenBy{Kinds(rnd.IntN(1<<6) & rnd.IntN(1<<6) << 1), Kinds(rnd.IntN(1<<6) & rnd.IntN(1<<6) << 1)}
	case 9:
		return Compare{FieldUserPrincipalName, op(), pick(rnd, planNames...)}
	}
	return Compare{pick(rnd, FieldCaller, FieldCallee), op(), pick(rnd, planNumbers...)}
}

// TestPlanIsASuperset checks that a plan leads to every row that matches.
func TestPlanIsASuperset(t *testing.T) {
	rnd := newRand(t)
	looked, unions, matched := 0, 0, 0
	for range scale(t, 100_000) {
		q := Query{Where: planExpr(rnd, 3)}
		p := PlanOf(q)
		for range 10 {
			r := planRow(rnd)
			if !q.Where.Match(&r) {
				continue
			}
			if !leadsTo(p, &r) {
				t.Fatalf("%#v\nmatches\n%+v\nand the plan\n%+v\ndoes not lead to it", q.Where, r, p)
			}
			if matched++; p.Any != nil {
				looked++
			}
			if len(p.Any) > 1 {
				unions++
			}
		}
	}
	if t.Logf("%d matched, %d by a look-up, %d by several", matched, looked, unions); unions == 0 {
		t.Error("nothing was found by a union")
	}
}

func leadsTo(p Plan, r *Row) bool {
	if r.Start.Before(p.From) || !p.To.IsZero() && !r.Start.Before(p.To) {
		return false
	}
	for _, l := range p.Any {
		if l.Finds(r) {
			return true
		}
	}
	return p.Any == nil
}

func TestSymbols(t *testing.T) {
	for number, want := range map[string]string{
		"": "", "x": "", "49": "49", "+49 (30) 1-***x": "49301***", "4930*": "4930*", "１2": "2",
	} {
		if got := Symbols(number); got != want {
			t.Errorf("Symbols(%q) = %q, want %q", number, got, want)
		}
	}
}
