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

// A Dim is one property of a call by which calls are grouped. The set is closed: other properties,
// such as who ended the call or whose fault it was, follow from these when the question is asked.
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
	// Zone is the clock that divides the time: a day is a date there, and has 23 or 25 hours when
	// the clocks change; an hour that the clock shows twice counts as two. Nil is UTC.
	Zone *time.Location
	By   []Dim
}

// Check reports whether g goes with q. Groups cover all rows that q selects, so Check refuses
// After, Skip, Limit and Reverse.
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

// A Group is the sum of the calls that start in the same slot and are alike in the dimensions asked
// for. It has one call at least.
type Group struct {
	// At is when the slot begins, in the zone of the question; zero if that has no slots. For hours
	// and quarters it is the clock's time cut down, with the offset at the time of the call; for
	// days it is the first moment of the date.
	At  time.Time
	Key Key
	Sums
}

// A Key holds the values of the dimensions. Those not asked for are zero.
type Key struct {
	Trunk    string // with a to z for A to Z, because host names ignore case
	Inbound  bool   // see [CallType.Inbound]
	CallType string
	Code     int32 // finalSipCode
	Subcode  int32 // callEndSubReason
	Rang     bool  // the callee's side rang; no row says so yet
	Answered bool  // see [Row.Successful]
	User     GUID
}

// Sums are the totals of calls. A call counts as answered if it is [Row.Successful].
type Sums struct {
	Calls    int64
	Answered int64
	Seconds  int64 // of [Row.Duration]
	// Under6, Under10 and Under15 count the answered calls of fewer seconds.
	Under6, Under10, Under15 int64
	// AnswerMS are the milliseconds from the invite to the start, summed over the AnswerN answered
	// calls whose two times are known and in order.
	AnswerMS, AnswerN int64
	// RingMS are the milliseconds from the invite to the first ringing, summed over RingN calls. No
	// row has the time of ringing yet.
	RingMS, RingN int64
}

// NumSums is how many numbers [Sums] has.
const NumSums = 10

// Values returns the numbers of s in the order in which engines keep them on disk: add new ones at
// the end.
func (s *Sums) Values() [NumSums]*int64 {
	return [...]*int64{
		&s.Calls, &s.Answered, &s.Seconds, &s.Under6, &s.Under10, &s.Under15, &s.AnswerMS, &s.AnswerN, &s.RingMS, &s.RingN,
	}
}

// Add adds t to s, n times; with -1 it subtracts t.
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

// sumsOf returns the sums of r alone.
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

// foldTrunk returns the name of a trunk with small letters for A to Z, because host names ignore
// case. It allocates only if there is something to change.
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
