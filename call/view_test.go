package call

import (
	"reflect"
	"testing"
)

// TestSplit checks that the halves of a condition together hold for the same rows, and that no
// hidden field goes to the engine.
func TestSplit(t *testing.T) {
	rnd := newRand(t)
	holds := func(x Expr, r *Row) bool { return x == nil || x.Match(r) }
	both := 0
	for range scale(t, 50_000) {
		x := planExpr(rnd, 3)
		var set [NumFields]bool
		for range 1 + rnd.IntN(2) {
			set[pick(rnd, FieldCaller, FieldCallee, FieldUserPrincipalName, FieldUserID, FieldStart)] = true
		}
		hidden := func(f Field) bool { return set[f] }
		down, up := Split(x, hidden)
		if down != nil && mentions(down, hidden) {
			t.Fatalf("%#v: a hidden field goes to the engine: %#v", x, down)
		}
		if down != nil && up != nil {
			both++
		}
		for range 10 {
			if r := planRow(rnd); x.Match(&r) != (holds(down, &r) && holds(up, &r)) {
				t.Fatalf("%#v is split into\n%#v\nand\n%#v\nwhich does not hold for the same rows, as\n%+v", x, down, up, r)
			}
		}
	}
	if both == 0 {
		t.Error("nothing was split")
	}
}

func TestSplitParts(t *testing.T) {
	secret := func(f Field) bool { return f == FieldCallee }
	open, closed := Expr(Compare{FieldTrunk, EQ, "x"}), Expr(TextMatch{FieldCallee, HasPrefix, "+49"})
	for _, c := range []struct{ x, down, up Expr }{
		{nil, nil, nil},
		{open, open, nil},
		{closed, nil, closed},
		{Digits("1"), nil, Digits("1")},
		{And{}, And{}, nil},
		{SeenBy{All: 2}, SeenBy{All: 2}, nil},
		{And{open, closed}, open, closed},
		{And{open, And{closed, open, Digits("1")}}, And{open, open}, And{closed, Digits("1")}},
		{Or{open, closed}, nil, Or{open, closed}},
		{Or{open, open}, Or{open, open}, nil},
		{Not{And{open, closed}}, nil, Not{And{open, closed}}},
		{And{open, Or{open, Not{closed}}}, open, Or{open, Not{closed}}},
	} {
		if down, up := Split(c.x, secret); !reflect.DeepEqual(down, c.down) || !reflect.DeepEqual(up, c.up) {
			t.Errorf("%#v is split into %#v and %#v", c.x, down, up)
		}
	}
}
