package hep

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip"
	"github.com/trunklog/trunklog/sip/siptest"
)

// unhex reads hexadecimal digits, texts in quotes, and comments behind #.
func unhex(t testing.TB, s string) (b []byte) {
	t.Helper()
	for line := range strings.Lines(s) {
		for line = strings.TrimSpace(line); line != "" && line[0] != '#'; line = strings.TrimSpace(line) {
			word, rest, _ := strings.Cut(line, " ")
			if line[0] == '"' {
				quoted, err := strconv.QuotedPrefix(line)
				if err != nil {
					t.Fatal(err)
				}
				text, _ := strconv.Unquote(quoted)
				b = append(b, text...)
				line = line[len(quoted):]
				continue
			}
			part, err := hex.DecodeString(word)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			b, line = append(b, part...), rest
		}
	}
	return b
}

// packets returns the packets of testdata/packet.
func packets(t testing.TB) *txtar.Archive {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", "packet", "packets.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// opened describes what an opener makes of a packet.
func opened(b []byte) string {
	var o opener
	var s call.Signal
	msg, cause := o.open(bytes.Clone(b), &s)
	if cause != 0 {
		return "error: " + cause.String() + "\n"
	}
	var out strings.Builder
	p := &o.packet
	for _, line := range []struct{ name, value string }{
		{"key", string(p.Key)}, {"node", string(p.Node)}, {"correlation", s.Correlation},
	} {
		if line.value != "" {
			fmt.Fprintf(&out, "%s: %s\n", line.name, line.value)
		}
	}
	return out.String() + siptest.Dump(&s) + fmt.Sprintf("message: %d bytes\n", len(msg))
}

// TestPackets compares what an opener makes of each packet with what its file says.
func TestPackets(t *testing.T) {
	a := packets(t)
	want := map[string]string{}
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if name, ok := strings.CutSuffix(f.Name, ".want"); ok {
			want[name] = string(f.Data)
			continue
		}
		got := opened(unhex(t, string(f.Data)))
		out.Files = append(out.Files, f, txtar.File{Name: f.Name + ".want", Data: []byte(got)})
	}
	for i := 1; i < len(out.Files) && !*update; i += 2 {
		name, got := out.Files[i-1].Name, string(out.Files[i].Data)
		if got != want[name] {
			t.Errorf("%s:\n%swant:\n%s", name, got, want[name])
		}
	}
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "packet", "packets.txtar"), txtar.Format(out), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// A draft is a packet that a test makes.
type draft struct {
	at       time.Time
	src, dst string
	key      string
	payload  string
	packed   bool // the payload is compressed
	kind     byte // of the payload; 0 is SIP
	extra    []byte
}

