package ingest

import (
	"maps"
	"slices"
	"time"
)

// A clock measures by how much the clock of a source's agents is ahead of ours. A
// message may come late, and none comes before it was sent: so in each minute the
// one that came soonest tells, and if two minutes in a row agree the offset is
// steady. It is shown, and used to find the same call in what others tell of it;
// times are kept as they were told.
type clock struct {
	began  time.Time     // of this minute
	n      int           // messages in it
	least  time.Duration // from when a message was seen to when it came, in this minute
	before time.Duration // the same in the minute before, if that is known
	known  bool

	offset time.Duration
	steady bool // it is known
}

const (
	clockPeriod = time.Minute
	clockSteady = 250 * time.Millisecond
	clockEnough = 3 // messages
)

// saw takes note of a message, and reports whether the offset is news.
func (c *clock) saw(at, now time.Time) (news bool) {
	if now.Sub(c.began) >= clockPeriod {
		news = c.turn()
		c.began, c.n = now, 0
	}
	if d := now.Sub(at); c.n == 0 || d < c.least {
		c.least = d
	}
	c.n++
	return news
}

// turn ends a minute.
func (c *clock) turn() (news bool) {
	if c.n < clockEnough {
		return false
	}
	if c.known && (c.least-c.before).Abs() <= clockSteady {
		offset := -min(c.least, c.before)
		news = !c.steady || (offset-c.offset).Abs() > clockSteady
		c.offset, c.steady = offset, true
	}
	c.before, c.known = c.least, true
	return news
}

// tick takes note of when a message of a source was seen, and when it came.
func (h *hearing) tick(source string, at, now time.Time) {
	c := h.clocks[source]
	if c == nil {
		c = &clock{began: now}
		h.clocks[source] = c
	}
	if c.saw(at, now) {
		h.offsets = append(h.offsets, source)
	}
}

// noteOffsets publishes the offsets that are news, and returns them. It is called
// with h.mu held.
func (h *hearing) noteOffsets() map[string]time.Duration {
	if len(h.offsets) == 0 {
		return nil
	}
	all := maps.Clone(h.stats.Offsets)
	if all == nil {
		all = make(map[string]time.Duration)
	}
	news := make(map[string]time.Duration)
	for _, source := range h.offsets {
		news[source] = h.clocks[source].offset
	}
	maps.Copy(all, news)
	h.stats.Offsets, h.offsets = all, nil
	return news
}

// offsets returns by how much the clocks of the sources are ahead of ours, of those
// that differ by more than what is borne anyway.
func (in *Ingest) offsets() (all []time.Duration) {
	for _, d := range in.HearStats().Offsets {
		if d.Abs() > clockSlack/2 {
			all = append(all, d)
		}
	}
	slices.Sort(all)
	return all
}
