package ingest

import (
	"context"
	"runtime"
	"time"
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
	for range min(h.stats.Held-h.most, maxPerRound) {
		l := h.crowding()
		if l == nil {
			break
		}
		h.later.remove(l)
		if err := h.consider(ctx, l, now, true); err != nil {
			return false, err
		}
	}
	for range maxPerRound {
		l := h.later.first()
		if l == nil || l.life.due.After(now) {
			return more, nil
		}
		h.later.remove(l)
		if err := h.consider(ctx, l, now, false); err != nil {
			return false, err
		}
	}
	return true, nil
}

// crowding returns a leg of the source that has most, so that calls without end hold
// up nobody else's: of some of its legs the one that is due first.
func (h *hearing) crowding() (first *leg) {
	var most map[string]*leg
	for _, legs := range h.legs {
		if len(legs) > len(most) {
			most = legs
		}
	}
	n := 0
	for _, l := range most {
		if l.life.place == 0 {
			continue // it is looked at in this round anyway
		}
		if first == nil || l.life.due.Before(first.life.due) {
			first = l
		}
		if n++; n == 16 {
			break
		}
	}
	return first
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
	if l.life.recorded {
		now = now.Add(h.behind) // nobody listens to it
	}
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
		if len(h.news)%(breath/4) == 0 {
			runtime.Gosched()
		}
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
		if v.lacking {
			due = lastOf(due, learned.Add(h.times.Orphan))
		}
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

// While a round waits for its disk nobody listens, and what is told of a call lies in a
// socket. That is no silence: the clock by which calls are over stands still in such
// rounds. It gains a tenth until it is right again, and a disk that is always slow makes
// rows that are late by maxBehind and no more.
const (
	stall     = 100 * time.Millisecond
	maxBehind = 10 * time.Second
	gain      = 10
)

// listens returns the time by the clock that stands still while nobody listens, at the
// begin of a round.
func (h *hearing) listens(now time.Time) time.Time {
	h.behind = max(0, h.behind-max(0, now.Sub(h.ended))/gain)
	return now.Add(-h.behind)
}

// stalled takes note of the end of a round, and of how long it took.
func (h *hearing) stalled(began time.Time) {
	h.ended = h.in.now()
	if took := h.ended.Sub(began); took > stall {
		h.behind = min(h.behind+took, maxBehind)
	}
}
