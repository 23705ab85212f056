package ingest

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// wait has a leg looked at when nothing has been heard of it for a moment.
func (h *hearing) wait(l *leg) {
	if !l.life.waiting {
		l.life.waiting, l.life.queued = true, time.Time{}
		if !l.life.recorded {
			l.life.queued = l.life.heard
		}
		h.settles.push(l)
	}
}

// concludeDue concludes the legs whose time has come, and reports whether there
// are more of them than one round can take.
func (h *hearing) concludeDue(ctx context.Context, now time.Time) (more bool, err error) {
	for len(h.news) < maxPerRound {
		l := h.settles.first()
		if l == nil || l.life.queued.Add(h.times.Settle).After(now) {
			break
		}
		h.settles.pop()
		l.life.waiting = false
		if err := h.consider(ctx, l, now, false); err != nil {
			return false, err
		}
	}
	for len(h.news) < maxPerRound {
		l := h.later.first()
		crowded := h.stats.Held > maxLegs
		if l == nil || l.life.due.After(now) && !crowded {
			return false, nil
		}
		h.later.remove(l)
		if err := h.consider(ctx, l, now, crowded); err != nil {
			return false, err
		}
	}
	return true, nil
}

// restart ends the calls of an SBC that has restarted. If the trunk is named,
// those are its calls that any source of the tenant's has heard; if not, all that
// the source itself has.
func (h *hearing) restart(sink *Sink, trunk string) {
	for source, legs := range h.legs {
		for _, l := range legs {
			if l.life.closed.IsZero() && h.carried(l, sink, source, trunk) {
				l.life.cut = true
				h.soil(l)
				h.wait(l)
			}
		}
	}
}

// carried reports whether a restart that a sink tells of ends the call of a leg.
func (h *hearing) carried(l *leg, sink *Sink, source, trunk string) bool {
	if trunk == "" {
		return source == sink.source
	}
	v := l.view()
	if l.trunk != trunk && !slices.Contains(v.trunks, trunk) {
		return false
	}
	_, tenant := h.in.trunkOf(l, v.trunks)
	return source == sink.source || tenant == sink.tenant
}

// flush has all recorded legs of a source looked at.
func (h *hearing) flush(source string) {
	for _, l := range h.legs[source] {
		if l.life.recorded {
			h.wait(l)
		}
	}
}

// A recording of millions of calls does not fit into memory. When many legs are
// held, those of them are concluded that were over a while before the last
// message, by the recording's own clock.
const (
	manyLegs   = 50_000
	sweepEvery = time.Minute
)

// sweep does that; last is the time of the last message.
func (h *hearing) sweep(ctx context.Context, last time.Time) error {
	if h.stats.Held < manyLegs || last.Sub(h.swept) < sweepEvery {
		return nil
	}
	h.swept = last
	for _, legs := range h.legs {
		for _, l := range legs {
			if !l.life.recorded || l.life.waiting {
				continue
			}
			if err := h.consider(ctx, l, last.Add(-sweepEvery), false); err != nil {
				return err
			}
		}
	}
	return nil
}

// consider concludes a leg if its time has come, and else says when it will. It
// is forced to conclude and forget a leg if there are too many.
func (h *hearing) consider(ctx context.Context, l *leg, now time.Time, force bool) error {
	v := l.view()
	if due := h.due(l, &v); due.After(now) && !force {
		h.later.set(l, due)
		return nil
	}
	n := news{l: l, was: l.life}
	var err error
	switch {
	case l.life.closed.IsZero(), l.life.changed:
		err = h.conclude(ctx, l, &v, now, &n)
	default:
		n.forget = true
	}
	if err != nil {
		h.wait(l)
		return err
	}
	if force {
		n.forget, n.crowded = true, n.was.closed.IsZero()
	}
	h.news = append(h.news, n)
	h.closed += int64(btoi(!l.life.closed.IsZero())) - int64(btoi(!n.was.closed.IsZero()))
	if !n.forget {
		h.soil(l)
		h.later.set(l, h.due(l, &v))
	}
	return nil
}

// due returns when something is to be done about a leg if nothing more is heard
// of it.
func (h *hearing) due(l *leg, v *view) time.Time {
	t, life := &h.times, &l.life
	// A message that is repeated puts nothing off, or a sender that repeats what
	// it does not find in the log would never find it.
	settled, heard := h.listened(l, life.learned).Add(t.Settle), h.listened(l, life.heard)
	switch {
	case !life.closed.IsZero() && life.changed:
		return settled
	case !life.closed.IsZero() && life.inferred:
		return life.closed.Add(t.Late)
	case !life.closed.IsZero():
		return h.listened(l, life.closed).Add(t.Linger)
	case life.cut:
		return settled
	case v.ended() && v.again():
		return heard.Add(t.Retry)
	case v.ended():
		return settled
	case v.invite == nil && (v.final != nil || !v.bye.at.IsZero()), !v.established() && !v.bye.at.IsZero():
		if l.nameless(v) {
			return heard.Add(t.Nameless)
		}
		return heard.Add(t.Orphan)
	case v.established():
		return h.openUntil(l)
	case !v.cancel.at.IsZero():
		return heard.Add(t.Cancel)
	}
	return heard.Add(t.Ring)
}

