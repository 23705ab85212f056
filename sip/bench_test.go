package sip

import (
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip/siptest"
)

// BenchmarkScan reads the headers of one message.
func BenchmarkScan(b *testing.B) {
	b.ReportAllocs()
	msgs := siptest.TeamsCall(b)
	n := 0
	for _, msg := range msgs {
		n += len(msg)
	}
	b.SetBytes(int64(n / len(msgs)))
	var s call.Signal
	for i := 0; b.Loop(); i++ {
		if _, err := Scan(msgs[i%len(msgs)], &s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStrip strips one message.
func BenchmarkStrip(b *testing.B) {
	b.ReportAllocs()
	msgs := siptest.TeamsCall(b)
	var kept []byte
	for i := 0; b.Loop(); i++ {
		kept = Strip(kept[:0], msgs[i%len(msgs)])
	}
}
