package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestPartsLate: when the last part comes first, the row is made at once, each other part amends
// it, and the one that tells the start moves it.
func TestPartsLate(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	events := separate("one")
	slices.Reverse(events)
	for i, e := range events {
		sink := s.in.Sink("lab", tenant)
		if err := tryPut(t.Context(), sink, e); err != nil {
			t.Fatal(err)
		}
		if got := sink.Totals(); got.New+got.Changed != 1 || (got.New == 1) != (i == 0) {
			t.Errorf("part %d: %+v", i, got)
		}
		at := [...]time.Duration{9 * time.Second, 9 * time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second}[i]
		if r := s.one(); !r.Start.Equal(partsAt.Add(at)) || r.ID != call.NameGUID("lab", "one") {
			t.Fatalf("part %d: the row starts at another time: %+v", i, r)
		}
		s.restart()
	}
	r := s.one()
	if r.Duration != 7 || !r.Successful || r.Caller != "+49301" || r.Callee != "+49402" || r.By[call.FieldStart].Kind() != call.CDR {
		t.Errorf("%+v", r)
	}
	// In one Put the row has all of them when it is made.
	s = newStage(t, storetest.NewModel())
	sink := s.in.Sink("lab", tenant)
	if err := tryPut(t.Context(), sink, events...); err != nil {
		t.Fatal(err)
	}
	if r := s.one(); !r.Start.Equal(partsAt.Add(2*time.Second)) || r.Duration != 7 {
		t.Errorf("%+v", r)
	}
	if got := sink.Totals(); got.New != 1 || got.Changed != 4 || got.Same != 0 {
		t.Errorf("%+v", got)
	}
}

// TestPartsTakeBack: later parts replace what was inferred from the first ones.
func TestPartsTakeBack(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	sink := s.in.Sink("lab", tenant)
	for i, c := range []struct {
		e          call.Event
		successful bool
		start      int
		duration   int32
	}{
		{tell("one", true, func(r *call.Row) { r.End = partsAt.Add(9 * time.Second) }), true, 9, 0},
		{tell("one", false, func(r *call.Row) { r.Invite = partsAt.Add(time.Second) }), true, 1, 8},
		{tell("one", false, func(r *call.Row) { r.Start = partsAt.Add(4 * time.Second) }), true, 4, 5},
		{tell("one", false, func(r *call.Row) { r.Failure, r.FinalSIPCode = partsAt.Add(5*time.Second), 486 }), false, 4, 0},
		{tell("one", false, func(r *call.Row) { r.Duration, r.Successful = 6, true }), true, 4, 6},
	} {
		if err := tryPut(t.Context(), sink, c.e); err != nil {
			t.Fatal(err)
		}
		if r := s.one(); r.Successful != c.successful || r.Duration != c.duration || !r.Start.Equal(partsAt.Add(time.Duration(c.start)*time.Second)) {
			t.Errorf("after part %d: start %v, duration %d, successful %v", i, r.Start, r.Duration, r.Successful)
		}
	}
}

