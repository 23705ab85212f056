package ingest

import (
	"context"
	"runtime"
	"time"

	"github.com/trunklog/trunklog/ingest/leg"
)

// wait queues a leg, so that a round considers it when its messages have settled.
func (h *hearing) wait(l *held) {
	if !l.waiting {
		l.waiting, l.queued = true, time.Time{}
		if !l.Life.Recorded {
			l.queued = l.Life.Heard
		}
		h.settles.push(l)
	}
}

// concludeDue considers the legs whose time has come, and reports whether there are more than one
// round can take. The sources take turns, so that many calls of one that end at once do not delay
// those of others.
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
		l.waiting = false
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
		if l == nil || l.due.After(now) {
			return more, nil
		}
		h.later.remove(l)
		if err := h.consider(ctx, l, now, false); err != nil {
			return false, err
		}
	}
	return true, nil
}

// crowding returns a leg of the source that has the most, so that its calls without end push out no
// other source's. Of 16 of its legs at most it returns the one that is due first, and nil if all of
// them are queued already.
func (h *hearing) crowding() (first *held) {
	var most *dialogs
	for _, d := range h.legs {
		if most == nil || d.n > most.n {
			most = d
		}
	}
	n := 0
	for l := range most.all {
		if l.place == 0 {
			continue // it is queued for concludeDue already
		}
		if first == nil || l.due.Before(first.due) {
			first = l
		}
		if n++; n == 16 {
			break
		}
	}
	return first
}

// flush queues all recorded legs of a source.
func (h *hearing) flush(source string) {
	for l := range h.legs[source].all {
		if l.Life.Recorded {
			h.notice(l, true)
			h.wait(l)
		}
	}
}

// A recording of millions of calls does not fit into memory. When there are many legs, sweep
// considers the recorded ones by the recording's own clock, sweepEvery behind the last message.
const (
	manyLegs   = 50_000
	sweepEvery = time.Minute
)

// sweep does that once in sweepEvery; last is the time of the last message.
func (h *hearing) sweep(ctx context.Context, last time.Time) error {
	if h.stats.Held < manyLegs || last.Sub(h.swept) < sweepEvery {
		return nil
	}
	h.swept = last
	for _, d := range h.legs {
		for l := range d.all {
			if !l.Life.Recorded || l.waiting {
				continue
			}
			if err := h.consider(ctx, l, last.Add(-sweepEvery), false); err != nil {
				return err
			}
		}
	}
	return nil
}

// consider concludes a leg if its time has come, and otherwise notes when it will. With force it
// concludes the leg at once and forgets it, since there are too many.
func (h *hearing) consider(ctx context.Context, l *held, now time.Time, force bool) error {
	if l.Life.Recorded {
		now = now.Add(h.behind) // a recording does not wait for our disk
	}
	v := h.view(l)
	h.follow(l)
	if due := h.due(l, &v); due.After(now) && !force {
		h.wake(l, due)
		return nil
	}
	n := news{l: l, was: l.Life}
	var err error
	switch {
	case l.Life.Closed.IsZero(), l.Life.Changed:
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
		n.forget, n.crowded = true, n.was.Closed.IsZero()
	}
	h.news = append(h.news, n)
	h.closed += int64(btoi(!l.Life.Closed.IsZero())) - int64(btoi(!n.was.Closed.IsZero()))
	if n.was.Closed.IsZero() {
		h.over(l)
		h.leaveTrunks(l)
	}
	if !n.forget {
		h.soil(l)
		h.wake(l, h.due(l, &v))
	}
	return nil
}

// wake notes that a leg is to be considered at the given time.
func (h *hearing) wake(l *held, due time.Time) {
	l.due = due
	h.later.set(l)
}

