package ingest

import (
	"cmp"
	"time"
)

// An instant is a [time.Time] in a third of its memory: nanoseconds since 1970,
// 0 where there is no time, in the steps of 100 that a row can hold. Calls in
// progress are many, and have a dozen each.
type instant int64

func instantOf(t time.Time) instant {
	if t.IsZero() {
		return 0
	}
	return cmp.Or(instant(t.Truncate(100*time.Nanosecond).UnixNano()), 100) // a clock that was never set says 1970
}

func (i instant) time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}

// These are as those of [time.Time].

func (i instant) IsZero() bool                { return i == 0 }
func (i instant) Before(j instant) bool       { return i < j }
func (i instant) After(j instant) bool        { return i > j }
func (i instant) Compare(j instant) int       { return cmp.Compare(i, j) }
func (i instant) Add(d time.Duration) instant { return i + instant(d) }
func (i instant) Sub(j instant) time.Duration { return time.Duration(i - j) }

// A moment in time, of either kind.
type timelike[T any] interface {
	IsZero() bool
	Before(other T) bool
	Compare(other T) int
}

// firstOf returns the earlier of two times of which either may be zero.
func firstOf[T timelike[T]](a, b T) T {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// lastOf returns the later of two times of which either may be zero.
func lastOf[T timelike[T]](a, b T) T {
	if a.IsZero() || a.Before(b) {
		return b
	}
	return a
}

// compareTimes compares two times of which a zero one comes last.
func compareTimes[T timelike[T]](a, b T) int {
	if a.IsZero() != b.IsZero() {
		return cmp.Compare(btoi(a.IsZero()), btoi(b.IsZero()))
	}
	return a.Compare(b)
}
