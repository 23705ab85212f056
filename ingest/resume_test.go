package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// firstNames gives the state the names that the first release used: without sources.
func firstNames(t *testing.T, s *stage) {
	t.Helper()
	b := call.Batch{State: make(map[string][]byte)}
	for _, prefix := range []string{openPrefix, toldPrefix} {
		for v, err := range s.store.State(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			b.State[v.Name] = nil
			b.State[prefix+v.Name[strings.LastIndexByte(v.Name, '/')+1:]] = v.Value
		}
	}
	if _, err := s.store.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, s *stage, prefix string) (all []string) {
	t.Helper()
	for v, err := range s.store.State(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v.Name)
	}
	return all
}

// TestFirstNames: a server reads calls in progress, and parts of calls that have a row, under the
// names of the first release, and then has them under those of their sources.
func TestFirstNames(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, true).whole().events()
	s.put(c[:len(c)-2]...)
	parts := s.in.Sink("http/app", tenant)
	if err := tryPut(t.Context(), parts, separate("one")...); err != nil {
		t.Fatal(err)
	}
	firstNames(t, s)
	if open, told := names(t, s, openPrefix), names(t, s, toldPrefix); len(open) != 1 || len(told) != 1 || !isFirst(told[0]) || strings.Count(open[0], "/") != 1 {
		t.Fatalf("%v, %v", open, told)
	}
	s.restart()
	if open := names(t, s, openPrefix); len(open) != 1 || !strings.HasPrefix(open[0], "open/lab/") {
		t.Errorf("after a start there are %v", open)
	}
	s.restart() // again, under the new names
	s.put(c[len(c)-2:]...)
	s.pass(time.Second)
	s.pass(time.Minute)
	if open := names(t, s, openPrefix); len(open) != 0 {
		t.Errorf("after the call there are %v", open)
	}
	parts = s.in.Sink("http/app", tenant)
	late := tell("one", false, func(r *call.Row) { r.FinalSIPPhrase = "BYE" })
	other := separate("two")
	out, err := parts.Put(t.Context(), append([]call.Event{late}, other...)...)
	if err != nil || out.Fates[0] != call.Changed || out.Count(call.New) != 1 {
		t.Errorf("%v, %v: want the row of the one changed, and one of the other", out.Fates, err)
	}
	if told := names(t, s, toldPrefix); len(told) != 2 || isFirst(told[0]) == isFirst(told[1]) {
		t.Errorf("what was told of rows stands at %v", told)
	}
	if rows := s.rows(); len(rows) != 3 {
		t.Errorf("%d rows, want 3", len(rows))
	}
	s.clock = s.clock.Add(48 * time.Hour)
	s.rounds()
	if told := names(t, s, toldPrefix); len(told) != 0 {
		t.Errorf("after two days there are %v", told)
	}
}