// due returns when a leg is to be concluded or forgotten if no further message comes.
func (h *hearing) due(l *held, v *leg.View) time.Time {
	t, life := &h.times, &l.Life
	// A repeated message delays nothing. Otherwise a sender that repeats what it does not find in
	// the log would never find it.
	learned, heard := h.listened(l, l.learned), h.listened(l, life.Heard)
	settled := learned.Add(t.Settle)
	switch {
	case !life.Closed.IsZero() && life.Changed && (v.Ended() || life.Cut):
		return settled
	case !life.Closed.IsZero() && !life.Changed && life.Inferred:
		return life.Closed.Add(t.Late)
	case !life.Closed.IsZero() && !life.Changed:
		return h.listened(l, life.Closed).Add(t.Linger)
	case life.Cut:
		return settled
	case v.Ended():
		return h.endedDue(l, v, learned)
	case v.Halved():
		if l.Nameless(v) {
			return learned.Add(t.Nameless)
		}
		return leg.LastOf(learned.Add(t.Orphan), h.doubtful(l, v))
	case v.Established():
		return h.openUntil(l)
	case v.Cancelled():
		return learned.Add(t.Cancel)
	case v.Rang():
		return heard.Add(t.Early)
	}
	return heard.Add(t.Ring)
}

// endedDue returns when the row of a call that is over is to be made if no further message comes:
// when its messages have settled, the caller can no longer ask again, and it is clear whether it is
// a call of Microsoft's and when it ended.
func (h *hearing) endedDue(l *held, v *leg.View, learned time.Time) time.Time {
	due := learned.Add(h.times.Settle)
	if wait := v.Again(h.times.Retry, h.times.Next); wait > 0 {
		due = leg.LastOf(due, learned.Add(wait))
	}
	if l.Life.Row.IsZero() {
		due = leg.LastOf(due, h.doubtful(l, v))
		if v.Lacking {
			due = leg.LastOf(due, learned.Add(h.times.Orphan))
		}
		if h.awaited(l) {
			due = leg.LastOf(due, learned.Add(h.times.Doubt))
		}
	}
	return due
}

// doubtful returns until when another leg may yet show that a leg that may face Microsoft does not:
// the one that surely does may come a while later. It is zero if there is no doubt.
func (h *hearing) doubtful(l *held, v *leg.View) time.Time {
	if v.Facing != leg.MaybeFacing || !l.Life.Row.IsZero() || h.setAside(l) {
		return time.Time{}
	}
	return h.listened(l, l.learned).Add(h.times.Doubt)
}

// listened returns the time from which silence counts for a leg: that of its last message, or of
// the start of the server if that is later. A sender may have sent messages while the server was
// down, or repeat those that got lost.
func (h *hearing) listened(l *held, heard time.Time) time.Time {
	if l.Life.Recorded {
		return heard
	}
	return leg.LastOf(heard, h.since)
}

// openUntil returns when the server gives up a call that has not ended.
func (h *hearing) openUntil(l *held) time.Time {
	limit := l.Life.Opened.Add(h.times.Open)
	if n := l.Refresh(); n > 0 {
		return leg.FirstOf(limit, l.Life.Heard.Add(2*time.Duration(max(n, 90))*time.Second)) // 90 s is the least (RFC 4028, section 5)
	}
	return limit
}

// While a round waits for its disk no message is read, and those that come lie in a socket. That is
// no silence of the sender, so the clock by which calls end stands still in a round that takes
// longer than stall. Afterwards it runs a tenth faster until it is right again. With a disk that is
// always slow, rows are late by maxBehind at most.
const (
	stall     = 100 * time.Millisecond
	maxBehind = 10 * time.Second
	gain      = 10
)

// listens returns the time by that clock at the begin of a round.
func (h *hearing) listens(now time.Time) time.Time {
	h.behind = max(0, h.behind-max(0, now.Sub(h.ended))/gain)
	return now.Add(-h.behind)
}

// stalled notes the end of a round, and puts the clock back by the round's time if it was long.
func (h *hearing) stalled(began time.Time) {
	h.ended = h.in.now()
	if took := h.ended.Sub(began); took > stall {
		h.behind = min(h.behind+took, maxBehind)
	}
}
