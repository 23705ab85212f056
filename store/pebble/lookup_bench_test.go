package pebble

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A year is a log of calls that are spread over 365 days: of 5,000 users with
// 500,000 others, each of whom calls a few times; a third of these are masked,
// as Microsoft does. Every tenth call is for the main line.
type year struct {
	*calls
	step time.Duration // between calls, at the most
	last time.Time
}

const mainLine = "+49301000000"

func newYear(rows int) *year {
	y := &year{calls: newCalls(1), step: 2 * 365 * 24 * time.Hour / time.Duration(rows)}
	y.last = y.calls.at
	return y
}

// other returns the number of one of those with whom users talk.
func other(i int) string {
	n := fmt.Sprintf("+49%d", 15_100_000_000+(i*7919)%500_000*997)
	if i%3 == 0 {
		return n[:len(n)-3] + "***"
	}
	return n
}

func (y *year) batch(n int) []call.Row {
	rows := make([]call.Row, n)
	for i := range rows {
		r := &rows[i]
		y.next(r)
		y.last = y.last.Add(rand.N(y.step))
		d := y.last.Sub(r.Start)
		r.Start, r.Invite = r.Start.Add(d), r.Invite.Add(d)
		with := &r.Callee
		if r.CallType == "ByotIn" {
			with = &r.Caller
			if y.IntN(5) == 0 {
				r.Callee = mainLine
			}
		}
		*with = other(y.IntN(500_000))
	}
	return rows
}

// yearStore returns a store with a year of calls: that in the folder
// TRUNKLOG_BENCH_STORE, which is made if it is not there and stays.
func yearStore(b *testing.B, n int) *Store {
	dir := os.Getenv("TRUNKLOG_BENCH_STORE")
	if dir == "" {
		dir = b.TempDir() + "/store"
	}
	if _, err := os.Stat(dir); err == nil {
		return openBench(b, dir)
	}
	s, y := openBench(b, dir), newYear(n)
	begun := time.Now()
	for done := 0; done < n; done += 5000 {
		if _, err := s.Write(b.Context(), call.Batch{Rows: y.batch(5000)}); err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(begun)
	if err := s.Compact(b.Context()); err != nil {
		b.Fatal(err)
	}
	st, err := s.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d rows: %.0f rows/s with making them, %.1f bytes a row", n, float64(n)/took.Seconds(), float64(st.Bytes)/float64(st.Rows))
	return s
}

// BenchmarkLookUp measures the first page of typical look-ups, forward and newest first, each time
// for another value.
func BenchmarkLookUp(b *testing.B) {
	s := yearStore(b, benchRows())
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	users := newCalls(1).users
	user := func() *call.Row { return &users[rand.IntN(len(users))] }
	is := func(f call.Field, v any) call.Expr { return call.Compare{Field: f, Value: v} }
	seen := func(masked bool) string {
		for {
			if i := rand.IntN(500_000); (i%3 == 0) == masked {
				return other(i)
			}
		}
	}
	absent := func() call.Expr { return call.Digits(fmt.Sprintf("+4917%d", 200_000_000+rand.IntN(700_000_000))) }
	ten := func(x func() call.Expr) func() call.Expr {
		return func() call.Expr {
			var or call.Or
			for range 10 {
				or = append(or, x())
			}
			return or
		}
	}
	name := func() call.Expr { return is(call.FieldUserPrincipalName, user().UserPrincipalName) }
	rare := func() call.Expr { return call.Digits(seen(false)) }
	ofMasked := func() call.Expr {
		n := seen(true)
		return call.Digits(fmt.Sprintf("%s%03d", n[:len(n)-3], rand.IntN(1000)))
	}
	maskedAsked := func() call.Expr { return call.Digits(seen(true)) }
	byUser := func() call.Expr { return is(call.FieldUserID, user().UserID) }
	either := func() call.Expr {
		n := user().Caller
		return call.Or{is(call.FieldCaller, n), is(call.FieldCallee, n)}
	}
	for _, c := range []struct {
		name string
		x    func() call.Expr
	}{
		{"busy", func() call.Expr { return call.Digits(mainLine) }},
		{"userNumber", func() call.Expr { return call.Digits(user().Caller) }},
		{"callerOrCallee", either},
		{"rare", rare},
		{"absent", absent},
		{"wholeOfMasked", ofMasked},
		{"masked", maskedAsked},
		{"maskedBusy", func() call.Expr { return call.Digits(user().Caller[:9] + "***") }},
		{"maskedText", func() call.Expr { return is(call.FieldCaller, seen(true)) }},
		{"user", byUser},
		{"name", name},
		{"nameAbsent", func() call.Expr { return is(call.FieldUserPrincipalName, "x"+user().UserPrincipalName) }},
		{"tenRare", ten(rare)},
		{"tenAbsent", ten(absent)},
		{"tenOfMasked", ten(ofMasked)},
		{"tenMasked", ten(maskedAsked)},
		{"tenUsers", ten(byUser)},
		{"tenNames", ten(name)},
	} {
		b.Run(c.name, func(b *testing.B) { firstPages(b, s, c.x) })
	}
}

func firstPages(b *testing.B, s *Store, x func() call.Expr) {
	var took, used []float64
	rows := 0
	for b.Loop() {
		q := call.Query{Tenant: call.GUID{1}, Where: x(), Limit: 1000, Reverse: len(took)%2 == 1}
		begun, spent := time.Now(), cpu()
		for _, err := range s.Rows(b.Context(), q) {
			if err != nil {
				b.Fatal(err)
			}
			rows++
		}
		took = append(took, float64(time.Since(begun).Microseconds())/1000)
		used = append(used, float64((cpu()-spent).Microseconds())/1000)
	}
	slices.Sort(took)
	slices.Sort(used)
	b.ReportMetric(used[len(used)/2], "p50-cpu-ms")
	b.ReportMetric(used[(len(used)-1)*99/100], "p99-cpu-ms")
	b.ReportMetric(took[len(took)/2], "p50-ms")
	b.ReportMetric(took[(len(took)-1)*99/100], "p99-ms")
	b.ReportMetric(took[len(took)-1], "max-ms")
	b.ReportMetric(float64(rows)/float64(b.N), "rows/op")
	b.ReportMetric(0, "ns/op")
}
