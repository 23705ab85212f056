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
// are more of them than one round can take. The sources take turns, so that the
// calls of one that end all at once do not hold up those of others.
func (h *hearing) concludeDue(ctx context.Context, now time.Time) (more bool, err error) {
	settled := now.Add(-h.times.Settle)
	for n := 0; ; n++ {
		l := h.settles.next(settled)
		if l == nil {
			break
		}
		if n == maxPerRound {
			h.settles.putBack(l)
			more = true
			break
		}
		l.life.waiting = false
		if err := h.consider(ctx, l, now, false); err != nil {
			return false, err
		}
	}
	for range maxPerRound {
		l := h.later.first()
		crowded := h.stats.Held > maxLegs
		if l == nil || l.life.due.After(now) && !crowded {
			return more, nil
		}
		h.later.remove(l)
		if err := h.consider(ctx, l, now, crowded); err != nil {
			return false, err
		}
	}
	return true, nil
}

// flush has all recorded legs of a source looked at.
func (h *hearing) flush(source string) {
	for _, l := range h.legs[source] {
		if l.life.recorded {
			h.notice(l, true)
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
	h.follow(l)
	if due := h.due(l, &v); due.After(now) && !force {
		h.wake(l, due)
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
	if n.was.closed.IsZero() {
		h.over(l)
		h.leaveTrunks(l)
	}
	if !n.forget {
		h.soil(l)
		h.wake(l, h.due(l, &v))
	}
	return nil
}

// wake has a leg considered at the given time.
func (h *hearing) wake(l *leg, due time.Time) {
	l.life.due = due
	h.later.set(l)
}

// due returns when something is to be done about a leg if nothing more is heard
// of it.
func (h *hearing) due(l *leg, v *view) time.Time {
	t, life := &h.times, &l.life
	// A message that is repeated puts nothing off, or a sender that repeats what
	// it does not find in the log would never find it.
	learned, heard := h.listened(l, life.learned), h.listened(l, life.heard)
	settled := learned.Add(t.Settle)
	switch {
	case !life.closed.IsZero() && life.changed && (v.ended() || life.cut):
		return settled
	case !life.closed.IsZero() && !life.changed && life.inferred:
		return life.closed.Add(t.Late)
	case !life.closed.IsZero() && !life.changed:
		return h.listened(l, life.closed).Add(t.Linger)
	case life.cut:
		return settled
	case v.ended():
		return h.endedDue(l, v, learned)
	case v.invite == nil && (v.final != nil || !v.bye.at.IsZero()), !v.established() && !v.bye.at.IsZero():
		if l.nameless(v) {
			return learned.Add(t.Nameless)
		}
		return lastOf(learned.Add(t.Orphan), h.doubtful(l, v))
	case v.established():
		return h.openUntil(l)
	case !v.cancel.at.IsZero():
		return learned.Add(t.Cancel)
	case !v.rang.IsZero():
		return heard.Add(t.Early)
	}
	return heard.Add(t.Ring)
}

// endedDue returns when a row is made of a call that is over, if nothing more is
// heard of it: once its messages have settled, nobody will ask again, and it is
// known whether it is a call of Microsoft's at all and when it ended.
func (h *hearing) endedDue(l *leg, v *view, learned time.Time) time.Time {
	due := learned.Add(h.times.Settle)
	if wait := v.again(&h.times); wait > 0 {
		due = lastOf(due, learned.Add(wait))
	}
	if l.life.row.IsZero() {
		due = lastOf(due, h.doubtful(l, v))
		if h.awaited(l) {
			due = lastOf(due, learned.Add(h.times.Doubt))
		}
	}
	return due
}

// doubtful returns until when it is not known whether a leg that may face
// Microsoft is set aside: what surely does may come a while after it. It is zero if
// there is no doubt.
func (h *hearing) doubtful(l *leg, v *view) time.Time {
	if v.facing != maybeFacing || !l.life.row.IsZero() || h.setAside(l) {
		return time.Time{}
	}
	return h.listened(l, l.life.learned).Add(h.times.Doubt)
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

// A turns holds the legs that were heard of just now, of each source in the order
// in which they were.
type turns struct {
	sources map[string]*fifo
	order   []*fifo // of those that have legs
	at      int     // whose turn it is
}

// A fifo holds legs of one source.
type fifo struct {
	legs []*leg
	head int
}

func (q *turns) push(l *leg) {
	if q.sources == nil {
		q.sources = make(map[string]*fifo)
	}
	f := q.sources[l.source]
	if f == nil {
		f = &fifo{}
		q.sources[l.source] = f
	}
	if f.empty() {
		q.order = append(q.order, f)
	}
	f.legs = append(f.legs, l)
}

// next takes out the next leg that was heard of last at the given time or before,
// and returns nil if no source has one.
func (q *turns) next(until time.Time) *leg {
	for range len(q.order) {
		if q.at >= len(q.order) {
			q.at = 0
		}
		f := q.order[q.at]
		l := f.legs[f.head]
		if l.life.queued.After(until) {
			q.at++
			continue
		}
		if f.pop(); f.empty() {
			q.order = slices.Delete(q.order, q.at, q.at+1)
		} else {
			q.at++
		}
		return l
	}
	return nil
}

// putBack makes a leg that was taken out the next one of its source.
func (q *turns) putBack(l *leg) {
	f := q.sources[l.source]
	if f.empty() {
		q.order = append(q.order, f)
	}
	f.legs = slices.Insert(f.legs, f.head, l)
}

func (q *fifo) empty() bool { return q.head == len(q.legs) }

func (q *fifo) pop() {
	q.legs[q.head] = nil
	q.head++
	if q.empty() || q.head > 1024 && q.head > len(q.legs)/2 {
		q.legs = append(q.legs[:0], q.legs[q.head:]...)
		q.head = 0
	}
}

// A legHeap holds legs, the least one first. Each knows its place in it, from 1 on;
// 0 is none.
type legHeap struct {
	legs  []*leg
	less  func(a, b *leg) bool
	place func(l *leg) *int
}

func (q *legHeap) Len() int           { return len(q.legs) }
func (q *legHeap) Less(i, j int) bool { return q.less(q.legs[i], q.legs[j]) }
func (q *legHeap) Swap(i, j int) {
	q.legs[i], q.legs[j] = q.legs[j], q.legs[i]
	*q.place(q.legs[i]), *q.place(q.legs[j]) = i+1, j+1
}

// Push implements [heap.Interface].
func (q *legHeap) Push(x any) {
	l := x.(*leg) //nolint:forcetypeassert // nothing else is put in
	q.legs = append(q.legs, l)
	*q.place(l) = len(q.legs)
}

// Pop implements [heap.Interface].
func (q *legHeap) Pop() any {
	last := len(q.legs) - 1
	l := q.legs[last]
	q.legs[last] = nil
	q.legs = q.legs[:last]
	*q.place(l) = 0
	return l
}

func (q *legHeap) first() *leg {
	if len(q.legs) == 0 {
		return nil
	}
	return q.legs[0]
}

// set puts a leg in, or where it belongs now.
func (q *legHeap) set(l *leg) {
	if at := *q.place(l); at > 0 {
		heap.Fix(q, at-1)
		return
	}
	heap.Push(q, l)
}

func (q *legHeap) remove(l *leg) {
	if at := *q.place(l); at > 0 {
		heap.Remove(q, at-1)
	}
}
