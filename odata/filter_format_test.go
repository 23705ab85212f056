package odata

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// TestFormatFilter writes conditions that ParseFilter does not make.
func TestFormatFilter(t *testing.T) {
	one := call.Compare{Field: call.FieldDuration, Op: call.EQ, Value: int32(1)}
	two := call.Compare{Field: call.FieldFinalSIPCode, Op: call.EQ, Value: int32(2)}
	zone := time.FixedZone("", 2*3600)
	var deep call.Expr = one
	for range 10_000 {
		deep = call.Not{X: deep}
	}
	for _, c := range []struct {
		x    call.Expr
		want string // or the error, if it begins with "!"
	}{
		{nil, "true"},
		{call.And{}, "true"},
		{call.Or{}, "false"},
		{call.And{one}, "duration eq 1"},
		{call.Or{call.And{one, two}}, "duration eq 1 and finalSipCode eq 2"},
		{call.And{call.Or{call.And{one, two}}, one}, "(duration eq 1 and finalSipCode eq 2) and duration eq 1"},
		{call.Not{X: call.Not{X: one}}, "not not (duration eq 1)"},
		{call.Not{X: call.Or{one}}, "not (duration eq 1)"},
		{call.Not{X: call.Or{call.TextMatch{Field: call.FieldCaller, Op: call.EqualFold, Part: "x"}}}, "not (tolower(callerNumber) eq 'x')"},
		{call.Compare{Field: call.FieldStart, Op: call.GE, Value: time.Date(2024, 1, 1, 2, 0, 0, 150, zone)}, "startDateTime ge 2024-01-01T00:00:00.0000001Z"},
		{call.Compare{Field: call.FieldStart, Op: call.LT, Value: time.Time{}}, "startDateTime lt 0001-01-01T00:00:00Z"},
		{call.Compare{Field: call.FieldCaller, Op: call.GT, Value: ""}, "callerNumber gt ''"},
		{call.Compare{Field: call.FieldCallType, Op: call.EQ, Value: "dr_in"}, "callType eq 'dr_in'"},
		{call.TextMatch{Field: call.FieldCallType, Op: call.HasPrefix, Part: "Byot"}, "startswith(callType,'Byot')"},
		{call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: "DR_IN"}, "callType eq 'DR_IN'"},
		{
			call.Or{
				call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: "ByotIn"},
				call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: "dr_in"},
				call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: "x"},
			},
			"callType eq 'ByotIn' or callType eq 'dr_in' or tolower(callType) eq 'x'",
		},
		{call.Or{call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: "dr_in"}, call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: "x"}}, "callType eq 'dr_in' or tolower(callType) eq 'x'"},

		{call.Digits("+4930"), "!a search for a number in any notation has no form in OData"},
		{call.SeenBy{}, "!a question for what has spoken of a call has no form in OData"},
		{call.Compare{Field: call.FieldSharedID, Op: call.EQ, Value: call.GUID{}}, "!field sharedCorrelationId has no place in a filter"},
		{call.Compare{Field: call.FieldAdministrativeUnits, Op: call.EQ, Value: call.GUID{}}, "!field administrativeUnitInfos has no place in a filter"},
		{call.Compare{Field: call.NumFields, Op: call.EQ, Value: call.GUID{}}, "!there is no field with number 28"},
		{call.TextMatch{Field: call.NumFields}, "!there is no field with number 28"},
		{call.Compare{Field: call.FieldDuration, Op: call.EQ, Value: 1}, "!field duration cannot be compared with this value of type int"},
		{call.Compare{Field: call.FieldDuration, Op: call.EQ, Value: "1"}, "!field duration cannot be compared with this value of type string"},
		{call.Compare{Field: call.FieldCaller, Op: call.EQ, Value: call.GUID{1}}, "!field callerNumber cannot be compared with this value of type call.GUID"},
		{call.Compare{Field: call.FieldCaller, Op: call.EQ, Value: nil}, "!field callerNumber cannot be compared with this value of type <nil>"},
		{call.Compare{Field: call.FieldID, Op: call.GT, Value: call.GUID{}}, "!field id cannot stand in relation 4"},
		{call.Compare{Field: call.FieldSuccessful, Op: call.LT, Value: true}, "!field successfulCall cannot stand in relation 2"},
		{call.Compare{Field: call.FieldDuration, Op: 77, Value: int32(1)}, "!field duration cannot stand in relation 77"},
		{call.Compare{Field: call.FieldStart, Op: call.EQ, Value: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, "!field startDateTime cannot be compared with this value of type time.Time"},
		{call.TextMatch{Field: call.FieldDuration, Op: call.HasPrefix}, "!field duration is not a text"},
		{call.TextMatch{Field: call.FieldCaller, Op: 77}, "!field callerNumber cannot stand in relation 77"},
		{call.TextMatch{Field: call.FieldCaller, Op: call.Contains, Part: "\xff"}, "!a text in it is not UTF-8 or has a NUL character"},
		{call.Compare{Field: call.FieldCaller, Op: call.EQ, Value: "a\x00b"}, "!a text in it is not UTF-8 or has a NUL character"},
		{call.Or(slices.Repeat([]call.Expr{one}, 101)), "!more than the 100 values"},
		{call.And(slices.Repeat([]call.Expr{one}, 80)), "!more than the 256 words"},
		{call.TextMatch{Field: call.FieldCaller, Op: call.Contains, Part: strings.Repeat("x", 5000)}, "!bytes"},
		{deep, "!it has more than 4096 bytes"},
	} {
		got, err := FormatFilter(c.x)
		if want, fails := strings.CutPrefix(c.want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), want) || got != "" {
				t.Errorf("%T: got %.80q, %v, want error %q", c.x, got, err, want)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", showOrNil(c.x), got, err, c.want)
		}
	}
}

