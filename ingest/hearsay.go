package ingest

import (
	"slices"

	"github.com/trunklog/trunklog/call"
)

// Whoever has not proved who it is may have made up what it tells: hearsay. It adds to
// a row what nobody else tells, marked as its own, and has no lasting say. So where rows
// are linked, a row of which somebody has proved who it is takes others as such tell
// them: hearsay lends them no correlation id, number or time by which they would be its
// call, and holds no place of theirs. What hearsay alone tells of is taken last, and is
// nobody's rival. Its ids are no aliases, or a call that comes under one of them would
// become part of another.

// as returns c as r is to take it.
func (c *candidate) as(r *call.Row) *call.Row {
	if !r.Proven() || !c.row.Proven() {
		return &c.row
	}
	return c.row.Sober()
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
	if !r.Proven() || !slices.ContainsFunc(near, func(c *candidate) bool { return !c.row.Proven() }) {
		return near, false
	}
	for _, c := range near {
		if c.row.Proven() {
			some = append(some, c)
		}
	}
	return some, true
}
