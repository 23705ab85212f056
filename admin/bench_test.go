package admin

import (
	"context"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// BenchmarkWrite measures the way of a batch of 5,000 rows to the store, which
// does nothing with it.
func BenchmarkWrite(b *testing.B) {
	rows := oneTenant(5000)
	var got int
	s := served(b, &altered{Store: storetest.NewModel(), write: func(_ context.Context, batch call.Batch) (call.Result, error) {
		got = len(batch.Rows)
		return call.Result{Rows: make([]call.Written, got)}, nil
	}})
	b.ReportAllocs()
	for b.Loop() {
		if r, err := s.Write(b.Context(), call.Batch{Rows: rows}); err != nil || len(r.Rows) != len(rows) {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(float64(got)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkPage measures the way of 1,000 rows from a store that has them at
// hand.
func BenchmarkPage(b *testing.B) { benchmarkRows(b, 1000) }

// BenchmarkWalk measures a long walk.
func BenchmarkWalk(b *testing.B) { benchmarkRows(b, 500_000) }

func benchmarkRows(b *testing.B, n int) {
	s := served(b, rowsOf(oneTenant(1000), n))
	b.ReportAllocs()
	for b.Loop() {
		got := 0
		for _, err := range s.Rows(b.Context(), call.Query{}) {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
		if got != n {
			b.Fatal(got)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkRow measures the shortest question.
func BenchmarkRow(b *testing.B) {
	m := storetest.NewModel()
	rows := oneTenant(1)
	if _, err := m.Write(b.Context(), call.Batch{Rows: rows}); err != nil {
		b.Fatal(err)
	}
	s := served(b, m)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Row(b.Context(), rows[0].Tenant, rows[0].ID); err != nil {
			b.Fatal(err)
		}
	}
}
