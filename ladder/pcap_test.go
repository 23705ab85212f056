package ladder_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ladder"
	"github.com/trunklog/trunklog/store/storetest"
)

// tshark returns what tshark reads in the capture of c: the fields of each
// packet.
func tshark(t *testing.T, c *ladder.Call, fields ...string) [][]string {
	t.Helper()
	program, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("tshark is missing, and nothing else shows that captures can be read")
		}
		t.Skip("tshark is missing")
	}
	var b bytes.Buffer
	if _, err := c.PCAP(&b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "call.pcap")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-n", "-r", file, "-T", "fields", "-E", "separator=|", "-E", "occurrence=f", "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, &stderr)
	}
	var rows [][]string
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "|"))
	}
	if len(rows) != len(c.Messages) {
		t.Fatalf("tshark reads %d packets, want %d", len(rows), len(c.Messages))
	}
	return rows
}

// firstLine returns what tshark reads in a first line. It is strict: no phrase
// is a space and an empty phrase, and SIP is in capitals.
func firstLine(raw string) (method, code string) {
	line, _, _ := strings.Cut(raw, "\r\n")
	words := strings.SplitN(line, " ", 3)
	switch {
	case len(words) == 3 && words[0] == "SIP/2.0":
		code = words[1]
	case len(words) == 3 && words[2] == "SIP/2.0":
		method = words[0]
	}
	return method, code
}

// tshark lists the methods and codes of the examples in their order, with their
// addresses, ports and times, and finds nothing malformed and no checksum that
// is wrong.
func TestTshark(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			e := readExample(t, a)
			rows := tshark(t, e.Call, "frame.time_epoch", "sip.Method", "sip.Status-Code", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
				"udp.srcport", "udp.dstport", "udp.length", "ip.checksum.status", "udp.checksum.status", "_ws.malformed", "udp.payload")
			for i, got := range rows {
				m := &e.Messages[i]
				method, code := firstLine(string(m.Raw))
				four := !m.Src.Addr().Unmap().Is6() && !m.Dst.Addr().Unmap().Is6()
				show := func(a netip.Addr, is4 bool) string {
					a = a.Unmap()
					switch {
					case is4 != four:
						return ""
					case four && !a.IsValid():
						return "0.0.0.0"
					case a.Is4() && !four:
						return "::ffff:" + a.String()
					}
					return a.String()
				}
				good4 := ""
				if four {
					good4 = "1"
				}
				want := []string{
					fmt.Sprintf("%d.%06d000", m.At.Unix(), m.At.Nanosecond()/1000), method, code,
					show(m.Src.Addr(), true), show(m.Dst.Addr(), true), show(m.Src.Addr(), false), show(m.Dst.Addr(), false),
					strconv.Itoa(int(m.Src.Port())), strconv.Itoa(int(m.Dst.Port())), strconv.Itoa(8 + len(m.Raw)), good4, "1", "", hex.EncodeToString(m.Raw),
				}
				if strings.Join(got, "|") != strings.Join(want, "|") {
					t.Errorf("packet %d is\n\t%s\nwant\n\t%s", i+1, got, want)
				}
			}
		})
	}
}

// Calls that go on over days come out of a store and a capture whole: every
// message with its bytes and its microsecond, and in their order.
func TestWholeCall(t *testing.T) {
	rng := rand.New(rand.NewPCG(storetest.Seed(t), 5))
	row := call.Cursor{Start: time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC), ID: call.GUID{1}}
	var b call.Batch
	want := map[string]bool{}
	at := row.Start
	for i := range 3 {
		b.Legs = append(b.Legs, call.Leg{Row: row, ID: legID(strconv.Itoa(i)), Main: i == 1, From: at, To: at})
	}
	for n := range storetest.Scale(2000) {
		at = at.Add(time.Duration(1+rng.IntN(rng.IntN(600_000)+1)) * time.Millisecond / 7)
		l := &b.Legs[rng.IntN(len(b.Legs))]
		l.To = at
		b.Messages = append(b.Messages, call.Message{
			Leg: l.ID, At: at, Raw: fmt.Appendf(nil, "INFO sip:x SIP/2.0\r\nCall-ID: %v\r\nCSeq: %d INFO\r\n\r\n", l.ID, n),
			Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060"),
		})
	}
	m := storetest.NewModel()
	if _, err := m.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	c, err := ladder.Read(t.Context(), m, call.GUID{}, row)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Messages) != len(b.Messages) {
		t.Fatalf("%d messages, want %d", len(c.Messages), len(b.Messages))
	}
	for i, got := range tshark(t, c, "frame.time_epoch", "udp.payload") {
		m := &b.Messages[i]
		s := fmt.Sprintf("%d.%06d000|%x", m.At.Unix(), m.At.Nanosecond()/1000, m.Raw)
		if want[s] = true; strings.Join(got, "|") != s {
			t.Fatalf("packet %d is %s, want %s", i+1, got, s)
		}
	}
	if len(want) != len(b.Messages) {
		t.Errorf("%d of %d messages are different: the test shows nothing", len(want), len(b.Messages))
	}
}

