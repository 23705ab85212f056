package pebble

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// The benchmarks run on the real disk, in the folder that TMPDIR names.
// TRUNKLOG_BENCH_ROWS is how many rows they write; 10000000 gives the figures
// of docs/decisions/0001-pebble.md.

func benchRows() int {
	if n, err := strconv.Atoi(os.Getenv("TRUNKLOG_BENCH_ROWS")); err == nil {
		return n
	}
	return 300_000
}

// calls makes rows like those of a company of 5,000 users on four trunks: 45 a
// minute, day and night, half of them inwards, 6 of 100 failed, a second leg
// for each tenth.
type calls struct {
	*rand.Rand
	users []call.Row
	at    time.Time
	last  call.Row
}

func newCalls(seed uint64) *calls {
	c := &calls{Rand: rand.New(rand.NewPCG(seed, 5)), at: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	for i := range 5000 {
		c.users = append(c.users, call.Row{
			UserID: c.guid(), UserPrincipalName: fmt.Sprintf("user%d@contoso.com", i), UserDisplayName: fmt.Sprintf("Firstname%d Lastname%d", i%70, i),
			Caller: fmt.Sprintf("+4930%d", 1230000+i),
		})
	}
	return c
}

func (c *calls) guid() (g call.GUID) {
	for i := 0; i < 16; i += 8 {
		u := c.Uint64()
		for j := range 8 {
			g[i+j] = byte(u >> (8 * j))
		}
	}
	return g
}

func (c *calls) next(r *call.Row) {
	u := &c.users[c.IntN(len(c.users))]
	c.at = c.at.Add(time.Duration(c.IntN(2666)) * time.Millisecond)
	*r = call.Row{
		Tenant: call.GUID{1}, ID: c.guid(), CorrelationID: c.guid(), UserID: u.UserID,
		UserPrincipalName: u.UserPrincipalName, UserDisplayName: u.UserDisplayName,
		Start: c.at, Invite: c.at.Add(-time.Duration(1000+c.IntN(20000)) * time.Millisecond), Duration: int32(c.IntN(900)),
		CallType: "ByotOut", Successful: true, Caller: u.Caller, Callee: fmt.Sprintf("+49%d", 1510000000+c.IntN(80_000_000)),
		MediaLocation: "DEEU", SignalLocation: "EUWE", FinalSIPPhrase: "BYE", Trunk: fmt.Sprintf("sbc%d.contoso.com", c.IntN(4)),
		UserCountry: "DE", OtherCountry: "DE", MediaBypass: true,
	}
	if c.IntN(2) == 0 {
		r.CallType, r.Caller, r.Callee = "ByotIn", r.Callee, r.Caller
	}
	r.End = r.Start.Add(time.Duration(r.Duration)*time.Second + time.Duration(c.IntN(1000))*time.Millisecond)
	if c.IntN(100) < 6 {
		r.Successful, r.Duration, r.End, r.Failure = false, 0, time.Time{}, r.Start
		r.FinalSIPCode, r.CallEndSubReason, r.FinalSIPPhrase = 486, 560486, "Busy Here"
	}
	if c.IntN(10) == 0 && !c.last.ID.IsZero() {
		r.CorrelationID = c.last.CorrelationID
	}
	r.Settle(call.Graph.Witness(), true)
	c.last = *r
}

func (c *calls) batch(n int) []call.Row {
	rows := make([]call.Row, n)
	for i := range rows {
		c.next(&rows[i])
	}
	return rows
}

func peakMB() float64 {
	b, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kb, _ := strconv.Atoi(f[1])
			return float64(kb) / 1024
		}
	}
	return 0
}

