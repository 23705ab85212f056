package pebble

import (
	"testing"

	"github.com/trunklog/trunklog/call"
)

// TestPlanOfOr checks which alternatives one look-up answers.
func TestPlanOfOr(t *testing.T) {
	caller := func(n string) call.Expr { return call.Compare{Field: call.FieldCaller, Value: n} }
	callee := func(n string) call.Expr { return call.Compare{Field: call.FieldCallee, Value: n} }
	user := func(b byte) call.Expr { return call.Compare{Field: call.FieldUserID, Value: call.GUID{b}} }
	early := call.Compare{Field: call.FieldStart, Op: call.LT, Value: call.TimeOf(1000)}
	for _, c := range []struct {
		or   call.Or
		kind byte
	}{
		{call.Or{}, 0},
		{call.Or{caller("+4930")}, kindNumber},
		{call.Or{caller("+4930"), callee("+4930")}, kindNumber},
		{call.Or{caller("+4930"), callee("0049 30")}, 0},
		{call.Or{caller("+4930"), callee("(49) 30"), call.Digits("4930")}, kindNumber},
		{call.Or{caller("+4930"), call.And{early, callee("+4930")}}, kindNumber},
		{call.Or{caller("+4930"), callee("+4931")}, 0},
		{call.Or{caller("+4930"), early}, 0},
		{call.Or{early, caller("+4930")}, 0},
		{call.Or{user(1), user(1)}, kindUser},
		{call.Or{user(1), user(2)}, 0},
		{call.Or{user(1), caller("+4930")}, 0},
	} {
		for _, x := range []call.Expr{c.or, call.And{c.or}} {
			sp := span{hi: place{start: endOfTime}}
			if p := planOf(x, &sp); p.kind != c.kind {
				t.Errorf("%v is looked up as %q, want %q", x, p.kind, c.kind)
			}
			if sp != (span{hi: place{start: endOfTime}}) {
				t.Errorf("%v: what holds for one part has narrowed all: %v", x, sp)
			}
		}
	}
}
