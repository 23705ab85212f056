package leg

import (
	"cmp"
	"time"
)

// An Instant is a [time.Time] in a third of its memory: nanoseconds since 1970 in steps of 100, as
// a row can hold them. 0 is no time. There are many calls in progress, and each has a dozen times.
type Instant int64

func instantOf(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return cmp.Or(Instant(t.Truncate(100*time.Nanosecond).UnixNano()), 100) // a clock that was never set says 1970, and 0 is no time
}

// Time returns i in UTC, and the zero time for 0.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}

// These methods do what those of [time.Time] do.

func (i Instant) IsZero() bool                { return i == 0 }
func (i Instant) Before(j Instant) bool       { return i < j }
func (i Instant) After(j Instant) bool        { return i > j }
func (i Instant) Compare(j Instant) int       { return cmp.Compare(i, j) }
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

// A timelike is a time of either kind, [time.Time] or [Instant].
type timelike[T any] interface {
	IsZero() bool
	Before(other T) bool
	Compare(other T) int
}

// FirstOf returns the earlier of two times; one that is zero does not count.
func FirstOf[T timelike[T]](a, b T) T {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// LastOf returns the later of two times; one that is zero does not count.
func LastOf[T timelike[T]](a, b T) T {
	if a.IsZero() || a.Before(b) {
		return b
	}
	return a
}

// compareTimes compares two times. A zero time comes last.
func compareTimes[T timelike[T]](a, b T) int {
	if a.IsZero() != b.IsZero() {
		return cmp.Compare(btoi(a.IsZero()), btoi(b.IsZero()))
	}
	return a.Compare(b)
}

// A Span is an interval by the clock of a source's agents, with both ends.
type Span struct{ From, To Instant }

// Meets reports whether two spans have a moment in common.
func (s Span) Meets(o Span) bool { return !s.From.After(o.To) && !o.From.After(s.To) }

// Wide returns s with d added at both ends.
func (s Span) Wide(d time.Duration) Span { return Span{s.From.Add(-d), s.To.Add(d)} }

// With returns the shortest span that holds both.
func (s Span) With(o Span) Span { return Span{FirstOf(s.From, o.From), LastOf(s.To, o.To)} }
