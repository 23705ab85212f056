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
	if main == nil {
		main = h.headOf(l, v, siblings)
	}
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
		h.teach(main, l)
		return nil
	case !l.life.partOf.IsZero() && l.life.row.IsZero() && !slices.ContainsFunc(siblings, func(o *leg) bool { return o.id == l.life.partOf }):
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
	r, at, err := h.rowOf(ctx, l, v, others, siblings)
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
	} else if settled {
		raise(&r, l.told)
	}
	n.what = amendedRow
	if l.life.row.IsZero() {
		n.what = newRow
		l.life.row, l.life.rowTenant = call.Cursor{Start: at, ID: r.ID}, r.Tenant
	}
	l.life.inferred, l.life.settled, l.life.partOf = !v.ended(), told, call.GUID{}
	h.batch.Rows = append(h.batch.Rows, r)
	n.row = len(h.batch.Rows)
	h.link(l, l)
	h.claim(l, siblings)
	for _, o := range slices.Concat(others, siblings) {
		w := o.view()
		if o.life.partOf == l.id || o.life.partOf.IsZero() && w.facing < v.facing && o.source == l.source && o.mainOf(&w, h.recent.partners(o)) == l {
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

// rowOf returns the row of a leg, under the id that it has already, and its place:
// the start under which it is, or will be, in the log.
func (h *hearing) rowOf(ctx context.Context, l *leg, v *view, others, siblings []*leg) (r call.Row, at time.Time, err error) {
	trunk, tenant := h.in.trunkOf(l, v.trunks)
	plan := func(number string) string { return h.in.number(trunk, number) }
	r = l.row(v, plan)
	for _, o := range others {
		o.fill(&r, inference(l.told), plan)
	}
	if trunk != "" {
		r.Trunk, r.By[call.FieldTrunk] = clip(trunk), l.told
	}
	l.adoptAll(&r, siblings, plan)
	r.Tenant, r.ID = tenant, l.nameOf(v, siblings)
	if !l.life.row.IsZero() {
		r.Tenant, r.ID = l.life.rowTenant, l.life.row.ID
		return instead(r, l.life.row.Start), l.life.row.Start, nil
	}
	for _, o := range siblings {
		if have := &o.life; !have.row.IsZero() { // it may not be written yet
			r.Tenant = have.rowTenant
			return instead(r, have.row.Start), have.row.Start, nil
		}
	}
	have, err := h.in.store.Row(ctx, r.Tenant, r.ID)
	switch {
	case errors.Is(err, call.ErrNotFound):
		return r, r.Start, nil
	case err != nil:
		return r, at, fmt.Errorf("look up row %v: %w", r.ID, err)
	}
	if v.invite == nil {
		l.lateFacts(&r, &have)
	}
	h.join(&r, &have)
	return r, have.Start, nil
}

// instead makes a row one that takes the place of what we have written before.
func instead(r call.Row, start time.Time) call.Row {
	place(&r, start)
	r.By[call.FieldCallEndSubReason] = r.By[call.FieldDuration] // the one before may have had a subcode
	return r
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

// join makes the row of a leg one that can be folded with the row of the same call
// that is in the log already, whoever has told that. When that one was heard, too,
// by another clock and by nobody who knows less, its times stay.
func (h *hearing) join(r, have *call.Row) {
	heard := have.By[call.FieldDuration]
	if heard.Kind() != call.SIP || heard < r.By[call.FieldDuration] || sameClock(r, have) {
		place(r, have.Start)
		return
	}
	h.another++
	for _, f := range slices.Concat(outcomes, []call.Field{call.FieldStart, call.FieldInvite, call.FieldCallEndSubReason}) {
		r.By[f] = 0
	}
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

// lateFacts makes the row of a few late messages one that agrees with the row
// that the others have become.
func (l *leg) lateFacts(r, have *call.Row) {
	r.By[call.FieldStart] = 0
	if !r.End.IsZero() {
		if d := r.End.Sub(have.Start); d > 0 {
			r.Duration, r.By[call.FieldDuration] = int32(d/time.Second), r.By[call.FieldEnd]
		}
	}
	if have.CallType != "" && have.By[call.FieldCallType].Kind() >= call.SIP {
		r.CallType, r.By[call.FieldCallType] = have.CallType, 0
		r.By[call.FieldCallEndSubReason] = 0
	}
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