func (d draft) bytes() []byte {
	b := []byte(magic + "\x00\x00")
	chunk := func(kind uint16, data []byte) {
		b = binary.BigEndian.AppendUint16(b, 0)
		b = binary.BigEndian.AppendUint16(b, kind)
		b = binary.BigEndian.AppendUint16(b, uint16(chunkSize+len(data)))
		b = append(b, data...)
	}
	four := func(n int64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	chunk(chunkFamily, []byte{2})
	chunk(chunkProtocol, []byte{6})
	for i, addr := range []string{d.src, d.dst} {
		if addr == "" {
			continue
		}
		a := netip.MustParseAddrPort(addr)
		kind := uint16(chunkSrc4 + i)
		if a.Addr().Is6() {
			kind = uint16(chunkSrc6 + i)
		}
		chunk(kind, a.Addr().AsSlice())
		chunk(uint16(chunkSrcPort+i), binary.BigEndian.AppendUint16(nil, a.Port()))
	}
	if !d.at.IsZero() {
		chunk(chunkSeconds, four(d.at.Unix()))
		chunk(chunkMicros, four(int64(d.at.Nanosecond()/1000)))
	}
	if d.kind == 0 {
		d.kind = typeSIP
	}
	chunk(chunkType, []byte{d.kind})
	chunk(chunkAgent, four(2001))
	if d.key != "" {
		chunk(chunkKey, []byte(d.key))
	}
	if d.packed {
		chunk(chunkCompressed, []byte(d.payload))
	} else {
		chunk(chunkPayload, []byte(d.payload))
	}
	b = append(b, d.extra...)
	binary.BigEndian.PutUint16(b[len(magic):], uint16(len(b)))
	return b
}

func zlibbed(s string) string {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return out.String()
}

func gzipped(s string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return out.String()
}

// TestInflateBound checks that a payload may grow to 64 KiB and no further, and that a larger one
// takes no more than four times that of memory.
func TestInflateBound(t *testing.T) {
	msg := "OPTIONS sip:b SIP/2.0\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: big\r\nCSeq: 1 OPTIONS\r\nX: "
	fill := func(n int) string { return msg + strings.Repeat("x", n-len(msg)-4) + "\r\n\r\n" }
	for name, pack := range map[string]func(string) string{"zlib": zlibbed, "gzip": gzipped} {
		for _, test := range []struct {
			size int
			want Cause
		}{{200, 0}, {4 << 10, 0}, {maxInflated - 1, 0}, {maxInflated, 0}, {maxInflated + 1, Inflated}, {20 << 20, Inflated}} {
			var o opener
			var s call.Signal
			got, cause := o.open(draft{payload: pack(fill(test.size)), packed: true}.bytes(), &s)
			if cause != test.want {
				t.Errorf("%s of %d bytes: %v, want %v", name, test.size, cause, test.want)
			}
			if cause == 0 && (len(got) != test.size || s.CallID != "big") {
				t.Errorf("%s of %d bytes: %d bytes, Call-ID %q", name, test.size, len(got), s.CallID)
			}
			if n := cap(o.memory); n > 4*maxInflated {
				t.Errorf("%s of %d bytes took %d bytes of memory", name, test.size, n)
			}
		}
	}
}

// TestUnwrapperMemory checks that messages stay intact until they are released, however many there
// are.
func TestUnwrapperMemory(t *testing.T) {
	var o opener
	var all [50]call.Signal
	for round := range 3 {
		for i := range all {
			d := draft{payload: zlibbed(fmt.Sprintf("BYE sip:%d@b SIP/2.0\r\nFrom: <sip:a>\r\nTo: <sip:b>\r\nCall-ID: %d.%d\r\nCSeq: 1 BYE\r\n\r\n", i, round, i)), packed: true}
			if _, cause := o.open(d.bytes(), &all[i]); cause != 0 {
				t.Fatal(cause)
			}
		}
		for i := range all {
			if want := fmt.Sprintf("%d.%d", round, i); all[i].CallID != want {
				t.Fatalf("message %d of round %d became %q", i, round, all[i].CallID)
			}
		}
		o.release()
	}
}

// TestKey checks that the opener refuses a packet with a wrong key, or none.
func TestKey(t *testing.T) {
	for _, test := range []struct {
		key, sent string
		want      Cause
	}{{"", "", 0}, {"", "any", 0}, {"right", "right", 0}, {"right", "", Auth}, {"right", "righ", Auth}, {"right", "right ", Auth}, {"right", "wrong", Auth}} {
		o := opener{key: []byte(test.key)}
		var s call.Signal
		if _, cause := o.open(draft{key: test.sent, payload: bye}.bytes(), &s); cause != test.want {
			t.Errorf("key %q for %q: %v, want %v", test.sent, test.key, cause, test.want)
		}
	}
}

const bye = "BYE sip:2@b SIP/2.0\r\nFrom: <sip:1@a>;tag=f\r\nTo: <sip:2@b>;tag=t\r\nCall-ID: bye\r\nCSeq: 1 BYE\r\n\r\n"

// TestCauses checks that every cause has a name and a text of its own.
func TestCauses(t *testing.T) {
	names := map[string]Cause{}
	for _, c := range Causes() {
		name := c.String()
		if name == "" || c.Error() == "" || strings.HasPrefix(name, "cause-") {
			t.Errorf("cause %d is not described", int(c))
		}
		if other, twice := names[name]; twice {
			t.Errorf("%d and %d are both called %s", other, c, name)
		}
		names[name] = c
	}
	if len(names) != NumCauses-1 {
		t.Errorf("there are %d causes and %d places", len(names), NumCauses)
	}
	for f := sip.FaultEmpty; int(f) < sip.NumFaults; f++ {
		if c := causeOf(f); c.String() != f.String() || c.Error() != f.Error() || c.fault() != f {
			t.Errorf("%v (%s) becomes %v (%s)", f, f.String(), c, c.String())
		}
	}
	for _, c := range []Cause{0, numCauses, 255} {
		if got, want := c.Error(), fmt.Sprintf("cause-%d", int(c)); got != want {
			t.Errorf("cause %d is %q, want %q", int(c), got, want)
		}
	}
}

// TestFrame checks that frame knows the length of a packet, or that there is none, from as few
// bytes as possible.
func TestFrame(t *testing.T) {
	whole := draft{payload: bye}.bytes()
	for n := range headerSize + 2 {
		got, cause := frame(whole[:n])
		want := len(whole)
		if n < headerSize {
			want = 0
		}
		if got != want || cause != 0 {
			t.Errorf("%d bytes: %d, %v, want %d", n, got, cause, want)
		}
	}
	for s, want := range map[string]Cause{"x": Magic, "HX": Magic, "HEPX": Version, "HEP2\x00\x10": Version, "HEP3\x00\x05": Length, "HEP3\x00\x06": 0, "\x01\x10": 0, "\x01\x10\x02\x11": Version, "\x01\x28\x0a\x06": Version, "\x02\x1c\x02\x16": Version, "\x02\x34\x1e\x11": Version, "\x02\x1a\x02\x84": Version, "\x02\x02\x02\x11": Version, "\x02\x28xx": Magic, "\x02": 0, "\x03\x10\x02\x11": Magic, "\x01\x01\x00\x08": Magic} {
		if _, cause := frame([]byte(s)); cause != want {
			t.Errorf("%q: %v, want %v", s, cause, want)
		}
	}
}
