package sdk

import (
	"encoding/json"
	"testing"
)

// faults are what the clients meet with here; the seed has no four in a row, which is
// more than they try.
const faults = "429=15%,503=10%,latency=1ms..20ms,seed=3"

// The clients' own retries bring them through a server that often refuses, and they
// meet each row once.
func TestSurviveFaults(t *testing.T) {
	t.Parallel()
	rows := generate(t, rowCount, 1)
	h := newHouse(t, rows)
	t.Run("Go", func(t *testing.T) {
		s := h.serve(t, "--strict", "--inject", faults)
		g := newGoSDK(t, s, s.bySecret(t, h.reader), "v1.0")
		walkAll(t, g, rows)
		met := map[int]int{}
		for _, e := range g.wire.exchanges() {
			met[e.status]++
		}
		expectFaults(t, met)
	})
	t.Run("JavaScript", func(t *testing.T) {
		needJS(t)
		s := h.serve(t, "--strict", "--inject", faults)
		j := s.job(h.reader)
		j.Retry = true
		tally := newTally(rows)
		w := s.runJS(t, j, func(_ int, lines []json.RawMessage) {
			for _, line := range lines {
				tally.saw(t, parseRow(t, string(line)))
			}
		})
		if w.err != nil {
			t.Fatalf("%+v", *w.err)
		}
		tally.check(t)
		met := map[int]int{}
		for _, e := range w.wire {
			met[e.Status]++
		}
		expectFaults(t, met)
	})
}

func expectFaults(t *testing.T, met map[int]int) {
	t.Helper()
	if met[200] != rowCount/pageSize || met[429] == 0 || met[503] == 0 || len(met) != 3 {
		t.Errorf("the statuses were %v, want %d of 200 and some of 429 and 503", met, rowCount/pageSize)
	}
}
