package ingest

import (
	"slices"

	"github.com/trunklog/trunklog/call"
)

// A sender that was not authenticated may have made up what it tells: hearsay. Hearsay adds to a
// row what no other source tells, marked as its own, and only until another does. So where the pass
// links rows, an authenticated row takes other authenticated rows without the hearsay in them,
// which lends them no correlation id, number or time by which they would be its call. Hearsay fills
// no crowd of authenticated rows. A row of hearsay alone comes last, and is no rival of others. Its
// ids are no aliases; otherwise a call that comes under one of them would become part of another.

// as returns the row of c as r is to see it: without hearsay, if both are authenticated.
func (c *candidate) as(r *call.Row) *call.Row {
	if !r.Proven() || !c.row.Proven() {
		return &c.row
	}
	return c.row.Sober()
}

// sameAs reports whether c can be the same call as r, with which it shares a correlation id. It
// does not count if hearsay alone says so: findLoose then finds the row by what the call was, if it
// would without hearsay.
func (c *candidate) sameAs(r *call.Row, p *pass) bool {
	as := c.as(r)
	return !as.CorrelationID.IsZero() && sameCall(as, r, p.offsets)
}

// believed returns the rows of near that the pass compares with r first, and whether there are
// more.
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
