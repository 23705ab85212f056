package ingest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip"
	"github.com/trunklog/trunklog/sip/siptest"
	"github.com/trunklog/trunklog/store/storetest"
)

// wildScripts returns testdata/wild/*.sip: calls as SBCs, Microsoft and capture agents send and
// report them, and the right rows.
func wildScripts(t testing.TB) map[string]siptest.Script {
	t.Helper()
	files, err := filepath.Glob("testdata/wild/*.sip")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	all := make(map[string]siptest.Script)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".sip")] = siptest.ReadScript(t, string(b))
	}
	return all
}

// heardOf returns the events of a script.
func heardOf(t testing.TB, s siptest.Script, began time.Time) (events []call.Event) {
	t.Helper()
	for _, p := range s.Packets {
		m := &call.Signal{At: began.Add(p.At), Src: p.Src, Dst: p.Dst, Transport: p.Transport}
		if _, err := sip.Scan(slices.Clone(p.Message), m); err != nil {
			t.Fatalf("%v: %s", err, p.Message)
		}
		events = append(events, call.Event{Kind: call.MessageEvent, Call: m.CallID, Signal: m})
	}
	return events
}

// asClient returns a row as a client gets it.
func asClient(r *call.Row) map[string]any {
	m := make(map[string]any)
	for f := range call.NumFields {
		name := f.String()
		switch f.Type() {
		case call.ID:
			m[name] = r.GUID(f).String()
		case call.Text:
			m[name] = r.Text(f)
		case call.Number:
			m[name] = r.Number(f)
		case call.Bool:
			m[name] = r.Bool(f)
		case call.Time:
			if at := r.Time(f); !at.IsZero() {
				m[name] = at.Format(time.RFC3339Nano)
			}
		}
	}
	return m
}

// TestWild: each call has the right rows, and never one that contradicts itself, in every order of
// its messages, with repeats and restarts, live and from a recording.
func TestWild(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 7))
	for name, script := range wildScripts(t) {
		t.Run(name, func(t *testing.T) {
			for order := range 12 + scale(40) {
				s := newStage(t, storetest.NewModel())
				began := s.clock.Add(-3 * time.Hour)
				events := heardOf(t, script, began)
				mix(rnd, order, &events)
				if order%4 == 3 {
					s.record(events)
				} else {
					s.hear(rnd, order, events)
				}
				checkWild(t, fmt.Sprintf("seed %d, order %d", seed, order), s, script, began)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// mix puts messages in an order: as they were seen, reversed or random, with some of them twice.
func mix(rnd *rand.Rand, order int, events *[]call.Event) {
	switch {
	case order == 0, order == 3:
	case order == 1, order == 7:
		slices.Reverse(*events)
	default:
		*events = append(*events, (*events)[:rnd.IntN(len(*events)+1)]...)
		rnd.Shuffle(len(*events), func(i, j int) { (*events)[i], (*events)[j] = (*events)[j], (*events)[i] })
	}
}

// hear puts messages one by one, and checks the rows after each.
func (s *stage) hear(rnd *rand.Rand, order int, events []call.Event) {
	s.Helper()
	for len(events) > 0 {
		n := 1 + rnd.IntN(len(events))
		s.put(events[:n]...)
		events = events[n:]
		s.pass(time.Duration(rnd.IntN(100)) * time.Millisecond)
		s.sound()
		if order > 5 && rnd.IntN(4) == 0 {
			s.restart()
		}
	}
	for range 8 {
		s.pass(5 * time.Second)
		s.sound()
	}
}

// record puts messages from a recording.
func (s *stage) record(events []call.Event) {
	s.Helper()
	sink := s.in.SinkOf(Input{Source: "lab", Recorded: true})
	if err := tryPut(s.Context(), sink, events...); err != nil {
		s.Fatal(err)
	}
	if err := sink.Flush(s.Context()); err != nil {
		s.Fatal(err)
	}
}

// sound fails if a row contradicts itself.
func (s *stage) sound() {
	s.Helper()
	for _, owner := range []call.GUID{tenant, call.Unassigned} {
		for r, err := range s.store.Rows(s.Context(), call.Query{Tenant: owner}) {
			if err != nil {
				s.Fatal(err)
			}
			if err := r.Sound(); err != nil {
				s.Fatalf("%v\n%+v\nclaims: %+v", err, r, slices.Collect(r.Claims()))
			}
		}
	}
}

// checkWild compares the rows of a stage with the right ones.
func checkWild(t *testing.T, name string, s *stage, script siptest.Script, began time.Time) {
	t.Helper()
	s.sound()
	var rows []map[string]any
	for r, err := range s.store.Rows(t.Context(), call.Query{Tenant: call.Unassigned}) {
		if err != nil {
			t.Fatal(err)
		}
		row := r.Clone()
		rows = append(rows, asClient(&row))
	}
	if len(rows) != len(script.Rows) {
		t.Errorf("%s: %d rows, want %d: %v\n%+v", name, len(rows), len(script.Rows), rows, s.in.HearStats())
		return
	}
	for i, want := range script.Rows {
		for _, wrong := range siptest.WrongIn(rows[i], want, began) {
			t.Errorf("%s: row %d: %s", name, i, wrong)
		}
	}
}
