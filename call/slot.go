package call

import (
	"math"
	"time"
)

// slots finds the slot in which a moment lies. Moments are seconds of Unix time: no slot begins
// within one. It keeps the last answer, because rows come in the order of their starts.
type slots struct {
	every  Slot
	zone   *time.Location
	at     int64 // where the slot begins
	lo, hi int64 // moments in [lo, hi) are in it
}

func newSlots(g Grouping) slots {
	s := slots{every: g.Every, zone: g.Zone}
	if s.zone == nil {
		s.zone = time.UTC
	}
	if s.every == WholeTime {
		s.lo, s.hi = math.MinInt64, math.MaxInt64
	}
	return s
}

const (
	secondsPerQuarter = 15 * 60
	secondsPerHour    = 60 * 60
	secondsPerDay     = 24 * secondsPerHour
)

// seconds returns the length of a slot where no clock change falls into it.
func (s Slot) seconds() int64 {
	switch s {
	case QuarterHour:
		return secondsPerQuarter
	case Hour:
		return secondsPerHour
	}
	return secondsPerDay
}

// find returns where the slot of a moment begins.
func (s *slots) find(moment int64) int64 {
	if moment < s.lo || moment >= s.hi {
		s.move(moment)
	}
	return s.at
}

// whole reports whether all moments in [lo, hi) lie in one slot.
func (s *slots) whole(lo, hi int64) bool {
	s.find(lo)
	return hi <= s.hi
}

// move finds the slot anew: it cuts down the clock's time. lo and hi reach no further back than the
// last change of the clock.
func (s *slots) move(moment int64) {
	offset, from, to := inForce(moment, s.zone)
	unit := s.every.seconds()
	clock := moment + offset
	clock -= ((clock % unit) + unit) % unit
	s.at = clock - offset
	s.lo, s.hi = max(s.at, from), min(s.at+unit, to)
	if s.every == Day {
		s.at = firstMoment(clock, offset, from, s.zone)
	}
}

// inForce returns the offset of a zone at a moment, and the bounds of its validity.
func inForce(moment int64, zone *time.Location) (offset, from, to int64) {
	t := time.Unix(moment, 0).In(zone)
	_, o := t.Zone()
	start, end := t.ZoneBounds()
	from, to = math.MinInt64, math.MaxInt64
	if !start.IsZero() {
		from = start.Unix()
	}
	if !end.IsZero() {
		to = end.Unix()
	}
	return int64(o), from, to
}

// firstMoment returns the first moment of the date that begins at midnight of the clock. The date
// may have begun before the clock changed to the given offset, even if the clock shows midnight a
// second time; and it begins with the change if that has skipped midnight.
func firstMoment(midnight, offset, from int64, zone *time.Location) int64 {
	for at := midnight - offset; ; {
		if from == math.MinInt64 {
			return at
		}
		earlier, before, _ := inForce(from-1, zone)
		if midnight-earlier >= from {
			return max(at, from)
		}
		at, from = midnight-earlier, before
	}
}
