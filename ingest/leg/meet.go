package leg

import (
	"slices"

	"github.com/trunklog/trunklog/call"
)

// Meet makes r, the row of the leg, one that agrees with what was heard of the call
// before by the same source, which has forgotten it, or by another. It reports whether
// another source has told the call with other times.
func (l *Leg) Meet(r, have *call.Row) (another bool) {
	said := func(w call.Witness, f call.Field) bool { return have.HasSaid(w, l.Source, f) }
	heard := have.By[call.FieldDuration]
	told := heard.Kind() == call.SIP && (heard.Authenticated() || !l.Told.Authenticated()) // hearsay does not count
	if r.By[call.FieldEnd] != l.Told && (told || said(l.Told, call.FieldEnd)) {
		// What is only concluded does not stand against what was told.
		for _, f := range slices.Concat(outcomes, []call.Field{call.FieldStart, call.FieldInvite, call.FieldCallEndSubReason}) {
			r.By[f] = 0
		}
	} else if said(l.Told, call.FieldCallEndSubReason) || said(Inference(l.Told), call.FieldCallEndSubReason) {
		r.By[call.FieldCallEndSubReason] = r.By[call.FieldDuration]
	}
	return heard.Kind() == call.SIP && have.Source != l.Source && !sameClock(r, have)
}

// Raise gives how a call went, as a whole, the given witness: a part of it that was
// concluded must not leave in its place what another one has told before.
func Raise(r *call.Row, w call.Witness) {
	for _, f := range outcomes {
		r.By[f] = w
	}
	r.By[call.FieldCallEndSubReason] = w
}

// sameClock reports whether the times of two rows of one call, as far as both know
// them, are those of one clock. They may be of two hops of a proxy.
func sameClock(a, b *call.Row) bool {
	for _, f := range [...]call.Field{call.FieldInvite, call.FieldFailure, call.FieldEnd} {
		if x, y := a.Time(f), b.Time(f); !x.IsZero() && !y.IsZero() && x.Sub(y).Abs() > inverted {
			return false
		}
	}
	return true
}
