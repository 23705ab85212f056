package sip

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip/siptest"
)

// TestNames checks that each name is known in any case and with white space around it, and no name
// that differs in one byte.
func TestNames(t *testing.T) {
	check := func(name string, want header) {
		t.Helper()
		for _, value := range []string{"", "v", " a value of more than eight bytes: "} {
			for _, line := range []string{name + ":" + value, name + " \t:" + value, "\r " + name + ":" + value} {
				h, rest := cutName([]byte(line))
				if h != want || h != otherHeader && string(rest) != value {
					t.Errorf("%q: header %d with %q, want %d", line, h, rest, want)
				}
			}
		}
		if h := headerNamed([]byte(name)); h != want {
			t.Errorf("%q alone: header %d, want %d", name, h, want)
		}
	}
	known := map[string]bool{}
	for _, n := range names[1:] {
		known[n.text] = true
	}
	for _, n := range names[1:] {
		check(n.text, n.header)
		check(strings.ToUpper(n.text), n.header)
		check(strings.ToUpper(n.text[:1])+n.text[1:], n.header)
		check("x"+n.text, otherHeader)
		check(n.text+"x", otherHeader)
		for i := range n.text {
			for c := range 256 {
				b := []byte(n.text)
				b[i] = byte(c)
				if c != ':' && !known[strings.ToLower(string(b))] && len(trim(b)) == len(b) {
					check(string(b), otherHeader)
				}
			}
		}
	}
	for _, line := range []string{"", "From", "a line without a colon", ":", ": a value without a name", strings.Repeat(" ", 30) + ":"} {
		if h, _ := cutName([]byte(line)); h != otherHeader {
			t.Errorf("%q: header %d", line, h)
		}
	}
}

// TestEightBytes compares the functions on eight bytes with those on one.
func TestEightBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const letters = "aaaaaaaaaaaaaaaaaaaaaaaa:;?@%</=>A9\x00\x80\xba\xc0\xff"
	for range 100_000 {
		b := make([]byte, r.IntN(70))
		for i := range b {
			b[i] = letters[r.IntN(len(letters)-r.IntN(2)*5)]
		}
		if got, want := indexColon(b), bytes.IndexByte(b, ':'); got != want {
			t.Fatalf("%q: a colon at %d, want %d", b, got, want)
		}
		if got, want := isASCII(b), bytes.IndexFunc(b, func(r rune) bool { return r >= utf8.RuneSelf }) < 0; got != want {
			t.Fatalf("%q: ASCII is %t, want %t", b, got, want)
		}
		want := bytes.IndexAny(b, ":;?@")
		if want < 0 {
			want = len(b)
		}
		if got := hostEnd(b); got != want {
			t.Fatalf("%q: a host of %d bytes, want %d", b, got, want)
		}
		if got, want := isPlain(b), !bytes.ContainsAny(b, ":;%"); got != want {
			t.Fatalf("%q: plain is %t, want %t", b, got, want)
		}
	}
}

// TestScanAllocates checks that only escapes and PASSporTs need memory.
func TestScanAllocates(t *testing.T) {
	msg := func(user string) []byte {
		return []byte("BYE sip:" + user + "@b SIP/2.0\r\nFrom: <sip:a>\r\nTo: <sip:b>\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n\r\n")
	}
	check := func(msg []byte, want float64) {
		t.Helper()
		var s call.Signal
		if got := testing.AllocsPerRun(10, func() {
			if _, fault := scan(msg, &s); fault != 0 {
				t.Fatal(fault)
			}
		}); got != want {
			t.Errorf("%q: %v allocations, want %v", msg, got, want)
		}
	}
	for _, m := range siptest.TeamsCall(t) {
		if !bytes.Contains(m, []byte("Identity: ")) {
			check(m, 0)
		}
	}
	check(msg("+441632960002:a%20password"), 0)
	check(msg("%2B441632960002"), 2)
}
