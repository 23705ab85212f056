package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/trunklog/trunklog/call"
)

// Hearsay may tell of a call under an id that is another call's, and a record of an SBC, which
// has an id of its own, may become part of that row. When the call that bears the id is told of
// by somebody who has proved who it is, the row gives the id up: it goes on under the record's
// own, with all that belongs to it.
//
// It keeps the id until then. A record that took it away at once would give each call that a
// source without certificates hears, and an SBC records, two ids within a minute: clients have
// read the first, which as a rule is Microsoft's, and would read the call once more.

// A preempted row holds the id of another call.
type preempted struct {
	row   call.Row
	links []byte // what linked/TENANT/DAY/ROW says
	name  string // the name of that
}

// givesUp looks for a row that holds the id of row r by hearsay alone, and notes that it has to
// give it up.
func (p *pass) givesUp(ctx context.Context, r *call.Row) error {
	if !bearsMicrosofts(r) {
		return nil
	}
	row, err := p.in.store.Row(ctx, r.Tenant, r.ID)
	if errors.Is(err, call.ErrNotFound) {
		return nil
	}
	if err != nil || row.ID != r.ID || !proven(&row) || !hasHearsay(&row) || bearsMicrosofts(&row) || sameByProof(&row, r, p) {
		return err
	}
	c := &candidate{row: row}
	if err := p.load(ctx, c); err != nil {
		return err
	}
	p.preempted = append(p.preempted, preempted{row, c.links, c.name})
	return nil
}

// unclaimed returns those of near that r may become part of: not what hearsay has told under the id
// of another call of the batch.
func (p *pass) unclaimed(r *call.Row, near []*candidate) []*candidate {
	if !hasOwnID(r) || !proven(r) {
		return near
	}
	return slices.DeleteFunc(slices.Clone(near), func(c *candidate) bool {
		if bearsMicrosofts(&c.row) || hasOwnID(&c.row) {
			return false
		}
		bearer := p.bearer(rowKey{c.row.Tenant, c.row.ID})
		return bearer != nil && !sameByProof(bearer, r, p)
	})
}

// bearer returns the row of the batch that bears the id that Microsoft gave its call; nil if there is
// none of that id.
func (p *pass) bearer(of rowKey) *call.Row {
	if p.bearers == nil {
		p.bearers = make(map[rowKey]*call.Row)
		for i := range p.b.Rows {
			if r := &p.b.Rows[i]; bearsMicrosofts(r) {
				p.bearers[rowKey{r.Tenant, r.ID}] = r
			}
		}
	}
	return p.bearers[of]
}

// bearsMicrosofts reports whether somebody who has proved who it is has told r under the id that
// Microsoft gave the call.
func bearsMicrosofts(r *call.Row) bool {
	if hasOwnID(r) {
		return false
	}
	for w := range (&call.Told{Row: *r}).Voices() {
		if w.Authenticated() && (w.Kind() == call.Graph || w.Kind() == call.SIP) {
			return true
		}
	}
	return false
}

// hasHearsay reports whether somebody who has not proved who it is has told of the call of r.
func hasHearsay(r *call.Row) bool {
	for w := range (&call.Told{Row: *r}).Voices() {
		if !w.Authenticated() {
			return true
		}
	}
	return false
}

// sameByProof reports whether what was proven of a row can be the call of r.
func sameByProof(row, r *call.Row, p *pass) bool {
	as := sober(row)
	if as.CorrelationID.IsZero() || r.CorrelationID.IsZero() {
		return sameLoose(as, r)
	}
	return as.CorrelationID == r.CorrelationID && sameCall(as, r, p.offsets)
}

// free lets rows go on under ids of their own. What was linked with what is looked up anew then:
// the error is [call.ErrConflict].
func (p *pass) free(ctx context.Context) error {
	b := call.Batch{State: map[string][]byte{}, If: map[string][]byte{}}
	for _, h := range p.preempted {
		own := h.ownID()
		if slices.ContainsFunc(b.Replace, func(r call.Replacement) bool { return r.Was.Tenant == h.row.Tenant && r.Was.ID == h.row.ID }) {
			continue // it was told of twice
		}
		if err := p.in.moveTo(ctx, &h.row, call.RowID{Tenant: h.row.Tenant, ID: own}, &b); err != nil {
			return err
		}
		if h.name == "" {
			continue
		}
		var links []byte
		for entry := range slices.Chunk(h.links, linkSize) {
			if len(entry) == linkSize && call.GUID(entry[1:]) != own {
				links = append(links, entry...)
			}
		}
		b.State[h.name], b.If[h.name] = nil, h.links
		if links != nil {
			moved := h.row
			moved.ID = own
			b.State[linkedName(&moved)] = links
		}
	}
	if _, err := p.in.store.Write(ctx, b); err != nil {
		return err
	}
	return fmt.Errorf("%d rows have given up the ids of others: %w", len(p.preempted), call.ErrConflict)
}

// ownID returns the id under which the first record of the row came that proved who told it, or
// another that is the row's alone.
func (h *preempted) ownID() call.GUID {
	for entry := range slices.Chunk(h.links, linkSize) {
		if len(entry) == linkSize && entry[0]&byHearsay == 0 {
			return call.GUID(entry[1:])
		}
	}
	return call.NameGUID(h.row.ID.String(), "preempted")
}
