package hep

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip/siptest"
)

var benchTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// BenchmarkOpen takes one packet apart and reads the headers of its message.
func BenchmarkOpen(b *testing.B) {
	b.ReportAllocs()
	var all [][]byte
	n := 0
	for _, msg := range siptest.TeamsCall(b) {
		d := draft{at: benchTime, src: "52.114.75.24:5061", dst: "10.1.2.3:5061", key: "key", payload: string(msg)}
		all = append(all, d.bytes())
		n += len(all[len(all)-1])
	}
	b.SetBytes(int64(n / len(all)))
	o := opener{key: []byte("key")}
	var s call.Signal
	for i := 0; b.Loop(); i++ {
		if _, cause := o.open(all[i%len(all)], &s); cause != 0 {
			b.Fatal(cause)
		}
	}
}

// BenchmarkInflate does the same with a compressed message.
func BenchmarkInflate(b *testing.B) {
	b.ReportAllocs()
	packet := draft{at: benchTime, payload: zlibbed(string(siptest.TeamsCall(b)[0])), packed: true}.bytes()
	var o opener
	var s call.Signal
	for b.Loop() {
		o.release()
		if _, cause := o.open(packet, &s); cause != 0 {
			b.Fatal(cause)
		}
	}
}

// A counter is a sink that accepts everything, and takes as long as a disk's sync.
type counter struct{ sync time.Duration }

func (c counter) Put(context.Context, ...call.Event) (call.Outcome, error) {
	if c.sync > 0 {
		t := time.NewTimer(c.sync)
		<-t.C
	}
	return call.Outcome{}, nil
}

// BenchmarkTCP sends messages through one connection. The sender runs in the same process.
func BenchmarkTCP(b *testing.B) {
	for _, bench := range []struct {
		name string
		sync time.Duration
		raw  bool
	}{{"", 0, false}, {"raw", 0, true}, {"sync=5ms", 5 * time.Millisecond, true}} {
		b.Run(bench.name, func(b *testing.B) {
			s, err := New(testURL(b, "hep+tcp://127.0.0.1:0"), Options{Now: func() time.Time { return benchTime }, Raw: bench.raw})
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(b.Context())
			if err := s.Listen(ctx); err != nil {
				b.Fatal(err)
			}
			done := make(chan error)
			go func() { done <- s.Run(ctx, "", counter{bench.sync}) }()
			c, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			var stream []byte
			msgs := siptest.TeamsCall(b)
			const some = 1000
			for i := range some {
				d := draft{at: benchTime, src: "52.114.75.24:5061", dst: "10.1.2.3:5061", payload: string(msgs[i%len(msgs)])}
				stream = append(stream, d.bytes()...)
			}
			b.SetBytes(int64(len(stream) / some))
			b.ReportAllocs()
			b.ResetTimer()
			sent := 0
			for ; sent < b.N; sent += some {
				if _, err := c.Write(stream); err != nil {
					b.Fatal(err)
				}
			}
			for s.Stats().Messages < uint64(sent) {
				pause()
			}
			b.StopTimer()
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "messages/s")
			_ = c.Close()
			stop()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}
