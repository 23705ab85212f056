package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// conclude makes a row of a leg, or amends the one that it has become.
func (h *hearing) conclude(ctx context.Context, l *leg, v *view, now time.Time, n *news) error {
	others, siblings := h.recent.partners(l), h.siblings(l)
	main := l.mainOf(v, others)
	if l.life.closed.IsZero() {
		l.life.closed = now
	}
	l.life.changed = false
	switch {
	case main != nil:
		n.what = otherLeg
		if l.life.partOf == main.id {
			n.what = nothingNew
		}
		l.life.partOf = main.id
		h.link(main, l)
		return nil
	case !l.life.partOf.IsZero() && l.life.row.IsZero():
		return nil // of a call that is over
	case v.facing == notFacing, v.facing == maybeFacing && l.life.row.IsZero() && h.setAside(l):
		if n.was.closed.IsZero() {
			n.what = elsewhere
			if v.facing == maybeFacing {
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
	told := r.By[call.FieldEnd] == l.told
	if settled := settledBy(l, siblings); settled && !told {
		return nil // what is only concluded does not stand against what was told
	} else if l.life.settled {
		raise(&r, l.told)
	}
	n.what = amendedRow
	if l.life.row.IsZero() {
		n.what = newRow
		l.life.row, l.life.rowTenant = r.Cursor(), r.Tenant
	}
	l.life.inferred, l.life.settled, l.life.partOf = !v.ended(), told, call.GUID{}
	h.batch.Rows = append(h.batch.Rows, r)
	n.row = len(h.batch.Rows)
	h.link(l, l)
	h.lead(l, siblings)
	for _, o := range others {
		w := o.view()
		if o.life.partOf == l.id || o.life.partOf.IsZero() && w.facing < v.facing && o.mainOf(&w, h.recent.partners(o)) == l {
			h.link(l, o)
		}
	}
	return nil
}

// valid reports whether a row can be kept. Texts were cut to size before, so that
// only times can be beyond what is possible.
func valid(r *call.Row) bool { return r.Check() == nil }

// link says in the batch that the messages of a leg belong to the row of the
// main leg, which may be the same one, if there is a row.
func (h *hearing) link(main, l *leg) {
	if !h.in.keepSIP || main.life.row.IsZero() {
		return
	}
	l.life.linked = true
	h.batch.Legs = append(h.batch.Legs, call.Leg{
		Tenant: main.life.rowTenant, Row: main.life.row, ID: l.id, Main: l == main, From: l.first.time(), To: l.last.time(),
	})
}

// rowOf returns the row of a leg, under the id that it has already. What other
// sources have heard of the call is theirs to say: see [call.Row.Fold].
func (h *hearing) rowOf(ctx context.Context, l *leg, v *view, others, siblings []*leg) (r call.Row, err error) {
	trunk, tenant := h.in.trunkOf(l, v.trunks)
	plan := func(number string) string { return h.in.number(trunk, number) }
	r = l.row(v, plan)
	for _, o := range others {
		o.fill(&r, inference(l.told), plan)
	}
	if trunk != "" {
		r.Trunk, r.By[call.FieldTrunk] = clip(trunk), l.told
	}
	r.Tenant, r.ID = tenant, l.nameOf(v, siblings)
	if !l.life.row.IsZero() {
		r.Tenant, r.ID = l.life.rowTenant, l.life.row.ID
		r.By[call.FieldCallEndSubReason] = r.By[call.FieldDuration] // the one before may have had a subcode
		if r.By[call.FieldEnd] == l.told {
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
	h.meet(l, &r, &have)
	return r, nil
}

// meet makes the row of a leg one that agrees with what was heard of the call before
// by the same source, which has forgotten it, or by another.
func (h *hearing) meet(l *leg, r, have *call.Row) {
	said := func(w call.Witness, f call.Field) bool { return have.HasSaid(w, l.source, f) }
	heard := have.By[call.FieldDuration]
	if r.By[call.FieldEnd] != l.told && (heard.Kind() == call.SIP || said(l.told, call.FieldEnd)) {
		// What is only concluded does not stand against what was told.
		for _, f := range slices.Concat(outcomes, []call.Field{call.FieldStart, call.FieldInvite, call.FieldCallEndSubReason}) {
			r.By[f] = 0
		}
	} else if said(l.told, call.FieldCallEndSubReason) || said(inference(l.told), call.FieldCallEndSubReason) {
		r.By[call.FieldCallEndSubReason] = r.By[call.FieldDuration]
	}
	if heard.Kind() == call.SIP && have.Source != l.source && !sameClock(r, have) {
		h.another++
	}
}

// settledBy reports whether a message has told how the call went whose row a leg,
// or another source's, has made.
func settledBy(l *leg, siblings []*leg) bool {
	return l.life.settled || slices.ContainsFunc(siblings, func(o *leg) bool { return o.life.settled })
}

// raise gives how a call went, as a whole, the given witness: a part of it that was
// concluded must not leave in its place what another one has told before.
func raise(r *call.Row, w call.Witness) {
	for _, f := range outcomes {
		r.By[f] = w
	}
	r.By[call.FieldCallEndSubReason] = w
}

// nameOf returns the id of the row of a leg: that under which another source's leg
// is in the log, or the one that Microsoft gave, whoever has heard it.
func (l *leg) nameOf(v *view, siblings []*leg) call.GUID {
	for _, o := range siblings {
		if !o.life.row.IsZero() {
			return o.life.row.ID
		}
	}
	if l.nameless(v) {
		for _, o := range siblings {
			if w := o.view(); !o.nameless(&w) {
				return o.rowID(w.outbound)
			}
		}
	}
	return l.rowID(v.outbound)
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

// trunkOf returns the host name of a leg's trunk and the tenant that owns it: of
// the names that it may have, the first that a tenant owns.
func (in *Ingest) trunkOf(l *leg, hosts []string) (trunk string, tenant call.GUID) {
	tenant = l.tenant
	for _, host := range hosts {
		owner, ok := in.tenant(host)
		switch {
		case !ok:
		case tenant.IsZero():
			return host, owner
		case owner == tenant:
			return host, tenant
		}
	}
	switch {
	case l.trunk != "":
		trunk = l.trunk
	case len(hosts) > 0:
		trunk = hosts[0]
	}
	if tenant.IsZero() {
		var ok bool
		if tenant, ok = in.tenant(trunk); !ok {
			tenant = call.Unassigned
		}
	}
	return trunk, tenant
}