// TestPartsAfterTheirRow: parts that come after a row was made without the last one amend it as
// well.
func TestPartsAfterTheirRow(t *testing.T) {
	for name, end := range map[string]func(*stage){
		"given up": func(s *stage) {
			s.clock = s.clock.Add(25 * time.Hour)
			s.rounds()
		},
		"a restart of the SBC": func(s *stage) {
			if err := tryPut(t.Context(), s.in.Sink("lab", tenant), call.Event{Kind: call.RestartEvent, Row: call.Row{Trunk: "sbc1.contoso.com"}}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		s := newStage(t, storetest.NewModel())
		events := separate("one")
		if err := tryPut(t.Context(), s.in.Sink("lab", tenant), events[:2]...); err != nil {
			t.Fatal(err)
		}
		end(s)
		s.one()
		sink := s.in.Sink("lab", tenant)
		if err := tryPut(t.Context(), sink, events[2:]...); err != nil {
			t.Fatal(err)
		}
		if r := s.one(); r.Duration != 7 || !r.Start.Equal(partsAt.Add(2*time.Second)) {
			t.Errorf("%s: %+v", name, r)
		}
		if got := sink.Totals(); got.Changed != 3 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestPartsKept: the fold of a call stays for a day after its row was written or last changed, and
// is then deleted.
func TestPartsKept(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	var events []call.Event
	for i := range 40 {
		events = append(events, separate(fmt.Sprint("call ", i))...)
	}
	if err := tryPut(t.Context(), s.in.Sink("lab", tenant), events...); err != nil {
		t.Fatal(err)
	}
	left := func() int {
		state, err := call.Values(t.Context(), s.store, toldPrefix)
		if err != nil {
			t.Fatal(err)
		}
		return len(state)
	}
	s.clock = s.clock.Add(20 * time.Hour)
	s.rounds()
	if n := left(); n != 40 {
		t.Errorf("%d of 40 calls are known within a day", n)
	}
	// One part tells something new, the other does not.
	late := []call.Event{tell("call 7", false, func(r *call.Row) { r.FinalSIPPhrase = "BYE" }), separate("call 8")[2]}
	if err := tryPut(t.Context(), s.in.Sink("lab", tenant), late...); err != nil {
		t.Fatal(err)
	}
	s.clock = s.clock.Add(4 * time.Hour)
	s.rounds()
	if n := left(); n != 1 {
		t.Errorf("%d calls are known after a day, want that of which something new was told", n)
	}
	s.clock = s.clock.Add(24 * time.Hour)
	s.rounds()
	if n := left(); n != 0 {
		t.Errorf("%d calls are known after two days", n)
	}
}

// rounds lets enough time pass for forgetParts to read all folds.
func (s *stage) rounds() {
	s.Helper()
	for range 16 {
		if err := s.in.finishParts(s.Context()); err != nil {
			s.Fatal(err)
		}
		s.clock = s.clock.Add(partsEvery)
	}
}

// TestPartsUnassigned: the row of a source that is bound to no tenant stays in the log of none,
// even if a later part names a tenant's trunk.
func TestPartsUnassigned(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	events := separate("one")
	s.put(events[4])
	s.put(events[:4]...)
	s.none("of a call whose trunk was not told at first")
	r, err := s.store.Row(t.Context(), call.Unassigned, call.NameGUID("lab", "one"))
	if err != nil || r.Trunk != "sbc1.contoso.com" || r.Duration != 7 {
		t.Errorf("%v: %+v", err, r)
	}
}

// TestPartsContradict: of two values of a field, the one that its case names stands; but a last
// part's value stands before any other.
func TestPartsContradict(t *testing.T) {
	at := func(n int) time.Time { return partsAt.Add(time.Duration(n) * time.Second) }
	for _, c := range []struct {
		name            string
		believed, other func(*call.Row)
	}{
		{"the first INVITE", func(r *call.Row) { r.Invite = at(1) }, func(r *call.Row) { r.Invite = at(2) }},
		{"the first answer", func(r *call.Row) { r.Start = at(1) }, func(r *call.Row) { r.Start = at(2) }},
		{"the first end", func(r *call.Row) { r.End = at(1) }, func(r *call.Row) { r.End = at(2) }},
		{"the last failure", func(r *call.Row) { r.Failure = at(2) }, func(r *call.Row) { r.Failure = at(1) }},
		{"the greater number", func(r *call.Row) { r.FinalSIPCode = 486 }, func(r *call.Row) { r.FinalSIPCode = 180 }},
		{"the greater text", func(r *call.Row) { r.CallType = "ByotOutUserForwarding" }, func(r *call.Row) { r.CallType = "ByotOut" }},
	} {
		a, b := tell("one", false, c.believed), tell("one", false, c.other)
		last := b
		last.Kind = call.LastPartEvent
		for i, pair := range [][3]call.Event{{a, b, a}, {b, a, b}, {last, a, last}, {a, last, a}} {
			var p part
			for _, e := range pair {
				p.add(&e.Row, e.Kind == call.LastPartEvent)
			}
			want := a.Row
			if i >= 2 {
				want = b.Row
			}
			for f := range call.NumFields {
				if want.By[f] != 0 && compareValues(f, &p.row, &want) != 0 {
					t.Errorf("%s, order %d: %s is %s, want %s", c.name, i, f, value(&p.row, f), value(&want, f))
				}
			}
		}
	}
}

// TestPartsAndRecord: a repeated part does not stand against a complete record of the call that has
// come in between.
func TestPartsAndRecord(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	sink := s.in.Sink("lab", tenant)
	events := separate("one")
	record := call.Event{Kind: call.RecordEvent, Call: "one", Row: call.Row{Invite: partsAt, Start: partsAt.Add(3 * time.Second), End: partsAt.Add(9 * time.Second), Caller: "+49309", Duration: 6}}
	record.Row.Settle(call.CDR.Witness(), true)
	for _, put := range [][]call.Event{slices.Concat(events[:3], events[4:], []call.Event{record}), events[:3], events[:4]} {
		if err := tryPut(t.Context(), sink, put...); err != nil {
			t.Fatal(err)
		}
	}
	r := s.one()
	if r.Caller != "+49309" || r.Duration != 6 || r.CorrelationID.IsZero() || r.Callee != "+49402" {
		t.Errorf("%+v", r)
	}
	if got := sink.Totals(); got.New != 1 {
		t.Errorf("%+v", got)
	}
}

// TestPartsLinked: parts amend a row that has become part of Microsoft's there, and do not change
// what Microsoft has said.
func TestPartsLinked(t *testing.T) {
	for _, split := range []int{1, 5} {
		s := newStage(t, storetest.NewModel())
		events := separate("one")
		graph := call.Event{Kind: call.RecordEvent, Row: call.Row{
			ID: call.NameGUID("test", "graph"), CorrelationID: call.NameGUID("test", "one"), Trunk: "sbc1.contoso.com", CallType: "ByotIn",
			Invite: partsAt, Start: partsAt.Add(2 * time.Second), End: partsAt.Add(9 * time.Second), Duration: 7, Caller: "+49301***",
		}}
		graph.Row.Settle(call.Graph.Witness(), true)
		if err := tryPut(t.Context(), s.in.Sink("graph", tenant), graph); err != nil {
			t.Fatal(err)
		}
		// All but the numbers come in one Put, the last part first.
		sink := s.in.Sink("lab", tenant)
		if err := tryPut(t.Context(), sink, events[4], events[3], events[2]); err != nil {
			t.Fatal(err)
		}
		late := []call.Event{events[0], events[1], events[0], events[1], events[4]}
		for part := range slices.Chunk(late, split) {
			if err := tryPut(t.Context(), sink, part...); err != nil {
				t.Fatal(err)
			}
		}
		r := s.one()
		if r.ID != graph.Row.ID || r.Caller != "+49301***" || r.Callee != "+49402" || !r.ClaimedStart.IsZero() || !r.Seen.Has(call.CDR) {
			t.Errorf("%+v", r)
		}
		if got := sink.Totals(); got.New != 0 {
			t.Errorf("%+v", got)
		}
	}
}

// TestPartsTogether: parts of one call that come at the same moment all reach the row.
func TestPartsTogether(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	var wg sync.WaitGroup
	for _, e := range slices.Concat(separate("one"), separate("one")[1:4]) {
		wg.Go(func() {
			if err := tryPut(t.Context(), s.in.Sink("lab", tenant), e); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ordered := newStage(t, storetest.NewModel())
	if err := tryPut(t.Context(), ordered.in.Sink("lab", tenant), separate("one")...); err != nil {
		t.Fatal(err)
	}
	got, want := fields(s.one()), fields(ordered.one())
	same(t, "together", &got, &want)
}

// TestPartsOfTenants: one application may deliver for two tenants that give different calls the
// same name.
func TestPartsOfTenants(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	other := call.NameGUID("test", "other tenant")
	for i, e := range separate("one") {
		owner := tenant
		if i < 2 {
			owner = other
		}
		if err := tryPut(t.Context(), s.in.Sink("lab", owner), e); err != nil {
			t.Fatal(err)
		}
	}
	if r := s.one(); r.Caller != "" || r.Callee != "" {
		t.Errorf("a tenant's row says what another has delivered: %+v", r)
	}
}

// TestPartsCodec: a fold is read as it was written, also in the form of version 1; other bytes are
// an error.
func TestPartsCodec(t *testing.T) {
	p := part{since: partsAt, row: separate("one")[0].Row, done: true, at: call.Cursor{Start: partsAt.Add(time.Second), ID: call.NewGUID()}, last: 1 << call.FieldInvite}
	p.row.Tenant, p.row.ID = tenant, p.at.ID
	b := p.encode()
	got, err := decodePart(b)
	if err != nil || got.since != p.since || !got.row.Equal(&p.row) || got.done != p.done || got.at != p.at || got.last != p.last {
		t.Errorf("%v: %+v, want %+v", err, got, p)
	}
	for n := range b {
		if _, err := decodePart(b[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are read", n, len(b))
		}
	}
	if _, err := decodePart([]byte{9}); !errors.Is(err, call.ErrNewer) {
		t.Errorf("version 9: %v", err)
	}
	old := binary.AppendVarint([]byte{1}, partsAt.UnixNano())
	old = append(append(old, tenant[:]...), p.at.ID[:]...)
	old = p.row.AppendBody(binary.AppendVarint(old, 0))
	if got, err := decodePart(old); err != nil || !got.row.Equal(&p.row) || got.done || !got.at.IsZero() || got.since != partsAt {
		t.Errorf("version 1: %v: %+v", err, got)
	}
}