// listened returns the time from which silence counts for a leg: when it was
// last heard of, or when somebody began to listen after that. A sender may have
// spoken while nobody did, or repeat what got lost.
func (h *hearing) listened(l *leg, heard time.Time) time.Time {
	if l.life.recorded {
		return heard
	}
	return lastOf(heard, h.since)
}

// openUntil returns when a call that has not ended is given up.
func (h *hearing) openUntil(l *leg) time.Time {
	limit := l.life.opened.Add(h.times.Open)
	if n := l.timer.seconds; n > 0 {
		return firstOf(limit, l.life.heard.Add(2*time.Duration(max(n, 90))*time.Second)) // 90 s is the least (RFC 4028, section 5)
	}
	return limit
}

// conclude makes a row of a leg, or amends the one that it has become.
func (h *hearing) conclude(ctx context.Context, l *leg, v *view, now time.Time, n *news) error {
	others := h.recent.partners(l)
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
	case !l.life.partOf.IsZero():
		return nil // of a call that is over
	case v.facing == notFacing, v.facing == maybeFacing && l.life.row.IsZero() && h.recent.echo(l):
		if n.was.closed.IsZero() {
			n.what = elsewhere
		}
		return nil
	}
	r, err := h.rowOf(ctx, l, v, others)
	if err != nil {
		return err
	}
	if !valid(&r) {
		n.what = rejected
		return nil
	}
	n.what = amendedRow
	if l.life.row.IsZero() {
		n.what = newRow
		l.life.row, l.life.rowTenant = r.Cursor(), r.Tenant
	}
	l.life.inferred = !v.ended()
	h.batch.Rows = append(h.batch.Rows, r)
	h.link(l, l)
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

// rowOf returns the row of a leg, under the id and place that it has already.
func (h *hearing) rowOf(ctx context.Context, l *leg, v *view, others []*leg) (call.Row, error) {
	trunk, tenant := h.in.trunkOf(l, v.trunks)
	plan := func(number string) string { return h.in.number(trunk, number) }
	r := l.row(v, plan)
	for _, o := range others {
		o.fill(&r, inference(l.told), plan)
	}
	if trunk != "" {
		r.Trunk, r.By[call.FieldTrunk] = clip(trunk), l.told
	}
	r.Tenant, r.ID = tenant, l.rowID(v.outbound)
	if !l.life.row.IsZero() {
		r.Tenant, r.ID = l.life.rowTenant, l.life.row.ID
		return r, nil
	}
	have, err := h.in.store.Row(ctx, r.Tenant, r.ID)
	switch {
	case errors.Is(err, call.ErrNotFound):
		return r, nil
	case err != nil:
		return r, fmt.Errorf("look up row %v: %w", r.ID, err)
	}
	if v.invite == nil {
		l.lateFacts(&r, &have)
	}
	r.Start = have.Start // its place
	return r, nil
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

// A fifo holds the legs that were heard of just now, in the order in which they
// were.
type fifo struct {
	legs []*leg
	head int
}

func (q *fifo) push(l *leg) { q.legs = append(q.legs, l) }

func (q *fifo) first() *leg {
	if q.head == len(q.legs) {
		return nil
	}
	return q.legs[q.head]
}

func (q *fifo) pop() {
	q.legs[q.head] = nil
	q.head++
	if q.head > 1024 && q.head > len(q.legs)/2 {
		q.legs = append(q.legs[:0], q.legs[q.head:]...)
		q.head = 0
	}
}

// A dueHeap holds the legs that are due later.
type dueHeap []*leg

func (q dueHeap) Len() int           { return len(q) }
func (q dueHeap) Less(i, j int) bool { return q[i].life.due.Before(q[j].life.due) }
func (q dueHeap) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].life.place, q[j].life.place = i+1, j+1
}

// Push implements [heap.Interface].
func (q *dueHeap) Push(x any) {
	l := x.(*leg) //nolint:forcetypeassert // nothing else is put in
	*q = append(*q, l)
	l.life.place = len(*q)
}

// Pop implements [heap.Interface].
func (q *dueHeap) Pop() any {
	last := len(*q) - 1
	l := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	l.life.place = 0
	return l
}

func (q *dueHeap) first() *leg {
	if len(*q) == 0 {
		return nil
	}
	return (*q)[0]
}

func (q *dueHeap) set(l *leg, due time.Time) {
	l.life.due = due
	if l.life.place > 0 {
		heap.Fix(q, l.life.place-1)
		return
	}
	heap.Push(q, l)
}

func (q *dueHeap) remove(l *leg) {
	if l.life.place > 0 {
		heap.Remove(q, l.life.place-1)
	}
}
