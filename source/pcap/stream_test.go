package pcap

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// seed returns where a test's choices begin, and prints it.
func seed(t *testing.T) *rand.Rand {
	n := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("TRUNKLOG_SEED"), 10, 64); err == nil {
		n = s
	}
	t.Logf("TRUNKLOG_SEED=%d", n)
	return rand.New(rand.NewPCG(n, 1))
}

// cut cuts b into segments of up to most bytes, whose numbers begin at seq.
func cut(rng *rand.Rand, src, dst netip.AddrPort, seq uint32, b []byte, most int) (all [][]byte) {
	for len(b) > 0 {
		n := min(len(b), 1+rng.IntN(most))
		all = append(all, tcp(src, dst, seq, 0, b[:n]))
		seq += uint32(n)
		b = b[n:]
	}
	return all
}

// TestStreams sends messages over connections, cut anywhere, with segments out
// of order, repeated and overlapping, in both directions at once: all messages
// come out, each once and in their order.
func TestStreams(t *testing.T) {
	rng := seed(t)
	for range scale(300) {
		var packets [][]byte
		var want []string
		for direction, ends := range [][2]netip.AddrPort{{teams4, sbc4}, {sbc4, teams4}, {teams6, sbc6}} {
			var b []byte
			for i := range 1 + rng.IntN(8) {
				id := fmt.Sprintf("%d.%d", direction, i)
				want = append(want, id)
				m := msg(id, 3+rng.IntN(200))
				if rng.IntN(4) == 0 {
					head, body, _ := bytes.Cut(m, []byte("\r\n\r\n"))
					m = join(bytes.ReplaceAll(head, []byte("\r\n"), []byte("\n")), []byte("\n\n"), body)
				}
				if rng.IntN(4) == 0 {
					m = bytes.Replace(m, []byte("Content-Length"), []byte("l"), 1)
				}
				b = append(append(b, m...), []string{"", "", "\r\n", "\r\n\r\n"}[rng.IntN(4)]...)
			}
			seq := rng.Uint32()
			if rng.IntN(2) == 0 {
				seq = -uint32(rng.IntN(len(b))) // its numbers begin again in the middle
			}
			segments := cut(rng, ends[0], ends[1], seq, b, 1+rng.IntN(len(b)))
			from := 0
			if rng.IntN(2) == 0 { // else the capture begins in the middle of the connection
				packets = append(packets, tcp(ends[0], ends[1], seq-1, flagSYN, nil))
			} else {
				from = 1
			}
			for i := range segments {
				if j := min(len(segments)-1, i+rng.IntN(4)); i >= from && j > i {
					segments[i], segments[j] = segments[j], segments[i]
				}
			}
			for range rng.IntN(4) { // repeated, cut elsewhere
				more := cut(rng, ends[0], ends[1], seq, b, 1+rng.IntN(len(b)))
				at := from + rng.IntN(len(segments)-from+1)
				segments = slices.Insert(segments, at, more[rng.IntN(len(more))])
				if at == 0 {
					from = 0
				}
			}
			packets = append(packets, segments...)
			if rng.IntN(2) == 0 {
				packets = append(packets, tcp(ends[0], ends[1], seq+uint32(len(b)), flagFIN, nil))
			}
		}
		got, notes := read(file(linkRaw, packets...))
		slices.SortStableFunc(got, func(a, b string) int { return strings.Compare(a[:2], b[:2]) })
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q, want\n%q\nnotes %q", got, want, notes)
		}
	}
}

// TestHoles checks that in a connection with missing segments every complete message comes out, and
// nothing that was not sent.
func TestHoles(t *testing.T) {
	rng := seed(t)
	for range scale(300) {
		const n = 30
		var b []byte
		var ends []int // of the messages
		for i := range n {
			b = append(b, msg(strconv.Itoa(i), 3+rng.IntN(300))...)
			ends = append(ends, len(b))
		}
		var segments [][]byte
		var lost [][2]int
		at := 0
		for len(segments) == 0 || at < len(b) {
			size := min(len(b)-at, 1+rng.IntN(1460))
			if at > 0 && rng.IntN(6) == 0 {
				lost = append(lost, [2]int{at, at + size})
			} else {
				segments = append(segments, tcp(teams4, sbc4, 1000+uint32(at), 0, b[at:at+size]))
			}
			at += size
		}
		got, _ := read(file(linkRaw, append([][]byte{tcp(teams4, sbc4, 999, flagSYN, nil)}, segments...)...))
		for i := range n {
			from := 0
			if i > 0 {
				from = ends[i-1]
			}
			whole := !slices.ContainsFunc(lost, func(l [2]int) bool { return l[0] < ends[i] && l[1] > from })
			count := 0
			for _, id := range got {
				if id == strconv.Itoa(i) {
					count++
				}
			}
			if count > 1 || whole && count == 0 {
				t.Fatalf("message %d (whole: %v) came out %d times: %q, lost %v, ends %v", i, whole, count, got, lost, ends)
			}
		}
		for _, id := range got {
			if _, err := strconv.Atoi(id); err != nil && !strings.Contains(id, "Call-ID is missing") && !strings.Contains(id, "CSeq is missing") && !strings.Contains(id, "breaks off") {
				t.Fatalf("%q was not sent: %q", id, got)
			}
		}
	}
}

