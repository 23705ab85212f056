package node

import (
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store"
)

// TestDemoGoesOn: a demo that starts again has calls up to the present, and keeps those that it
// had.
func TestDemoGoesOn(t *testing.T) {
	now := time.Date(2026, 11, 1, 9, 30, 0, 0, time.UTC)
	st, err := store.Open(t.Context(), "pebble:"+t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	rows := func(from time.Time) int64 {
		t.Helper()
		n, err := st.Count(t.Context(), call.Query{Tenant: demoTenant.ID, From: from})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		after       time.Duration
		least, most int64 // rows in all
	}{
		{0, demoRows, demoRows},
		{time.Hour, demoRows, demoRows},
		{7 * 24 * time.Hour, demoRows * 5 / 4 * 95 / 100, demoRows * 5 / 4 * 105 / 100},
		{100 * 24 * time.Hour, demoRows * 9 / 4 * 95 / 100, demoRows * 9 / 4 * 105 / 100}, // four weeks, not a hundred days
	} {
		now = now.Add(c.after)
		if err := demoCalls(t.Context(), st, now); err != nil {
			t.Fatal(err)
		}
		if n := rows(time.Time{}); n < c.least || n > c.most {
			t.Errorf("%v later there are %d rows, want %d to %d", c.after, n, c.least, c.most)
		}
		if n := rows(now.AddDate(0, 0, -3)); n == 0 {
			t.Errorf("%v later there are none of the last days", c.after)
		}
	}
}
