package main

import (
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store"
)

// A walk that began before the last rows moved meets all of them where they stood.
func TestMove(t *testing.T) {
	// The last batch is not full, so that more than a third is to move still.
	q := moving{Store: "pebble:" + t.TempDir() + "/store", Crowd: crowd{Rows: 17_000, Users: 50, Seed: 3}, Since: 8000, Rounds: 1}
	m, err := move(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if m.Since != 7000 || len(m.New) != 4 || len(m.Moved) != 4 || len(m.With) == 0 || len(m.With) != len(m.Without) || len(m.With) > 7 {
		t.Errorf("%+v", m)
	}
}

// What Graph says, and says again, does not move twice: that is not measured as moves.
func TestTellVerifies(t *testing.T) {
	st, err := store.Open(t.Context(), "pebble:"+t.TempDir()+"/store", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	c := crowd{Rows: 300, Users: 50, Seed: 3}
	for _, x := range []struct {
		fate call.Fate
		say  func(*call.Row)
	}{{call.New, asSBC}, {call.Moved, asGraph}} {
		if _, err := tell(t.Context(), st, c, x.fate, x.say, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tell(t.Context(), st, c, call.Moved, asGraph, nil); err == nil || !strings.Contains(err.Error(), "a row is same where all should be moved") {
		t.Errorf("the same again: %v", err)
	}
}

func TestMovesResults(t *testing.T) {
	m := moved{New: []float64{100, 100}, Moved: []float64{250, 250}, With: []float64{2, 2, 9}, Without: []float64{1, 1, 1}, Since: 5000}
	if r := m.writeResult(10_000); r.met != met || !strings.HasPrefix(r.measured, "20,000 rows/s") || r.share != "40.0 %" {
		t.Errorf("%+v", r)
	}
	if r := m.pageResult(); r.met != met || r.share != "2.00 times" || !strings.Contains(r.work, "5,000 rows") {
		t.Errorf("%+v", r)
	}
	m.With, m.Moved = []float64{2.1, 2.1}, []float64{250, 251}
	if m.pageResult().met != missed || m.writeResult(10_000).met != missed {
		t.Errorf("%+v, %+v", m.pageResult(), m.writeResult(10_000))
	}
}
