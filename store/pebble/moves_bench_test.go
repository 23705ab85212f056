package pebble

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// witnessed returns a better witness's rows, which begin some milliseconds later.
func witnessed(rows []call.Row, by time.Duration) []call.Row {
	out := make([]call.Row, len(rows))
	for i := range rows {
		r := rows[i]
		r.Start = r.Start.Add(by)
		if !r.End.IsZero() {
			r.End = r.End.Add(by)
		} else {
			r.Failure = r.Failure.Add(by)
		}
		r.Settle(call.Graph.Witness(), true)
		out[i] = r
	}
	return out
}

// BenchmarkMoves writes rows of an SBC, then those of Graph, which move every one by some
// milliseconds; and reads pages of a walk that began before that.
func BenchmarkMoves(b *testing.B) {
	n := benchRows()
	c := newCalls(1)
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	write := func(rows []call.Row) {
		if _, err := s.Write(b.Context(), call.Batch{Rows: rows}); err != nil {
			b.Fatal(err)
		}
	}
	var all [][]call.Row
	for range n / 5000 {
		rows := c.batch(5000)
		for i := range rows {
			rows[i].Source, rows[i].Seen = "sbc", 0
			rows[i].Settle(call.CDR.Witness(), true)
		}
		all = append(all, rows)
		write(rows)
	}
	before, err := s.Latest(b.Context(), call.GUID{1})
	if err != nil {
		b.Fatal(err)
	}
	began, used := time.Now(), cpu()
	for _, rows := range all {
		write(witnessed(rows, 7*time.Millisecond))
	}
	rate, spent := float64(n)/time.Since(began).Seconds(), float64((cpu()-used).Nanoseconds())/float64(n)
	pages := func(name string, q call.Query) {
		var took []time.Duration
		for q.Limit = 1000; len(took) < 200; {
			at, rows := time.Now(), 0
			for r, err := range s.Rows(b.Context(), q) {
				if err != nil {
					b.Fatal(err)
				}
				rows++
				q.After = r.Place()
			}
			took = append(took, time.Since(at))
			if rows < q.Limit {
				q.After = call.Cursor{}
			}
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), strings.ReplaceAll(name, " ", "-"))
	}
	defer func() {
		b.ReportMetric(rate, "moved/s")
		b.ReportMetric(spent, "ns-cpu/moved")
	}()
	for b.Loop() {
		now, err := s.Latest(b.Context(), call.GUID{1})
		if err != nil {
			b.Fatal(err)
		}
		for range 2 { // the first time nothing is in memory
			pages("µs/page", call.Query{Tenant: call.GUID{1}})
		}
		pages("µs/page of a new walk", call.Query{Tenant: call.GUID{1}, Walk: now})
		pages("µs/page when all has moved since", call.Query{Tenant: call.GUID{1}, Walk: before})
	}
}

// BenchmarkUpgrade upgrades a store of the first format.
func BenchmarkUpgrade(b *testing.B) {
	n := benchRows()
	c := newCalls(1)
	dir := b.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for range n / 5000 {
		if _, err := s.Write(b.Context(), call.Batch{Rows: c.batch(5000)}); err != nil {
			b.Fatal(err)
		}
	}
	makeOld(b, s, nil)
	if err := errors.Join(s.Close(), os.Remove(filepath.Join(dir, formatName)), os.Remove(filepath.Join(dir, sealName))); err != nil {
		b.Fatal(err)
	}
	began, used := time.Now(), cpu()
	s, err = Open(dir, Options{Upgrade: func(int64, int64) error { return nil }})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "rows/s")
	b.ReportMetric(float64((cpu()-used).Nanoseconds())/float64(n), "ns-cpu/row")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
