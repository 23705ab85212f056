package sip

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip/siptest"
)

var bareCR = regexp.MustCompile(`\r[^\n]`)

// FuzzScan gives any bytes to Scan and Strip, and checks that Scan gives the same for a message
// again, for its stripped form, and with white space around its headers.
func FuzzScan(f *testing.F) {
	for _, msg := range siptest.All(f) {
		f.Add(msg)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		msg := bytes.Clone(input)
		var s call.Signal
		s.Agent = 7
		_, fault := scan(msg, &s)
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
			if _, fault := scan(other, &again); fault != 0 || siptest.Dump(&again) != want {
				t.Errorf("%q: %v\n%swant:\n%s", other, fault, siptest.Dump(&again), want)
			}
		}
	})
}

// headerNames are those of headers that may have any form in a valid message.
func headerNames() (all []string) {
	for _, n := range names[1:] {
		if n.header != headerCallID && n.header != headerCSeq {
			all = append(all, n.text)
		}
	}
	return append(all, "x-unknown")
}

// checkHarmless checks that a broken header costs a message only that header, wherever it comes.
func checkHarmless(t *testing.T, name string, value []byte) {
	t.Helper()
	value = bytes.ReplaceAll(value, []byte("\n"), []byte("\n ")) // else it is more than one header
	header := append(append([]byte(name+": "), value...), "\r\n"...)
	rest := []byte("Call-ID: id\r\nCSeq: 7 INVITE\r\n")
	for _, msg := range [][]byte{
		slices.Concat([]byte("INVITE sip:b SIP/2.0\r\n"), header, rest, []byte("\r\n")),
		slices.Concat([]byte("SIP/2.0 200 OK\r\n"), rest, header),
		slices.Concat([]byte("INVITE sip:b SIP/2.0\r\nFrom: <sip:a>\r\nTo: <sip:b>\r\n"), rest, header, header, []byte("\r\nbody")),
		slices.Concat([]byte("INVITE sip:b SIP/2.0\r\n"), rest, header[:len(header)-2]),
	} {
		kept := Strip(nil, msg)
		var s call.Signal
		unread, err := Scan(msg, &s)
		if err != nil || s.CallID != "id" || s.CSeq != 7 || s.CSeqMethod != "INVITE" {
			t.Fatalf("%q: %v, Call-ID %q, CSeq %d %q", msg, err, s.CallID, s.CSeq, s.CSeqMethod)
		}
		if int(unread) >= NumFaults {
			t.Errorf("%q: fault %d", msg, unread)
		}
		siptest.Check(t, &s)
		if _, err := Scan(kept, &s); err != nil || s.CallID != "id" {
			t.Fatalf("%q, of which %q is kept: %v", msg, kept, err)
		}
	}
}

// FuzzHeader gives bytes of all kinds to each header but Call-ID and CSeq.
func FuzzHeader(f *testing.F) {
	all := headerNames()
	for _, msg := range siptest.All(f) {
		for line := range bytes.SplitSeq(msg, []byte("\r\n")) {
			name, value, _ := bytes.Cut(line, []byte{':'})
			if i := slices.Index(all, strings.ToLower(string(name))); i >= 0 {
				f.Add(uint8(i), value)
			}
		}
	}
	f.Fuzz(func(t *testing.T, name uint8, value []byte) {
		checkHarmless(t, all[int(name)%len(all)], value)
	})
}

// TestHeadersAreHarmless tries values made of pieces of the grammar, in any order.
func TestHeadersAreHarmless(t *testing.T) {
	pieces := []string{
		"<", ">", "\"", "\\", ",", ";", ":", "@", "%", "%2B", "=", "?", "[", "]", " ", "\t", "\r", "\n", "\x00", "\xfc", "ü", "*", ".", "..",
		"sip:", "sips:", "tel:", "urn:", "Jack", "+44", "a.b", "tag", "tag=f", "verstat", ";verstat=x", "siprec", "+sip.src", "Q.850", "SIP/2.0", "eyJhdHRlc3QiOiJBIn0", "A",
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	all := headerNames()
	for range 20_000 {
		var value []byte
		for range r.IntN(12) {
			value = append(value, pieces[r.IntN(len(pieces))]...)
		}
		checkHarmless(t, all[r.IntN(len(all))], value)
	}
}
