package ingest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// tell returns an event that tells what set sets, and no more.
func tell(name string, done bool, set func(*call.Row)) call.Event {
	e := call.Event{Kind: call.PartEvent, Call: name}
	if done {
		e.Kind = call.LastPartEvent
	}
	set(&e.Row)
	start := e.Row.Start
	e.Row.Settle(call.CDR.Witness(), false)
	if e.Row.Start = start; start.IsZero() {
		e.Row.By[call.FieldStart] = 0
	}
	return e
}

// TestParts: the parts of a call become one row when the last one has come, in any Puts, through
// restarts, and while other parts are put at the same moment.
func TestParts(t *testing.T) {
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	parts := func(name string) []call.Event {
		return []call.Event{
			tell(name, false, func(r *call.Row) { r.Invite, r.Caller = at, "+49301" }),
			tell(name, false, func(r *call.Row) { r.Callee, r.Trunk = "+49402", "sbc1.contoso.com" }),
			tell(name, false, func(r *call.Row) { r.Start, r.CallType = at.Add(2*time.Second), "ByotIn" }),
			tell(name, true, func(r *call.Row) { r.End = at.Add(9 * time.Second) }),
		}
	}
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 9))
	for range scale(50) {
		s := newStage(t, storetest.NewModel())
		for events := parts("one"); len(events) > 0; {
			n := 1 + rnd.IntN(len(events))
			if len(events) == n {
				s.none("before the last part")
			}
			s.put(events[:n]...)
			events = events[n:]
			if rnd.IntN(3) == 0 {
				s.restart()
			}
		}
		r := s.one()
		if r.ID != call.NameGUID("lab", "one") || !r.Start.Equal(at.Add(2*time.Second)) || !r.Invite.Equal(at) || r.Caller != "+49301" || r.Callee != "+49402" ||
			r.Duration != 7 || !r.Successful || r.By[call.FieldSuccessful] != 0 || r.By[call.FieldCaller].Kind() != call.CDR {
			t.Fatalf("seed %d: %+v", seed, r)
		}
		if state, err := call.Values(t.Context(), s.store, partPrefix); err != nil || len(state) != 0 {
			t.Fatalf("%d parts are left, %v", len(state), err)
		}
	}
	s := newStage(t, storetest.NewModel())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for _, e := range parts(fmt.Sprint("call ", i/2))[i%2*3:] {
				if i%2 == 0 && e.Kind == call.LastPartEvent {
					continue
				}
				if err := tryPut(t.Context(), s.in.Sink("lab", tenant), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(s.rows()); n != 4 {
		t.Errorf("%d rows of 4 calls", n)
	}
}

// TestPartsRejected: a part that is not valid is rejected, and the others stay. If the last one
// comes before a time is known, the row is made when a part tells one.
func TestPartsRejected(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	s.put(tell("one", false, func(r *call.Row) { r.Caller = "+49301" }))
	out, err := s.in.Sink("lab", call.GUID{}).Put(t.Context(),
		tell("two", false, func(r *call.Row) { r.Caller = "+1" }),
		tell("one", false, func(r *call.Row) { r.Trunk = strings.Repeat("x", call.MaxText+1) }),
		tell("one", true, func(r *call.Row) { r.Callee = "+2" }),
	)
	if err != nil || !slices.Equal(out.Fates, []call.Fate{call.Open, call.Rejected, call.Open}) || !strings.Contains(fmt.Sprint(out.Err()), "more than 1024") {
		t.Fatalf("%+v, %v", out, err)
	}
	s.none("as long as there is no time")
	s.put(tell("one", false, func(r *call.Row) { r.Invite, r.Trunk = s.clock, "sbc1.contoso.com" }))
	if r := s.one(); r.Caller != "+49301" || r.Callee != "+2" {
		t.Errorf("%+v", r)
	}
}

// TestPartsForgotten: a call whose last part never comes becomes a row after a day.
func TestPartsForgotten(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	sink := s.in.Sink("lab", tenant)
	if err := tryPut(t.Context(), sink, tell("one", false, func(r *call.Row) { r.Invite = s.clock }), tell("two", false, func(r *call.Row) { r.Caller = "+1" })); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.in.finishParts(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.none("within a day")
	}
	s.clock = s.clock.Add(25 * time.Hour)
	if err := s.in.finishParts(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.one()
	if got := s.in.HearStats(); got.Inferred != 1 || got.Rejected != 1 {
		t.Errorf("%+v", got)
	}
}

// TestPartAgain: a part that a sender repeats after the last one, because it got no answer, does
// not become a row of its own.
func TestPartAgain(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	begin := tell("one", false, func(r *call.Row) { r.Invite, r.Caller, r.Trunk = s.clock, "+49301", "sbc1.contoso.com" })
	s.put(begin)
	s.put(tell("one", true, func(r *call.Row) { r.End = s.clock.Add(time.Minute) }))
	want := s.one()
	s.put(begin)
	if state, err := call.Values(t.Context(), s.store, partPrefix); err != nil || len(state) != 0 {
		t.Errorf("%d parts are left, %v", len(state), err)
	}
	s.clock = s.clock.Add(25 * time.Hour)
	for range 2 {
		if err := s.in.finishParts(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := s.one()
		same(t, "told again", &got, &want)
		s.put(begin) // when the fold may be deleted
		s.clock = s.clock.Add(75 * time.Hour)
	}
}
