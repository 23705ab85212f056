package gen_test

import (
	"testing"
	"time"

	"github.com/trunklog/trunklog/gen"
)

func BenchmarkRows(b *testing.B) {
	for name, rows := range map[string]int{"100k": 100_000, "2M": 2_000_000} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for range gen.Rows(gen.Config{Rows: rows, Seed: 1}) {
					n++
				}
				if n != rows {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkBodies adds what every store does with a row.
func BenchmarkBodies(b *testing.B) {
	const rows = 200_000
	var body []byte
	bytes := 0
	for b.Loop() {
		bytes = 0
		for r := range gen.Rows(gen.Config{Rows: rows, Seed: 1, To: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}) {
			body = r.AppendBody(body[:0])
			bytes += len(body)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(bytes)/rows, "B/row")
}
