package ingest

import (
	"maps"
	"slices"
	"time"
)

// A clock measures by how much the clock of a source's agents is ahead of the server's. A message
// may come late, but never before it was sent, so the message of a minute with the shortest way
// tells the offset. It is steady when two minutes agree that follow each other, minutes with few
// messages left out. The offset is shown, and it helps to find the same call in other sources'
// records. The log keeps times as the source told them.
type clock struct {
	began  time.Time     // start of the current minute
	n      int           // messages in the current minute
	least  time.Duration // least time from the agent's to the server's sight of a message, in the current minute
	before time.Duration // the same of the last minute with enough messages, if known is set
	known  bool

	offset time.Duration
	steady bool // there is an offset
}

const (
	clockPeriod = time.Minute
	clockSteady = 250 * time.Millisecond
	clockEnough = 3 // messages in a minute
)

// saw adds a message, and reports whether that made a new offset.
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

// turn ends a minute, and reports whether that made a new offset.
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

// tick adds a message of a source: at is the agent's time, now the server's time of its arrival.
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

// noteOffsets publishes the new offsets in the counts, and returns them by source. The caller holds
// h.mu.
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

// offsets returns by how much the clocks of the sources are ahead of the server's, in rising order,
// of those that differ by more than half of what links allow anyway.
func (in *Ingest) offsets() (all []time.Duration) {
	for _, d := range in.HearStats().Offsets {
		if d.Abs() > clockSlack/2 {
			all = append(all, d)
		}
	}
	slices.Sort(all)
	return all
}
