package ingest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

var partsAt = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)

// separate returns the parts of a call, no two of which tell the same field, in the order of the
// call.
func separate(name string) []call.Event {
	return []call.Event{
		tell(name, false, func(r *call.Row) { r.Invite, r.Caller = partsAt, "+49301" }),
		tell(name, false, func(r *call.Row) { r.Callee, r.Trunk = "+49402", "sbc1.contoso.com" }),
		tell(name, false, func(r *call.Row) { r.Start, r.CallType = partsAt.Add(2*time.Second), "ByotIn" }),
		tell(name, false, func(r *call.Row) { r.CorrelationID = call.NameGUID("test", name) }),
		tell(name, true, func(r *call.Row) { r.End = partsAt.Add(9 * time.Second) }),
	}
}

// contrary returns parts of a call that may contradict each other. Some of the last of them are
// last parts, and at least one tells a time.
func contrary(rnd *rand.Rand, name string) []call.Event {
	texts := []string{"", "+49301", "+49402", "0049301"}
	text := func() string { return texts[rnd.IntN(len(texts))] }
	at := func(most int) (t time.Time) {
		if n := rnd.IntN(most); n > 0 {
			t = partsAt.Add(time.Duration(n) * time.Second)
		}
		return t
	}
	var events []call.Event
	microsofts := rnd.IntN(4) == 0
	n := 2 + rnd.IntN(5)
	for i := range n {
		e := tell(name, i == n-1 || i == n-2 && rnd.IntN(4) == 0, func(r *call.Row) {
			r.Caller, r.Callee, r.Trunk = text(), text(), text()
			r.Start, r.Invite, r.End, r.Failure = at(4), at(4), at(9), at(3)
			r.FinalSIPCode, r.Duration, r.Successful = int32(rnd.IntN(3)), int32(rnd.IntN(3)), rnd.IntN(3) == 0
			if rnd.IntN(4) == 0 {
				r.AdministrativeUnits = []call.GUID{{byte(rnd.IntN(3))}}
			}
			if i == 0 && r.Invite.IsZero() {
				r.Invite = partsAt.Add(time.Second)
			}
		})
		// It may also tell that there is none.
		for _, f := range [...]call.Field{call.FieldFailure, call.FieldDuration, call.FieldSuccessful} {
			if rnd.IntN(5) == 0 {
				e.Row.By[f] = call.CDR.Witness()
			}
		}
		if microsofts { // Microsoft's witness tells the part
			for f := range e.Row.By {
				if e.Row.By[f] != 0 {
					e.Row.By[f] = call.Graph.Witness()
				}
			}
			e.Row.Seen = call.Graph.Set()
		}
		events = append(events, e)
	}
	return events
}

// fields returns a row without its id.
func fields(r call.Row) call.Row {
	r.ID = call.GUID{}
	return r
}

// A partsRun puts parts, and counts their outcomes over restarts.
type partsRun struct {
	*stage
	rnd  *rand.Rand
	seed uint64
	sum  Totals
}

// deliver puts the events in the given order, split over Puts, with restarts in between.
func (p *partsRun) deliver(events []call.Event) {
	p.Helper()
	for len(events) > 0 {
		n := 1 + p.rnd.IntN(len(events))
		sink := p.in.Sink("lab", tenant)
		if err := tryPut(p.Context(), sink, events[:n]...); err != nil {
			p.Fatalf("seed %d: %v", p.seed, err)
		}
		t := sink.Totals()
		p.sum.New, p.sum.Changed, p.sum.Same = p.sum.New+t.New, p.sum.Changed+t.Changed, p.sum.Same+t.Same
		events = events[n:]
		switch p.rnd.IntN(4) {
		case 0:
			p.store = p.store.(*storetest.Model).Reopen()
			p.restart()
		case 1:
			p.clock = p.clock.Add(time.Duration(p.rnd.IntN(3)) * time.Hour)
			if err := p.in.finishParts(p.Context()); err != nil {
				p.Fatalf("seed %d: %v", p.seed, err)
			}
		}
	}
}

// TestPartsAnyOrder: in every order of the parts of a call, with repeats, split over Puts, and with
// restarts in between, the row says the same as when the parts come in order. The outcome of a part
// depends on the parts before it, and not on the split.
func TestPartsAnyOrder(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 10))
	for i := range scale(400) {
		events, exact := contrary(rnd, "one"), i%2 == 0
		if exact {
			events = separate("one")
		}
		ordered := newStage(t, storetest.NewModel())
		for _, e := range events {
			if err := tryPut(t.Context(), ordered.in.Sink("lab", tenant), e); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		want := fields(ordered.one())

		mixed := slices.Concat(events, events[:rnd.IntN(len(events)+1)])
		rnd.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		p := &partsRun{newStage(t, storetest.NewModel()), rnd, seed, Totals{}}
		p.deliver(mixed)
		row := p.one()
		if got := fields(row); !got.Equal(&want) {
			t.Fatalf("seed %d: run %d:\n%+v\nwant\n%+v\nof %+v", seed, i, got, want, mixed)
		}
		if n := p.sum.New + p.sum.Changed + p.sum.Same; p.sum.New != 1 || n > int64(len(mixed)) {
			t.Fatalf("seed %d: run %d: %d parts were counted as %+v", seed, i, len(mixed), p.sum)
		}
		if exact {
			wantTotals(t, seed, mixed, p.sum)
		}
		// Again, they change nothing, and leave nothing open.
		before := p.sum
		p.deliver(events)
		if p.sum.New != 1 || p.sum.Changed != before.Changed || p.sum.Same != before.Same+int64(len(events)) {
			t.Fatalf("seed %d: run %d: again: %+v, before %+v", seed, i, p.sum, before)
		}
		got := p.one()
		same(t, fmt.Sprintf("seed %d: told again", seed), &got, &row)
	}
}

// wantTotals checks the counts of parts that each tell something else: those before the last one
// are open, the last one makes the row, and each later one changes the row when it first comes.
func wantTotals(t *testing.T, seed uint64, events []call.Event, got Totals) {
	t.Helper()
	var want Totals
	seen := map[call.Field]bool{}
	for _, e := range events {
		first := slices.IndexFunc(e.Row.By[:], func(w call.Witness) bool { return w != 0 })
		known := seen[call.Field(first)]
		seen[call.Field(first)] = true
		switch {
		case want.New == 0 && e.Kind == call.LastPartEvent:
			want.New = 1
		case want.New == 1 && known:
			want.Same++
		case want.New == 1:
			want.Changed++
		}
	}
	if got != want {
		t.Fatalf("seed %d: counted as %+v, want %+v: %+v", seed, got, want, events)
	}
}
