package csv

import (
	"fmt"
	"time"

	"github.com/trunklog/trunklog/call"
)

// order holds the times of a call in their natural order.
var order = [...]call.Field{call.FieldInvite, call.FieldStart, call.FieldFailure, call.FieldEnd}

// settleTimes chooses between the two moments of each time in the hour that comes twice in autumn,
// and refuses a call that ends before it begins.
//
// The other times and the duration decide: no time is before an earlier one, the call lasts as long
// as the record says, and it rings as briefly as it can. If they leave it open, the first moment
// stands.
func (d *draft) settleTimes() error {
	if len(d.again) > 0 {
		best, least := d.Row, d.strain(&d.Row)
		// Each set holds the times that take the second moment, from none to all. Only a smaller
		// strain replaces an earlier set.
		for set := 1; set < 1<<len(order); set++ {
			r := d.Row
			for i, f := range order {
				if set>>(len(order)-1-i)&1 == 1 {
					r.SetTime(f, d.again[f])
				}
			}
			if !d.possible(set) {
				continue
			}
			if s := d.strain(&r); s.less(least) {
				best, least = r, s
			}
		}
		d.Row = best
	}
	return d.checkOrder()
}

// possible reports whether all times of a set have two moments.
func (d *draft) possible(set int) bool {
	for i, f := range order {
		if _, twice := d.again[f]; !twice && set>>(len(order)-1-i)&1 == 1 {
			return false
		}
	}
	return true
}

// A strain measures how badly times fit together: less is better.
type strain struct {
	backwards       int           // how many times are before an earlier one
	duration, rings time.Duration // distance from the record's duration, and time of ringing
}

func (s strain) less(t strain) bool {
	switch {
	case s.backwards != t.backwards:
		return s.backwards < t.backwards
	case s.duration != t.duration:
		return s.duration < t.duration
	}
	return s.rings < t.rings
}

func (d *draft) strain(r *call.Row) (s strain) {
	var last time.Time
	for _, f := range order {
		t := r.Time(f)
		if t.IsZero() {
			continue
		}
		if t.Before(last) {
			s.backwards++
		}
		last = t
	}
	if !r.Invite.IsZero() && !r.Start.IsZero() {
		s.rings = r.Start.Sub(r.Invite).Abs()
	}
	if end := ended(r); r.Duration > 0 && !r.Start.IsZero() && !end.IsZero() {
		s.duration = (end.Sub(r.Start) - time.Duration(r.Duration)*time.Second).Abs()
	}
	return s
}

// ended returns when a call was over, answered or failed.
func ended(r *call.Row) time.Time {
	if r.End.IsZero() {
		return r.Failure
	}
	return r.End
}

// checkOrder refuses a call that ends before it begins. A time of whole seconds may seem to lie
// before one with a fraction of the same second: then it takes that one's value.
func (d *draft) checkOrder() error {
	r := &d.Row
	for _, f := range [...]call.Field{call.FieldFailure, call.FieldEnd} {
		for _, began := range [...]call.Field{call.FieldStart, call.FieldInvite} {
			end, start := r.Time(f), r.Time(began)
			if end.IsZero() || !end.Before(start) {
				continue
			}
			if !end.Equal(start.Truncate(time.Second)) {
				return fmt.Errorf("%w: %s, %s, is before %s, %s: a call does not end before it begins; are the columns of the map the right ones, and all times in one zone?",
					call.ErrInvalid, f, end.Format(time.RFC3339Nano), began, start.Format(time.RFC3339Nano))
			}
			r.SetTime(f, start)
		}
	}
	return nil
}
