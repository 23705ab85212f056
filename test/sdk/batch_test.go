package sdk

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestJSBatch reads three ranges at once by the client's own batches, following the
// links in them, and meets each row once.
func TestJSBatch(t *testing.T) {
	t.Parallel()
	needJS(t)
	rows := generate(t, rowCount, 1)
	h := newHouse(t, rows)
	s := h.serve(t)
	bounds := []time.Time{rangeFrom, rangeFrom.AddDate(0, 0, 7), rangeFrom.AddDate(0, 0, 30), rangeTo}
	j := s.job(h.reader)
	var tallies []*tally
	var sizes []int
	for i := range bounds[1:] {
		j.Batch = append(j.Batch, fmt.Sprintf("/communications/callRecords/getDirectRoutingCalls(fromDateTime=%s,toDateTime=%s)",
			bounds[i].Format(time.RFC3339), bounds[i+1].Format(time.RFC3339)))
		var within []row
		for _, r := range rows {
			if windowOf(bounds, r) == i {
				within = append(within, r)
			}
		}
		tallies, sizes = append(tallies, newTally(within)), append(sizes, len(within))
	}
	w := s.runJS(t, j, func(_ int, lines []json.RawMessage) {
		for _, line := range lines {
			r := parseRow(t, string(line))
			tallies[windowOf(bounds, r)].saw(t, r)
		}
	})
	if w.err != nil {
		t.Fatalf("%+v", *w.err)
	}
	batches, pages := 0, 0
	for i, c := range tallies {
		c.check(t)
		n := (sizes[i] + pageSize - 1) / pageSize
		batches, pages = max(batches, n), pages+n
	}
	if pages < batches+3 || w.pages != pages || len(w.wire) != batches {
		t.Errorf("%d pages came in %d requests, want %d in %d", w.pages, len(w.wire), pages, batches)
	}
	for _, e := range w.wire {
		if e.Status != 200 || e.Encoding == "" || !strings.HasSuffix(e.URL, "/v1.0/$batch") {
			t.Errorf("%s was answered by %d, encoding %q", e.URL, e.Status, e.Encoding)
		}
	}
}

// windowOf returns between which bounds a row starts.
func windowOf(bounds []time.Time, r row) int {
	i := 0
	for i+2 < len(bounds) && !r.start.Before(bounds[i+1]) {
		i++
	}
	return i
}
