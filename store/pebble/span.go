package pebble

import (
	"bytes"
	"cmp"
	"time"

	"github.com/trunklog/trunklog/call"
)

// endOfTime is the first tick of the year 10000: no row starts there.
const endOfTime = 3_652_059 * ticksPerDay

// A place is a point between two rows: before the row with this start and id, or past it.
type place struct {
	start uint64
	id    call.GUID
	past  bool
}

// key returns p as a bound among row keys.
func (p place) key(tenant call.GUID) []byte {
	b := appendRowKey(make([]byte, 0, rowKeyLen+1), tenant, p.start, p.id)
	if p.past {
		b = append(b, 0)
	}
	return b
}

// whole reports whether p is before everything that starts with it.
func (p place) whole() bool { return p.id.IsZero() && !p.past }

func (p place) compare(q place) int {
	if c := cmp.Compare(p.start, q.start); c != 0 {
		return c
	}
	if c := bytes.Compare(p.id[:], q.id[:]); c != 0 {
		return c
	}
	switch {
	case p.past == q.past:
		return 0
	case p.past:
		return 1
	}
	return -1
}

// A span is the part of the log between two places.
type span struct{ lo, hi place }

// spanOf returns the span within q.From, q.To and q.After.
func spanOf(q call.Query) span {
	s := span{hi: place{start: endOfTime}}
	if !q.From.IsZero() {
		s.from(q.From)
	}
	if !q.To.IsZero() {
		s.to(q.To)
	}
	if q.After.IsZero() {
		return s
	}
	p := place{start: ceilTicks(q.After.Start)}
	if call.TimeOf(p.start).Equal(q.After.Start) {
		p.id, p.past = q.After.ID, !q.Reverse
	}
	if q.Reverse {
		if p.compare(s.hi) < 0 {
			s.hi = p
		}
	} else if p.compare(s.lo) > 0 {
		s.lo = p
	}
	return s
}

// from cuts off what starts before t.
func (s *span) from(t time.Time) {
	if p := (place{start: ceilTicks(t)}); p.compare(s.lo) > 0 {
		s.lo = p
	}
}

// to cuts off what starts at t or after it.
func (s *span) to(t time.Time) {
	if p := (place{start: ceilTicks(t)}); p.compare(s.hi) < 0 {
		s.hi = p
	}
}

// narrow cuts off what the plan excludes.
func (s *span) narrow(p call.Plan) {
	if !p.From.IsZero() {
		s.from(p.From)
	}
	if !p.To.IsZero() {
		s.to(p.To)
	}
}

func (s span) empty() bool { return s.lo.compare(s.hi) >= 0 }

// ceilTicks returns the first tick that is not before t.
func ceilTicks(t time.Time) uint64 {
	t = t.UTC()
	switch {
	case t.Year() < 1:
		return 0
	case t.Year() > 9999:
		return endOfTime
	}
	n := call.Ticks(t)
	if t.Nanosecond()%100 != 0 {
		n++
	}
	return n
}
