package ingest

import (
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Whoever has not proved who it is may have made up what it tells: hearsay. It adds to
// a row what nobody else tells, marked as its own, and has no lasting say. So where rows
// are linked, a row of which somebody has proved who it is takes others as such tell
// them: hearsay lends them no correlation id, number or time by which they would be its
// call, and holds no place of theirs. What hearsay alone tells of is taken last, and is
// nobody's rival. Its ids are no aliases, or a call that comes under one of them would
// become part of another.

// proven reports whether anything of r was told by somebody who has proved who it is.
func proven(r *call.Row) bool { return slices.ContainsFunc(r.By[:], call.Witness.Authenticated) }

// as returns c as r is to take it.
func (c *candidate) as(r *call.Row) *call.Row {
	if !proven(r) || !proven(&c.row) {
		return &c.row
	}
	return sober(&c.row)
}

// sober returns r without what hearsay alone has told of it; its place stays.
func sober(r *call.Row) *call.Row {
	hearsay := func(w call.Witness) bool { return w != 0 && !w.Authenticated() }
	if r.Said == "" && !slices.ContainsFunc(r.By[:], hearsay) {
		return r
	}
	s := *r
	for f, w := range r.By {
		if f := call.Field(f); hearsay(w) && f != call.FieldStart && f != call.FieldID {
			unsay(&s, f)
		}
	}
	if !heardProven(r) {
		s.Seen &^= call.SIP.Set()
	}
	return &s
}

// heardProven reports whether somebody who has proved who it is has heard the call of r.
func heardProven(r *call.Row) bool {
	for w := range (&call.Told{Row: *r}).Voices() {
		if w == call.SIP.Witness() {
			return true
		}
	}
	return false
}

// unsay takes a field out of r.
func unsay(r *call.Row, f call.Field) {
	r.By[f] = 0
	switch f.Type() {
	case call.ID:
		r.SetGUID(f, call.GUID{})
	case call.Text:
		r.SetText(f, "")
	case call.Time:
		r.SetTime(f, time.Time{})
	case call.Number:
		r.SetNumber(f, 0)
	case call.Bool:
		r.SetBool(f, false)
	}
}

// sameAs reports whether c can be the same call as r, with which it shares a
// correlation id. If hearsay alone says so, that counts for nothing: by what the calls
// were, findLoose finds the row if it would without hearsay.
func (c *candidate) sameAs(r *call.Row, p *pass) bool {
	as := c.as(r)
	return !as.CorrelationID.IsZero() && sameCall(as, r, p.offsets)
}

// believed returns those of near that r is to be taken for first, and whether those are
// not all.
func believed(r *call.Row, near []*candidate) (some []*candidate, more bool) {
	if !proven(r) || !slices.ContainsFunc(near, func(c *candidate) bool { return !proven(&c.row) }) {
		return near, false
	}
	for _, c := range near {
		if proven(&c.row) {
			some = append(some, c)
		}
	}
	return some, true
}
