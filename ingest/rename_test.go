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

// A witnessed is what authenticated sources, in order, and hearsay tell of one call.
type witnessed struct {
	proven  []call.Row
	hearsay call.Row
}

func randomWitnessed(rnd *rand.Rand) (w witnessed) {
	invite := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	row := call.Row{
		CorrelationID: call.NameGUID("correlation"), Invite: invite, Start: invite.Add(2 * time.Second), End: invite.Add(62 * time.Second),
		Duration: 60, Successful: true, CallType: "ByotIn", Trunk: "sbc1.contoso.com", Caller: "+4930123456", Callee: "+4930223456", FinalSIPCode: 200,
	}
	for _, kind := range []call.Kind{call.RADIUS, call.CDR, call.AdminExport} {
		if rnd.IntN(3) == 0 {
			continue
		}
		r := row
		r.ID = call.NameGUID("own", kind.String())
		if kind < call.SIP && rnd.IntN(2) == 0 {
			r.CorrelationID = call.GUID{}
		}
		r.Settle(kind.Witness(), kind == call.AdminExport)
		w.proven = append(w.proven, r)
	}
	rnd.Shuffle(len(w.proven), func(i, k int) { w.proven[i], w.proven[k] = w.proven[k], w.proven[i] })
	lie := row
	lie.ID = call.NameGUID("hearsay")
	if rnd.IntN(2) == 0 {
		lie.CallEndSubReason = 540000
	}
	if rnd.IntN(3) == 0 { // the start is not known
		lie.Start = lie.Start.Add(time.Second)
	}
	lie.Settle(call.SIP.Hearsay(), false)
	w.hearsay = lie
	return w
}

// told returns a stage in which hearsay came before the authenticated row at the given place.
func (w *witnessed) told(t *testing.T, at int, rnd *rand.Rand) *stage {
	s := newStage(t, storetest.NewModel())
	write := func(source string, r call.Row) {
		t.Helper()
		if err := tryPut(t.Context(), s.in.Sink(source, tenant), call.Event{Kind: call.RecordEvent, Row: r.Clone()}); err != nil {
			t.Fatal(err)
		}
		if rnd.IntN(3) == 0 {
			s.restart()
		}
	}
	for i := range len(w.proven) + 1 {
		if i == at {
			write("tap", w.hearsay)
		}
		if i < len(w.proven) {
			write(topKind(w.proven[i].Seen).String(), w.proven[i])
		}
	}
	return s
}

// TestHearsayBefore: authenticated records make the same rows whenever hearsay comes; and where
// they make one row, it is the same with the hearsay in it.
func TestHearsayBefore(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 23))
	for n := range scale(2000) {
		w := randomWitnessed(rnd)
		want := w.told(t, len(w.proven), rnd).rows()
		for at := range w.proven {
			got := w.told(t, at, rnd).rows()
			if len(want) > 1 {
				got, want = authenticated(got), authenticated(want)
			}
			if !slices.EqualFunc(got, want, func(a, b call.Row) bool { return a.Equal(&b) }) {
				t.Fatalf("seed %d, call %d, hearsay before record %d of %d:\n%s\nafter all:\n%s", seed, n, at+1, len(w.proven), show(got), show(want))
			}
		}
	}
}

// TestHearsayUndone: an import that has renamed a row of hearsay can be undone like one that came
// before the hearsay, and can be done again.
func TestHearsayUndone(t *testing.T) {
	rnd := rand.New(rand.NewPCG(seedOf(t), 29))
	w := randomWitnessed(rnd)
	record := w.hearsay.Clone()
	record.ID = call.NameGUID("own")
	record.Seen, record.By = 0, [call.NumFields]call.Witness{}
	record.Settle(call.CDR.Witness(), false)
	var all [2][]call.Row
	for i := range all {
		s := &undoStage{T: t, store: storetest.NewModel(), rnd: rnd}
		hear := func() {
			in := New(Config{Store: s.store, Now: now})
			if err := tryPut(t.Context(), in.Sink("tap", tenant), call.Event{Kind: call.RecordEvent, Row: w.hearsay.Clone()}); err != nil {
				t.Fatal(err)
			}
		}
		if i == 0 {
			hear()
		}
		id := s.run("cdr", []call.Event{{Kind: call.RecordEvent, Row: record}})
		if i == 1 {
			hear()
		}
		for range 2 {
			if n, left := s.undo(id); n.Changed != 1 || len(left) > 0 {
				t.Errorf("undone: %+v", n)
			}
			rows := (&stage{T: t, store: s.store}).rows()
			if len(rows) != 1 || rows[0].Proven() || rows[0].Seen != call.SIP.Set() {
				t.Fatalf("after the import was undone: %s", show(rows))
			}
			all[i] = append(all[i], rows...)
			id = s.run("cdr", []call.Event{{Kind: call.RecordEvent, Row: record}})
		}
	}
	if !slices.EqualFunc(all[0], all[1], func(a, b call.Row) bool { return a.Equal(&b) }) {
		t.Errorf("hearsay before:\n%s\nhearsay after:\n%s", show(all[0]), show(all[1]))
	}
}

// TestRenamedIsTold: a reader of changes learns that the row of hearsay is gone, and of the new
// one.
func TestRenamedIsTold(t *testing.T) {
	w := randomWitnessed(rand.New(rand.NewPCG(seedOf(t), 31)))
	s := newStage(t, storetest.NewModel())
	put := func(source string, row call.Row) {
		t.Helper()
		if err := tryPut(t.Context(), s.in.Sink(source, tenant), call.Event{Kind: call.RecordEvent, Row: row.Clone()}); err != nil {
			t.Fatal(err)
		}
	}
	record := w.hearsay.Clone()
	record.ID = call.NameGUID("own")
	record.Seen, record.By = 0, [call.NumFields]call.Witness{}
	record.Settle(call.CDR.Witness(), false)
	before, err := s.store.Latest(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	put("tap", w.hearsay)
	put("cdr", record)
	var changes []string
	for c, err := range s.store.Changes(t.Context(), tenant, before) {
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, fmt.Sprintf("%v %v", c.ID == record.ID, c.Fate))
	}
	if got := fmt.Sprint(changes); got != "[false new false removed true new true changed]" {
		t.Error(got)
	}
}

// authenticated returns the rows that authenticated witnesses have told, without hearsay.
func authenticated(rows []call.Row) (all []call.Row) {
	for i := range rows {
		if r := rows[i].Sober(); r.Proven() {
			s := *r
			s.Said = ""
			all = append(all, s)
		}
	}
	return all
}

func show(rows []call.Row) (text string) {
	for i := range rows {
		text += fmt.Sprint(showRow(&rows[i]), rows[i].By, fmt.Sprintf("%q", rows[i].Said), "\n")
	}
	return text
}
