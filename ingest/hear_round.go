package ingest

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
)

// maxLegs is how many legs may be in memory. Beyond that a round closes calls of the source that
// has the most.
const maxLegs = 1_000_000

// maxPerRound is how many legs a round concludes, so that no caller waits long for it.
const maxPerRound = 500

// maxPerSource is how many events of one source a round takes.
const maxPerSource = 10_000

// breath is after how many messages, or a quarter as many legs, a round lets other goroutines run,
// which have little to do.
const breath = 64

// A news value records what a round has done about one leg, and what the leg was
// before. If the store refuses the batch, the round takes it back.
type news struct {
	l      *held
	was    leg.Life
	forget bool // the leg is to be forgotten
	what   outcome
	row    int // place of its row in the batch, from 1; 0: none
	// crowded says that the call was still open, and was closed because there were too many.
	crowded bool
}

type outcome uint8

const (
	nothingNew outcome = iota
	newRow
	amendedRow
	otherLeg
	elsewhere
	setAside
	rejected
)

// round folds the messages of all callers that wait, concludes what is due, and writes all of that
// in one batch. If that fails, no fact is lost: the legs have the facts, the next round writes
// them, and a caller that gets the error may put the same messages again.
func (h *hearing) round(ctx context.Context, all []*heard) error {
	began := h.in.now()
	now := h.listens(began)
	defer h.stalled(began)
	b := &h.batch
	b.Rows, b.Messages, b.Legs = b.Rows[:0], b.Messages[:0], b.Legs[:0]
	h.news = h.news[:0]
	var c heardCount
	for _, p := range all {
		for i := range p.events {
			if i%breath == breath-1 {
				runtime.Gosched()
			}
			if e := &p.events[i]; e.Kind == call.MessageEvent {
				h.hear(p.sink, e.Signal, now, &c)
			}
		}
	}
	for _, r := range restarts(all) {
		h.restart(r)
	}
	for _, p := range all {
		if p.flush {
			h.flush(p.sink.source)
		}
	}
	more, err := h.concludeDue(ctx, now)
	if err == nil {
		err = h.sweep(ctx, c.last)
	}
	var written call.Result
	if err == nil {
		written, err = h.write(ctx)
	}
	if err != nil {
		h.undo()
		return err
	}
	h.announce(ctx, written)
	h.finish(c, more)
	h.adopt(written)
	return nil
}

// adopt notes where the store has the rows of legs: another source may have told another start, or
// linking may have made a row part of another call's, which later messages then amend.
func (h *hearing) adopt(written call.Result) {
	for _, n := range h.news {
		if n.row == 0 || n.forget {
			continue
		}
		if at := written.Rows[n.row-1].Place; at.ID != n.l.Life.Row.ID || !at.Start.Equal(n.l.Life.Row.Start) {
			n.l.Life.Row = at
			h.soil(n.l)
		}
	}
}

type heardCount struct {
	messages, other, shared, refused uint64
	last                             time.Time
}

// hear folds one message.
func (h *hearing) hear(sink *Sink, s *call.Signal, now time.Time, c *heardCount) {
	l := h.legOf(sink, s, c)
	if l == nil {
		return
	}
	c.messages++
	if s.At.After(c.last) {
		c.last = s.At
	}
	arrived := now
	if l.Life.Recorded {
		arrived = s.At
	} else {
		h.tick(l.Source, s.At, now.Add(h.behind))
	}
	changed := l.Add(s)
	l.Life.Opened = leg.FirstOf(l.Life.Opened, arrived)
	l.Life.Heard = leg.LastOf(l.Life.Heard, arrived)
	if changed {
		l.Life.Changed, l.learned = true, leg.LastOf(l.learned, arrived)
		h.recent.add(l)
		h.notice(l, false) // whether it is over is looked at when it has settled
		if s.Method == "INVITE" || !l.Asked() {
			h.joinTrunks(l)
		}
	}
	if changed || l.Life.Heard.Sub(l.saved) > saveEvery {
		h.soil(l)
	}
	if h.in.keepSIP && s.Raw != nil {
		h.batch.Messages = append(h.batch.Messages, call.Message{
			Leg: l.ID, At: s.At, Src: s.Src, Dst: s.Dst, Transport: s.Transport, Raw: s.Raw,
		})
		if !l.Life.Closed.IsZero() && !l.Life.Linked {
			changed, l.Life.Changed = true, true // it was first heard when messages were not kept
			h.soil(l)
		}
	}
	if changed && !l.Life.Recorded {
		h.wait(l)
	}
}

// saveEvery is by how much the store may be behind in when a leg was last heard.
const saveEvery = time.Minute