// TestConnections checks other events of connections.
func TestConnections(t *testing.T) {
	a, b, c := msg("a", 3), msg("b", 0), msg("c", 100)
	noLength := bytes.ReplaceAll(b, []byte("Content-Length: 0\r\n"), nil)
	tooLong := bytes.ReplaceAll(b, []byte("Content-Length: 0\r\n"), []byte("Content-Length: 99999999999999999999\r\n"))
	one := func(seq uint32, b []byte) []byte { return tcp(teams4, sbc4, seq, 0, b) }
	la, lb := uint32(len(a)), uint32(len(b))
	for _, test := range []struct {
		name    string
		packets [][]byte
		want    string
	}{
		{"several in one segment", [][]byte{one(1, join(a, b, c))}, "[a b c]"},
		{"no Content-Length", [][]byte{one(1, join(noLength, a, c))}, "[b a c]"},
		{"a Content-Length that cannot be", [][]byte{one(1, join(tooLong, a, c))}, "[b a c]"},
		{"seen in the middle of a message", [][]byte{one(1, a[30:]), one(1+la-30, join(b, c))}, "[b c]"},
		{"seen in the middle of a line", [][]byte{one(1, join(a[25:], b, c))}, "[b c]"},
		{"seen in the middle of a body", [][]byte{one(1, join([]byte("bb\r\n"), b, c))}, "[b c]"},
		{"seen in the middle of a body without a line break", [][]byte{one(1, join([]byte("bbb"), b, c))}, "[c]"},
		{"ports used again", [][]byte{one(1, a), tcp(teams4, sbc4, 700000, flagSYN, nil), one(700001, b)}, "[a b]"},
		{"ports used again, unseen", [][]byte{one(1, a), one(1<<31, b)}, "[a b]"},
		{"SYN again", [][]byte{tcp(teams4, sbc4, 0, flagSYN, nil), one(1, a), tcp(teams4, sbc4, 0, flagSYN, nil), one(1+la, b)}, "[a b]"},
		{"RST", [][]byte{one(1, a[:50]), tcp(teams4, sbc4, 51, flagRST, nil), one(900, b)}, "[<invalid: frame 1: the SIP message breaks off within its headers> b]"},
		{"ends in a body", [][]byte{one(1, c[:len(c)-50])}, "[c]"},
		{"ends in the headers", [][]byte{one(1, join(b, c[:len(c)-120]))}, "[b c]"},
		{"SYN again, out of order", [][]byte{tcp(teams4, sbc4, 0, flagSYN, nil), one(1, a[:50]), tcp(teams4, sbc4, 0, flagSYN, nil), one(51, a[50:])}, "[a]"},
		{"data with SYN", [][]byte{tcp(teams4, sbc4, 0, flagSYN, a), one(1+la, b)}, "[a b]"},
		{"something else first", [][]byte{one(1, []byte("PING\r\n")), one(7, join(a, b))}, "[a b]"},
		{"HEP", [][]byte{one(1, join([]byte("HEP3\x01\x00\x00\x00\x00\x0f\x00\x99"), a))}, "[]"},
		{"a message in a message", [][]byte{one(1, join(bytes.Replace(b, []byte("Content-Length: 0"), []byte("Content-Length: "+strconv.Itoa(int(la))), 1), a, c))}, "[b c]"},
		{"FIN before the rest", [][]byte{tcp(teams4, sbc4, 0, flagSYN, nil), tcp(teams4, sbc4, 1+la, flagFIN, b), one(1, a)}, "[a b]"},
		{"the last byte missing", [][]byte{one(1, a[:la-1]), one(1+la, b), one(1+la+lb, c)}, "[a b c]"},
	} {
		got, _ := read(file(linkRaw, test.packets...))
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: %v, want %s", test.name, got, test.want)
		}
	}
}

// TestTimeOfStream checks that a message has the time of the segment with the end
// of its headers, also if that one came before others.
func TestTimeOfStream(t *testing.T) {
	a := msg("a", 400)
	f := file(linkRaw, tcp(teams4, sbc4, 0, flagSYN, nil), tcp(teams4, sbc4, 101, 0, a[100:]), tcp(teams4, sbc4, 1, 0, a[:100]))
	for e, err := range Decoder(nil, nil)(bytes.NewReader(f)) {
		if err != nil || !e.Signal.At.Equal(start.Add(time.Millisecond)) || e.Signal.Transport != "tcp" {
			t.Errorf("%v, %v", e, err)
		}
	}
}