func openBench(b *testing.B, dir string) *Store {
	b.Helper()
	s, err := Open(dir, Options{Reserve: -1, Fatal: func(err error) { b.Error(err) }})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkWrite measures durable writes of new rows with all that is derived
// from them.
func BenchmarkWrite(b *testing.B) {
	for _, w := range []struct{ size, writers int }{{5000, 1}, {100, 1}, {100, 8}, {1, 1}, {1, 64}} {
		b.Run(fmt.Sprintf("batch=%d/writers=%d", w.size, w.writers), func(b *testing.B) {
			benchWrite(b, w.size, w.writers)
		})
	}
}

func benchWrite(b *testing.B, size, writers int) {
	dir := b.TempDir()
	s := openBench(b, dir)
	var seed atomic.Uint64
	var spent atomic.Int64
	begun := cpu()
	b.SetParallelism((writers + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	write := func(next func() bool) {
		c := newCalls(seed.Add(1))
		for next() {
			t := cpu()
			rows := c.batch(size)
			if writers == 1 {
				b.StopTimer()
				spent.Add(int64(cpu() - t))
				b.StartTimer()
			}
			if _, err := s.Write(b.Context(), call.Batch{Rows: rows}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ResetTimer()
	if writers == 1 {
		write(b.Loop)
	} else {
		b.RunParallel(func(pb *testing.PB) { write(pb.Next) })
	}
	rows := float64(b.N * size)
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.StopTimer()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(int64(cpu()-begun)-spent.Load())/1e3/rows, "cpu-µs/row")
	b.ReportMetric(peakMB(), "peak-MB")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStore fills a store, closes it and opens it again, and measures what
// is read from it.
func BenchmarkStore(b *testing.B) {
	dir, n := b.TempDir(), benchRows()
	s := openBench(b, dir)
	c := newCalls(1)
	begun, used := time.Now(), cpu()
	for done := 0; done < n; done += 5000 {
		if _, err := s.Write(b.Context(), call.Batch{Rows: c.batch(5000)}); err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(begun)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d rows: %.0f rows/s and %.1f cpu-µs/row with making them, peak %.0f MB", n, float64(n)/took.Seconds(), float64(cpu()-used)/1e3/float64(n), peakMB())
	for _, compacted := range []bool{false, true} {
		t := time.Now()
		s := openBench(b, dir)
		opened := time.Since(t)
		if compacted {
			t = time.Now()
			if err := s.Compact(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.Logf("compacted in %v", time.Since(t))
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			t = time.Now()
			s = openBench(b, dir)
			opened = time.Since(t)
		}
		st, err := s.Stats(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("opened in %v, %d rows, %.1f bytes a row", opened, st.Rows, float64(st.Bytes)/float64(st.Rows))
		logCells(b, s, n)
		b.Run(fmt.Sprintf("compacted=%v", compacted), func(b *testing.B) { benchReads(b, s, c, n) })
		if compacted {
			benchKeep(b, s)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		debug.FreeOSMemory()
	}
	b.Logf("peak %.0f MB", peakMB())
}

func benchReads(b *testing.B, s *Store, c *calls, n int) {
	tenant := call.GUID{1}
	first := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	length := c.at.Sub(first)
	anywhere := func() time.Time { return first.Add(rand.N(length)) }
	read := func(b *testing.B, q func() call.Query) {
		b.ReportAllocs()
		rows := 0
		used := cpu()
		for b.Loop() {
			query := q()
			query.Tenant = tenant
			for _, err := range s.Rows(b.Context(), query) {
				if err != nil {
					b.Fatal(err)
				}
				rows++
			}
		}
		b.ReportMetric(float64(rows)/float64(b.N), "rows/op")
		b.ReportMetric(float64(cpu()-used)/1e3/float64(b.N), "cpu-µs/op")
	}
	queries := map[string]func() call.Query{
		"FirstPage":    func() call.Query { return call.Query{Limit: 1000} },
		"PageAnywhere": func() call.Query { return call.Query{From: anywhere(), Limit: 1000} },
		"PageNear":     func() call.Query { return call.Query{From: first.Add(length/2 + rand.N(time.Hour)), Limit: 1000} },
		"PageReverse":  func() call.Query { return call.Query{To: anywhere(), Limit: 1000, Reverse: true} },
		"PageSkipHalf": func() call.Query { return call.Query{Skip: int64(n / 2), Limit: 1000} },
		"PageSkipAny":  func() call.Query { return call.Query{Skip: rand.Int64N(int64(n)), Limit: 1000} },
		"Number":       func() call.Query { return call.Query{Where: call.Digits(c.users[rand.IntN(5000)].Caller)} },
		"NumberAbsent": func() call.Query { return call.Query{Where: call.Digits("4930999")} },
		"Correlation": func() call.Query {
			return call.Query{Where: call.Compare{Field: call.FieldCorrelationID, Value: c.last.CorrelationID}}
		},
		"User100": func() call.Query {
			return call.Query{Limit: 100, Reverse: true, Where: call.Compare{Field: call.FieldUserID, Value: c.users[rand.IntN(5000)].UserID}}
		},
		"ScanTrunk": func() call.Query { return call.Query{Where: call.Compare{Field: call.FieldTrunk, Value: "none"}} },
	}
	for _, name := range []string{"FirstPage", "PageAnywhere", "PageNear", "PageReverse", "PageSkipHalf", "PageSkipAny", "Number", "NumberAbsent", "Correlation", "User100", "ScanTrunk"} {
		b.Run(name, func(b *testing.B) { read(b, queries[name]) })
	}
	benchGroups(b, s, c)
	b.Run("Count", func(b *testing.B) {
		for b.Loop() {
			from := anywhere()
			if _, err := s.Count(b.Context(), call.Query{Tenant: tenant, From: from, To: from.Add(rand.N(length))}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Row", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Row(b.Context(), tenant, c.last.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchKeep logs how long the work of the keeper takes.
func benchKeep(b *testing.B, s *Store) {
	t := time.Now()
	if err := s.Check(b.Context(), func(problem string) { b.Errorf("check: %s", problem) }); err != nil {
		b.Fatal(err)
	}
	b.Logf("check: %v", time.Since(t))
	t = time.Now()
	if err := s.Backup(b.Context(), b.TempDir()+"/backup"); err != nil {
		b.Fatal(err)
	}
	b.Logf("backup: %v", time.Since(t))
	t = time.Now()
	gone, err := s.Trim(b.Context(), call.GUID{1}, time.Date(2024, 1, 4, 12, 0, 0, 0, time.UTC))
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("trim of %d rows: %v", gone, time.Since(t))
}
