package leg

import (
	"slices"

	"github.com/trunklog/trunklog/call"
)

// Meet brings r, the row of the leg, into agreement with have, the row of the call that the log
// has: from the same source, which has since dropped the leg from memory, or from another source.
// It reports whether another source has told the call with other times.
func (l *Leg) Meet(r, have *call.Row) (another bool) {
	said := func(w call.Witness, f call.Field) bool { return have.HasSaid(w, l.Source, f) }
	heard := have.By[call.FieldDuration]
	told := heard.Kind() == call.SIP && (heard.Authenticated() || !l.Told.Authenticated()) // hearsay does not count against an authenticated leg
	if r.By[call.FieldEnd] != l.Told && (told || said(l.Told, call.FieldEnd)) {
		// An inference does not replace what a message told.
		for _, f := range slices.Concat(outcomes, []call.Field{call.FieldStart, call.FieldInvite, call.FieldCallEndSubReason}) {
			r.By[f] = 0
		}
	} else if said(l.Told, call.FieldCallEndSubReason) || said(Inference(l.Told), call.FieldCallEndSubReason) {
		r.By[call.FieldCallEndSubReason] = r.By[call.FieldDuration]
	}
	return heard.Kind() == call.SIP && have.Source != l.Source && !sameClock(r, have)
}

// Raise notes w as the witness of how the call went, in all of its fields. Otherwise a field that
// was only inferred could leave standing what another outcome has put there before.
func Raise(r *call.Row, w call.Witness) {
	for _, f := range outcomes {
		r.By[f] = w
	}
	r.By[call.FieldCallEndSubReason] = w
}

// sameClock reports whether one clock can have told the times of two rows of one call, as far as
// both have them. The times may be those of two hops of a proxy, so they may differ a little.
func sameClock(a, b *call.Row) bool {
	for _, f := range [...]call.Field{call.FieldInvite, call.FieldFailure, call.FieldEnd} {
		if x, y := a.Time(f), b.Time(f); !x.IsZero() && !y.IsZero() && x.Sub(y).Abs() > inverted {
			return false
		}
	}
	return true
}
