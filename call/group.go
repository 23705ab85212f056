package call

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"time"
)

// A Slot is a length of time by which calls are grouped. Its boundaries are
// those of the reader's clock, see [Grouping.Zone].
type Slot uint8

// The slots. WholeTime puts calls of any time into one group.
const (
	WholeTime Slot = iota
	QuarterHour
	Hour
	Day
	numSlots
)

// A Dim is one thing about a call by which calls are grouped. The set is
// closed: what else one may want to group by, such as who ended the call or
// whose fault it was, follows from these when the question is asked.
type Dim uint8

// The dimensions, in the order of [Key].
const (
	ByTrunk Dim = iota
	ByDirection
	ByCallType
	ByCode
	BySubcode
	ByRang
	ByAnswered
	ByUser
	numDims
)

var dims = [numDims]string{
	ByTrunk: "trunk", ByDirection: "direction", ByCallType: "callType", ByCode: "finalSipCode", BySubcode: "callEndSubReason",
	ByRang: "rang", ByAnswered: "answered", ByUser: "userId",
}

func (d Dim) String() string {
	if d >= numDims {
		return "unknown"
	}
	return dims[d]
}

// A Grouping says which calls are added up with which.
type Grouping struct {
	Every Slot
	// Zone is whose clock divides the time: a day is a date there, and has 23 or
	// 25 hours when the clocks are changed; an hour that the clock shows twice is
	// two. Nil is UTC.
	Zone *time.Location
	By   []Dim
}

// Check reports whether g can be asked together with q. Groups are of all rows
// that q selects, so that After, Skip, Limit and Reverse are refused.
func (g Grouping) Check(q Query) error {
	if g.Every >= numSlots {
		return fmt.Errorf("%w: there is no slot of time %d", ErrInvalid, g.Every)
	}
	for _, d := range g.By {
		if d >= numDims {
			return fmt.Errorf("%w: there is no dimension %d", ErrInvalid, d)
		}
	}
	if !q.After.IsZero() || q.Skip != 0 || q.Limit != 0 || q.Reverse {
		return fmt.Errorf("%w: groups are of all rows, so that they cannot be asked for behind a place, with a limit or in reverse", ErrInvalid)
	}
	return nil
}

// A Group is what calls add up to that are alike in the dimensions asked for
// and start in the same slot. It has one call at least.
type Group struct {
	// At is when the slot begins, in the zone of the question; zero if that has no
	// slots. Of hours and quarters it is the clock's time cut down, with the
	// offset that was in force at the call; of days the first moment of the date.
	At  time.Time
	Key Key
	Sums
}

// A Key holds the values of the dimensions. Those not asked for are zero.
type Key struct {
	Trunk    string // with a to z for A to Z, as host names compare
	Inbound  bool   // see [CallType.Inbound]
	CallType string
	Code     int32 // finalSipCode
	Subcode  int32 // callEndSubReason
	Rang     bool  // the callee's side was heard ringing; no row says so yet
	Answered bool  // see [Row.Successful]
	User     GUID
}

// Sums are what calls add up to. A call counts as answered if it is
// [Row.Successful].
type Sums struct {
	Calls    int64
	Answered int64
	Seconds  int64 // of [Row.Duration]
	// Under6, Under10 and Under15 are the answered calls of fewer seconds.
	Under6, Under10, Under15 int64
	// AnswerMS are the milliseconds from the invite to the start of AnswerN
	// answered calls: those of which both times are known and in order.
	AnswerMS, AnswerN int64
	// RingMS are the milliseconds from the invite to the first ringing of RingN
	// calls. No row says yet when it rang.
	RingMS, RingN int64
}

// NumSums is how many numbers [Sums] has.
const NumSums = 10

// Values returns the numbers of s in an order that engines may keep on disk: new
// ones are added at the end.
func (s *Sums) Values() [NumSums]*int64 {
	return [...]*int64{
		&s.Calls, &s.Answered, &s.Seconds, &s.Under6, &s.Under10, &s.Under15, &s.AnswerMS, &s.AnswerN, &s.RingMS, &s.RingN,
	}
}

// Add adds t to s, n times: -1 takes it away.
func (s *Sums) Add(t *Sums, n int64) {
	s.Calls += n * t.Calls
	s.Answered += n * t.Answered
	s.Seconds += n * t.Seconds
	s.Under6 += n * t.Under6
	s.Under10 += n * t.Under10
	s.Under15 += n * t.Under15
	s.AnswerMS += n * t.AnswerMS
	s.AnswerN += n * t.AnswerN
	s.RingMS += n * t.RingMS
	s.RingN += n * t.RingN
}

// sumsOf returns what r adds.
func sumsOf(r *Row) Sums {
	s := Sums{Calls: 1, Seconds: int64(r.Duration)}
	if !r.Successful {
		return s
	}
	s.Answered = 1
	s.Under6, s.Under10, s.Under15 = under(r, 6), under(r, 10), under(r, 15)
	if !r.Invite.IsZero() && !r.Start.Before(r.Invite) {
		s.AnswerMS, s.AnswerN = r.Start.Sub(r.Invite).Milliseconds(), 1
	}
	return s
}

func under(r *Row, seconds int32) int64 {
	if r.Duration < seconds {
		return 1
	}
	return 0
}

// Compare returns the order of two groups: by slot, then by the dimensions in
// the order of [Key].
func (g *Group) Compare(h *Group) int {
	if c := g.At.Compare(h.At); c != 0 {
		return c
	}
	return g.Key.compare(&h.Key)
}

func (k *Key) compare(l *Key) int {
	return cmp.Or(
		strings.Compare(k.Trunk, l.Trunk), compareBool(k.Inbound, l.Inbound), strings.Compare(k.CallType, l.CallType),
		cmp.Compare(k.Code, l.Code), cmp.Compare(k.Subcode, l.Subcode),
		compareBool(k.Rang, l.Rang), compareBool(k.Answered, l.Answered), bytes.Compare(k.User[:], l.User[:]))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// foldTrunk returns the name of a trunk as host names compare: in any case of
// A to Z. It allocates only if there is something to change.
func foldTrunk(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
