package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
)

// conclude makes a row of a leg, or amends its row.
func (h *hearing) conclude(ctx context.Context, l *held, v *leg.View, now time.Time, n *news) error {
	others, siblings := h.partners(l), h.siblings(l)
	main := h.mainOf(l, v, others)
	if l.Life.Closed.IsZero() {
		l.Life.Closed = now
	}
	l.Life.Changed = false
	switch {
	case main != nil:
		n.what = otherLeg
		if l.Life.PartOf == main.ID {
			n.what = nothingNew
		}
		l.Life.PartOf = main.ID
		if gone, err := h.renamed(ctx, main); gone || err != nil {
			return err
		}
		h.link(main, l)
		return nil
	case !l.Life.PartOf.IsZero() && l.Life.Row.IsZero():
		return nil // a part of a call that is over
	case v.Facing == leg.NotFacing, v.Facing == leg.MaybeFacing && l.Life.Row.IsZero() && h.setAside(l):
		if n.was.Closed.IsZero() {
			n.what = elsewhere
			if v.Facing == leg.MaybeFacing {
				n.what = setAside
			}
		}
		return nil
	}
	r, err := h.rowOf(ctx, l, v, others, siblings)
	if err != nil {
		return err
	}
	if !valid(&r) {
		n.what = rejected
		return nil
	}
	told := r.By[call.FieldEnd] == l.Told
	if settled := settledBy(l, siblings); settled && !told {
		return nil // an inference does not replace what a message told
	} else if l.Life.Settled {
		leg.Raise(&r, l.Told)
	}
	n.what = amendedRow
	if l.Life.Row.IsZero() {
		n.what = newRow
		l.Life.Row, l.Life.RowTenant = r.Cursor(), r.Tenant
	}
	l.Life.Inferred, l.Life.Settled, l.Life.PartOf = !v.Ended(), told, call.GUID{}
	h.batch.Rows = append(h.batch.Rows, r)
	n.row = len(h.batch.Rows)
	h.link(l, l)
	h.lead(l)
	for _, o := range others {
		w := h.view(o)
		if o.Life.PartOf == l.ID || o.Life.PartOf.IsZero() && w.Facing < v.Facing && h.mainOf(o, &w, h.partners(o)) == l {
			h.link(l, o)
		}
	}
	return nil
}

// valid reports whether a row can be kept. Its texts have been cut to size, so only times can be
// out of range.
func valid(r *call.Row) bool { return r.Check() == nil }

// link adds to the batch that the messages of a leg belong to the row of the main leg, which may be
// the same leg, if there is a row.
func (h *hearing) link(main, l *held) {
	if !h.in.keepSIP || main.Life.Row.IsZero() {
		return
	}
	l.Life.Linked = true
	h.batch.Legs = append(h.batch.Legs, call.Leg{
		Tenant: main.Life.RowTenant, Row: main.Life.Row, ID: l.ID, Main: l == main, From: l.Span().From.Time(), To: l.Span().To.Time(),
	})
}

// renamed reports whether the row of a leg of hearsay has got another id, see rename.go. It then
// has the leg concluded again, which finds the row and links the other legs to it.
func (h *hearing) renamed(ctx context.Context, main *held) (bool, error) {
	if !h.in.keepSIP || main.Told.Authenticated() || main.Life.Row.IsZero() || main.dirty {
		return false, nil
	}
	_, err := h.in.store.Row(ctx, main.Life.RowTenant, main.Life.Row.ID)
	if !errors.Is(err, call.ErrNotFound) {
		return false, err
	}
	main.Life.Changed = true
	h.soil(main)
	h.wait(main)
	return true, nil
}

// rowOf returns the row of a leg, under the id that it has if there is one. What other sources have
// heard of the call stays theirs, see [call.Row.Fold].
func (h *hearing) rowOf(ctx context.Context, l *held, v *leg.View, others, siblings []*held) (r call.Row, err error) {
	trunk, tenant := l.TrunkOf(v, h.in.tenant)
	plan := func(number string) string { return h.in.number(trunk, number) }
	r = l.Row(v, trunk, plan)
	for _, o := range others {
		o.Fill(&r, leg.Inference(l.Told), plan)
	}
	r.Tenant, r.ID = tenant, h.nameOf(l, v, siblings)
	if !l.Life.Row.IsZero() {
		r.Tenant, r.ID = l.Life.RowTenant, l.Life.Row.ID
		r.By[call.FieldCallEndSubReason] = r.By[call.FieldDuration] // an earlier outcome may have had a subcode
		if r.By[call.FieldEnd] == l.Told {
			return r, nil
		}
	}
	have, err := h.in.store.Row(ctx, r.Tenant, r.ID)
	switch {
	case errors.Is(err, call.ErrNotFound):
		return r, nil
	case err != nil:
		return r, fmt.Errorf("look up row %v: %w", r.ID, err)
	}
	if l.Meet(&r, &have) {
		h.another++
	}
	return r, nil
}

// settledBy reports whether a message has told how the call of a leg went, to the leg or to another
// source's.
func settledBy(l *held, siblings []*held) bool {
	return l.Life.Settled || slices.ContainsFunc(siblings, func(o *held) bool { return o.Life.Settled })
}

// nameOf returns the id of the row of a leg: that of the row that another source's leg has made, or
// the one that Microsoft gave and any of them has heard, or the leg's own.
func (h *hearing) nameOf(l *held, v *leg.View, siblings []*held) call.GUID {
	for _, o := range siblings {
		if !o.Life.Row.IsZero() {
			return o.Life.Row.ID
		}
	}
	if l.Nameless(v) {
		for _, o := range siblings {
			if w := h.view(o); !o.Nameless(&w) {
				return o.RowID(w.Outbound)
			}
		}
	}
	return l.RowID(v.Outbound)
}