// Messages of all sizes are read, those that are too long for a datagram up to
// the last header that fits.
func TestTsharkSizes(t *testing.T) {
	c := &ladder.Call{}
	at := time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC)
	src4, dst4 := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("198.51.100.7:5060")
	src6, dst6 := netip.MustParseAddrPort("[2001:db8::1]:5060"), netip.MustParseAddrPort("[2001:db8::2]:5060")
	var want []string
	for _, size := range []int{150, 151, 1500, 9000, 65_506, 65_507, 65_508, 65_527, 65_528, call.MaxMessage} {
		raw := fmt.Appendf(nil, "OPTIONS sip:x SIP/2.0\r\nCall-ID: size-%d\r\nCSeq: 1 OPTIONS\r\nSubject: ", size)
		raw = append(raw, bytes.Repeat([]byte("x"), size-len(raw)-22)...)
		raw = append(raw, "\r\nMax-Forwards: 70\r\n\r\n"...)
		for _, m := range []call.Message{{Src: src4, Dst: dst4}, {Src: src6, Dst: dst6}} {
			limit := 65_507
			if m.Src == src6 {
				limit = 65_527
			}
			length, forwards := size, "70"
			if size > limit {
				length, forwards = size-len("Max-Forwards: 70\r\n"), ""
			}
			if length > limit {
				length = bytes.Index(raw, []byte("Subject")) + 2
			}
			want = append(want, fmt.Sprintf("%d|1|OPTIONS|size-%d|%s|", 8+length, size, forwards))
			m.At, m.Raw = at.Add(time.Duration(len(c.Messages))*time.Second), raw
			c.Messages = append(c.Messages, m)
		}
	}
	for i, got := range tshark(t, c, "udp.length", "udp.checksum.status", "sip.Method", "sip.Call-ID", "sip.Max-Forwards", "_ws.malformed") {
		if s := strings.Join(got, "|"); s != want[i] {
			t.Errorf("packet %d of %d bytes is %s, want %s", i+1, len(c.Messages[i].Raw), s, want[i])
		}
	}
}

// A checksum of 0 would say that there is none, and is written as 0xffff.
func TestChecksumZero(t *testing.T) {
	c := &ladder.Call{}
	for n := range 1 << 16 {
		c.Messages = append(c.Messages, call.Message{At: time.Unix(0, 0), Raw: []byte{byte(n >> 8), byte(n)}})
	}
	var b bytes.Buffer
	if _, err := c.PCAP(&b); err != nil {
		t.Fatal(err)
	}
	const head, packet = 24, 16 + 20 + 8 + 2
	seen := 0
	for at := head + packet - 4; at < b.Len(); at += packet {
		switch binary.BigEndian.Uint16(b.Bytes()[at:]) {
		case 0:
			t.Errorf("packet %d has the checksum 0", (at-head)/packet)
		case 0xffff:
			seen++
		}
	}
	if seen != 1 {
		t.Errorf("%d checksums are 0xffff", seen)
	}
}

func TestLoss(t *testing.T) {
	long := call.Message{At: time.Unix(0, 0), Raw: make([]byte, call.MaxMessage)}
	early := call.Message{At: time.Unix(-1, 0), Raw: []byte("x")}
	late := call.Message{At: time.Unix(1<<32, 0), Raw: []byte("x")}
	last := call.Message{At: time.Unix(1<<32-1, 999_999_999), Raw: []byte("x")}
	c := &ladder.Call{Messages: []call.Message{early, long, last, late}}
	var b bytes.Buffer
	loss, err := c.PCAP(&b)
	if err != nil || loss != (ladder.Loss{Cut: 1, Times: 2}) {
		t.Fatalf("%+v, %v", loss, err)
	}
	var times []uint32
	for rest := b.Bytes()[24:]; len(rest) > 0; rest = rest[16+binary.LittleEndian.Uint32(rest[8:]):] {
		times = append(times, binary.LittleEndian.Uint32(rest))
	}
	if fmt.Sprint(times) != fmt.Sprint([]uint32{0, 0, 1<<32 - 1, 1<<32 - 1}) {
		t.Errorf("seconds %d", times)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

var errFull = errors.New("full")

// Every output returns the error of a full disk.
func TestWriteErrors(t *testing.T) {
	c := &ladder.Call{Messages: []call.Message{{At: time.Unix(0, 0), Raw: []byte("x")}}}
	_, pcap := c.PCAP(full{})
	for name, err := range map[string]error{"text": c.Text(full{}, ladder.TextOptions{}), "JSON": c.JSON(full{}), "capture": pcap} {
		if !errors.Is(err, errFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
