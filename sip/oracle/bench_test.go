package oracle

import (
	"strings"
	"testing"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip"
)

// teamsCall returns the messages of a call as Teams and an SBC send them.
func teamsCall(b *testing.B) (all [][]byte) {
	names, msgs := messages(b)
	for _, name := range names {
		if strings.HasPrefix(name, "teams/") {
			all = append(all, msgs[name])
		}
	}
	return all
}

// BenchmarkScan reads the headers of one message.
func BenchmarkScan(b *testing.B) {
	b.ReportAllocs()
	msgs := teamsCall(b)
	var s call.Signal
	for i := 0; b.Loop(); i++ {
		if _, err := sip.Scan(msgs[i%len(msgs)], &s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSipgo lets sipgo read the same.
func BenchmarkSipgo(b *testing.B) {
	b.ReportAllocs()
	msgs := teamsCall(b)
	p := sipgo.NewParser()
	for i := 0; b.Loop(); i++ {
		if _, _, err := p.ParseHeaders(msgs[i%len(msgs)], false); err != nil {
			b.Fatal(err)
		}
	}
}
