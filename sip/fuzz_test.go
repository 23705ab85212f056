package sip

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip/siptest"
)

var bareCR = regexp.MustCompile(`\r[^\n]`)

// FuzzScan gives bytes of all kinds to Scan and Strip, and checks that reading a
// message again, or what is kept of it, or with white space around its headers,
// gives the same.
func FuzzScan(f *testing.F) {
	for _, msg := range siptest.All(f) {
		f.Add(msg)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		msg := bytes.Clone(input)
		var s call.Signal
		s.Agent = 7
		fault := scan(msg, &s)
		if s.Agent != 7 {
			t.Error("the agent was forgotten")
		}
		if n := len(msg); n != len(input) {
			t.Errorf("%d bytes became %d", len(input), n)
		}
		kept := Strip(nil, input)
		if again := Strip(nil, kept); !bytes.Equal(kept, again) {
			t.Errorf("kept %q, and of that %q", kept, again)
		}
		if fault != 0 {
			return
		}
		siptest.Check(t, &s)
		want := siptest.Dump(&s)
		others := [][]byte{msg, bytes.Clone(input)}
		if !bareCR.Match(input) { // what stands behind one is not kept
			others = append(others, kept)
		}
		for _, other := range others {
			var again call.Signal
			again.Agent = 7
			if fault := scan(other, &again); fault != 0 || siptest.Dump(&again) != want {
				t.Errorf("%q: %v\n%swant:\n%s", other, fault, siptest.Dump(&again), want)
			}
		}
	})
}