// hold takes a leg into memory.
func (h *hearing) hold(l *held) {
	d := h.legs[l.Source]
	if d == nil {
		d = &dialogs{byCall: make(map[string]*held)}
		h.legs[l.Source] = d
	}
	d.add(l)
	l.Microsoft = h.in.peersOf(l.Source)
	h.recent.add(l)
	h.joinTrunks(l)
}

// soil marks a leg as dirty: the round must write it.
func (h *hearing) soil(l *held) {
	if !l.dirty {
		l.dirty = true
		h.dirty = append(h.dirty, l)
	}
}

// write writes the batch, and all legs that have changed.
func (h *hearing) write(ctx context.Context) (call.Result, error) {
	b := &h.batch
	b.State = nil
	if len(h.dirty) > 0 || len(h.news) > 0 {
		b.State = make(map[string][]byte, len(h.dirty)+len(h.news))
	}
	for _, n := range h.news {
		if n.forget {
			b.State[openName(n.l)] = nil
		}
	}
	var arena []byte
	for i, l := range h.dirty {
		if i%breath == breath-1 {
			runtime.Gosched()
		}
		name := openName(l)
		if _, gone := b.State[name]; gone {
			continue
		}
		from := len(arena)
		arena = l.Encode(arena)
		b.State[name] = arena[from:len(arena):len(arena)]
	}
	if len(b.Rows) == 0 && len(b.State) == 0 && len(b.Messages) == 0 && len(b.Legs) == 0 {
		return call.Result{}, nil
	}
	written, _, err := h.in.write(ctx, *b)
	return written, err
}

// undo takes back what the round has concluded. The next one does it again.
func (h *hearing) undo() {
	for _, n := range h.news {
		l := n.l
		h.closed -= int64(btoi(!l.Life.Closed.IsZero())) - int64(btoi(!n.was.Closed.IsZero()))
		l.Life = n.was
		if l.sure {
			h.notice(l, true)
		}
		h.joinTrunks(l)
		h.wait(l)
	}
}

// finish marks the legs as clean once the batch is written, and counts.
func (h *hearing) finish(c heardCount, more bool) {
	for _, l := range h.dirty {
		l.dirty = false
		l.saved = l.Life.Heard
	}
	clear(h.dirty)
	h.dirty = h.dirty[:0]
	for source, ahead := range h.publish(c, more) {
		h.in.clock(source, ahead)
	}
}

// publish counts what a round has done, drops the legs that it has forgotten, and returns the new
// clock offsets.
func (h *hearing) publish(c heardCount, more bool) map[string]time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &h.stats
	for _, n := range h.news {
		if n.what == newRow && !n.l.sure {
			h.aside(n.l).doubted[n.l] = struct{}{}
		}
		if n.forget {
			h.drop(n.l)
		}
		s.count(&n)
	}
	s.Echoes, s.Another = h.echoes, h.another
	s.Messages += c.messages
	s.Other += c.other
	s.Shared += c.shared
	s.Refused += c.refused
	if !c.last.IsZero() {
		s.Lag = max(0, h.in.now().Sub(c.last))
	}
	h.more = more
	h.recount()
	return h.noteOffsets()
}

func (s *HearStats) count(n *news) {
	if n.crowded {
		s.Crowded++
	}
	switch n.what {
	case newRow:
		s.Rows++
		if n.l.Life.Inferred {
			s.Inferred++
		}
	case amendedRow:
		s.Amended++
	case otherLeg:
		s.OtherLegs++
	case elsewhere:
		s.Elsewhere++
	case setAside:
		s.SetAside++
	case rejected:
		s.Rejected++
	}
}

// partsFinished counts n calls in parts that were finished without a last part; rows is how many of
// them made a row.
func (h *hearing) partsFinished(n, rows int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats.Rows += uint64(rows)         //nolint:gosec // not negative
	h.stats.Inferred += uint64(rows)     //nolint:gosec // not negative
	h.stats.Rejected += uint64(n - rows) //nolint:gosec // not negative
}

// recount counts the legs in memory.
func (h *hearing) recount() {
	h.stats.Held = 0
	for _, d := range h.legs {
		h.stats.Held += int64(d.n)
	}
	h.stats.Open = h.stats.Held - h.closed
}

// drop removes a leg from memory.
func (h *hearing) drop(l *held) {
	if d := h.legs[l.Source]; d.remove(l) {
		delete(h.legs, l.Source)
	}
	h.recent.remove(l)
	h.later.remove(l)
	h.forgetAside(l)
	h.leaveTrunks(l)
	h.closed--
}

func isFull(err error) bool { return errors.Is(err, call.ErrFull) }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
