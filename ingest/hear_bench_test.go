package ingest

import (
	"runtime"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// thirteen are the messages of one answered call as a proxy's agent sends them.
func thirteen(n int) *talk {
	t := newTalk(n, n%2 == 0).invite().at(100*time.Millisecond).answer(100, "Trying").at(500*time.Millisecond).answer(180, "Ringing").
		at(2*time.Second).answer(200, "OK").request("ACK", true).at(9*time.Second).request("BYE", true).message(false, call.Signal{Code: 200, CSeqMethod: "BYE"})
	return t.through()
}

// BenchmarkHear folds the messages of calls, 13 each, a thousand calls at a time, and closes the
// calls. The store costs nothing.
func BenchmarkHear(b *testing.B) {
	const calls, some = 1000, 512
	var events []call.Event
	talks := make([][]call.Event, calls)
	for i := range talks {
		talks[i] = thirteen(i).events()[:13]
	}
	for k := range 13 {
		for i := range talks {
			events = append(events, talks[i][k])
		}
	}
	clock := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	in := New(Config{
		Store: nullStore{}, Now: func() time.Time { return clock },
		Tenant: func(string) (call.GUID, bool) { return tenant, true },
	})
	sink := in.Sink("lab", call.GUID{})
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for i := 0; i < len(events); i += some {
			if err := tryPut(b.Context(), sink, events[i:min(i+some, len(events))]...); err != nil {
				b.Fatal(err)
			}
		}
		for range 2 {
			clock = clock.Add(time.Minute)
			if err := in.tickAll(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		n += calls
	}
	if got := in.HearStats(); got.Rows != uint64(n) || got.Held != 0 {
		b.Fatalf("%d calls: %+v", n, got)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkOpen measures the memory of a call in progress: invited, ringing and answered, seen on
// both hops of a proxy.
func BenchmarkOpen(b *testing.B) {
	const calls = 20_000
	for b.Loop() {
		in := New(Config{Store: nullStore{}, Tenant: func(string) (call.GUID, bool) { return tenant, true }})
		sink := in.Sink("lab", call.GUID{})
		before := inUse()
		for i := range calls {
			t := newTalk(i, true).invite().at(time.Second).answer(180, "Ringing").at(2*time.Second).answer(200, "OK").request("ACK", true).through()
			if err := tryPut(b.Context(), sink, t.events()...); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(inUse()-before)/calls, "B/call")
		runtime.KeepAlive(in)
	}
	b.ReportMetric(0, "ns/op")
}

// inUse returns how many bytes of the heap are in use.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