// TestFormatKeepsMeaning writes random conditions of any shape and compares
// what is read with what was written.
func TestFormatKeepsMeaning(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	p := writerPool
	p.texts = slices.DeleteFunc(slices.Clone(p.texts), func(s string) bool { return strings.Contains(s, "yot") || strings.Contains(s, "dr_") })
	var random func(depth int) call.Expr
	random = func(depth int) call.Expr {
		kind := rnd.IntN(5)
		if depth == 0 {
			kind = 3 + rnd.IntN(2)
		}
		switch kind {
		case 0, 1:
			parts := make([]call.Expr, rnd.IntN(4))
			for i := range parts {
				parts[i] = random(depth - 1)
			}
			if kind == 0 {
				return call.And(parts)
			}
			return call.Or(parts)
		case 2:
			return call.Not{X: random(depth - 1)}
		case 3:
			texts := []call.Field{call.FieldCaller, call.FieldTrunk, call.FieldUserDisplayName}
			return call.TextMatch{Field: pick(rnd, texts), Op: call.TextOp(rnd.IntN(4)), Part: pick(rnd, p.texts)}
		}
		f := call.Field(rnd.IntN(int(call.FieldAdministrativeUnits)))
		op := call.Op(rnd.IntN(6))
		if f.Type() == call.ID || f.Type() == call.Bool {
			op = call.Op(rnd.IntN(2))
		}
		r := p.row(rnd)
		value := map[call.Type]any{call.ID: pick(rnd, p.ids), call.Text: pick(rnd, p.texts), call.Time: r.Start, call.Number: r.Duration, call.Bool: r.Successful}
		return call.Compare{Field: f, Op: op, Value: value[f.Type()]}
	}
	written := 0
	n := scale(t, 5000)
	for range n {
		x := random(3)
		s, err := FormatFilter(x)
		if err != nil {
			continue
		}
		written++
		y, err := ParseFilter(s)
		if err != nil {
			t.Fatalf("%s was written as %q: %v", show(x), s, err)
		}
		checkFilter(t, s)
		match := naiveMatch(s)
		for range 10 {
			r := p.row(rnd)
			if x.Match(r) != y.Match(r) || x.Match(r) != match(r) {
				t.Fatalf("%s was written as %q, which means something else for\n%+v", show(x), s, r)
			}
		}
	}
	if written < n*9/10 {
		t.Errorf("only %d of %d conditions could be written", written, n)
	}
}
