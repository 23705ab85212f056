package ladder_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ladder"
	"github.com/trunklog/trunklog/store/storetest"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// An example is a call in testdata, with its expected outputs.
type example struct {
	*ladder.Call
	widths []int
	sbc    string
	pcap   bool
}

func readExample(t testing.TB, a *txtar.Archive) example {
	t.Helper()
	e := example{Call: &ladder.Call{}}
	var start time.Time
	for _, f := range a.Files {
		switch words := strings.Fields(f.Name); {
		case f.Name == "options":
			for line := range strings.Lines(string(f.Data)) {
				e.option(t, strings.Fields(line), &start)
			}
		case len(words) == 5:
			e.Messages = append(e.Messages, exampleMessage(t, words, start, f.Data))
		}
	}
	return e
}

// TestTies: at equal times messages stand in the order in which they must have been sent, those of
// the leg to Microsoft first.
func TestTies(t *testing.T) {
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	store := storetest.NewModel()
	row := storetest.Rows(1, 1)[0]
	b := call.Batch{Rows: []call.Row{row}}
	var want []string
	for i, leg := range []string{"teams", "carrier"} {
		b.Legs = append(b.Legs, call.Leg{Tenant: row.Tenant, Row: row.Cursor(), ID: legID(leg), Main: i == 0, From: at, To: at})
		for _, m := range []string{"INVITE sip:b SIP/2.0\r\nCSeq: 9 INVITE", "SIP/2.0 180 R\r\nCSeq: 9 INVITE", "SIP/2.0 200 OK\r\nCSeq: 9 INVITE", "ACK sip:b SIP/2.0\r\nCSeq: 9 ACK", "BYE sip:b SIP/2.0\r\nCSeq: 10 BYE", "SIP/2.0 200 OK\r\nCSeq: 10 BYE"} {
			want = append(want, leg+" "+m)
			b.Messages = append(b.Messages, call.Message{Leg: legID(leg), At: at, Raw: []byte(m + "\r\n\r\n")})
		}
	}
	slices.Reverse(b.Messages)
	if _, err := store.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	c, err := ladder.Read(t.Context(), store, row.Tenant, row.Cursor())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range c.Messages {
		leg := "teams"
		if m.Leg != legID(leg) {
			leg = "carrier"
		}
		got = append(got, leg+" "+strings.TrimSpace(string(m.Raw)))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (e *example) option(t testing.TB, words []string, start *time.Time) {
	t.Helper()
	switch words[0] {
	case "start":
		var err error
		if *start, err = time.Parse(time.RFC3339, words[1]); err != nil {
			t.Fatal(err)
		}
	case "legs":
		for _, w := range words[1:] {
			name, main := strings.CutSuffix(w, "*")
			e.Legs = append(e.Legs, call.Leg{ID: legID(name), Main: main})
		}
		slices.SortFunc(e.Legs, func(a, b call.Leg) int { return a.Compare(&b) })
	case "sbc":
		e.sbc = words[1]
	case "pcap":
		e.pcap = true
	case "widths":
		for _, w := range words[1:] {
			n, err := strconv.Atoi(w)
			if err != nil {
				t.Fatal(err)
			}
			e.widths = append(e.widths, n)
		}
	default:
		t.Fatalf("option %s", words[0])
	}
}

func legID(name string) call.GUID { return call.NameGUID("ladder", name) }

func exampleMessage(t testing.TB, words []string, start time.Time, data []byte) call.Message {
	t.Helper()
	ms, err := strconv.ParseFloat(words[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	m := call.Message{
		At: start.Add(time.Duration(ms*10_000) * 100), Leg: legID(words[1]), Transport: words[4],
		Raw: bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")),
	}
	for i, a := range []*netip.AddrPort{&m.Src, &m.Dst} {
		if words[2+i] != "-" {
			*a = netip.MustParseAddrPort(words[2+i])
		}
	}
	return m
}

// outputs returns all that is made of the example.
func (e *example) outputs(t testing.TB) (out []txtar.File) {
	t.Helper()
	var b bytes.Buffer
	add := func(name string, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out = append(out, txtar.File{Name: name, Data: bytes.Clone(b.Bytes())})
		b.Reset()
	}
	for _, width := range e.widths {
		name := "want.text"
		if width > 0 {
			name += " in " + strconv.Itoa(width)
		}
		add(name, e.Text(&b, ladder.TextOptions{Width: width, SBC: e.sbc}))
		for line := range strings.Lines(string(out[len(out)-1].Data)) {
			// The list is for what fits nowhere.
			if n := len([]rune(strings.TrimRight(line, "\n"))); width > minimum && n > width {
				t.Errorf("%s: a line of %d columns: %s", name, n, line)
			}
		}
	}
	add("want.json", e.JSON(&b))
	if e.pcap {
		_, err := e.PCAP(&b)
		dump := hex.Dump(b.Bytes())
		b.Reset()
		b.WriteString(dump)
		add("want.pcap", err)
	}
	return out
}

const minimum = 60

func TestExamples(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			e := readExample(t, a)
			got := e.outputs(t)
			if *update {
				a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "want.") })
				a.Files = append(a.Files, got...)
				if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want := map[string]string{}
			for _, f := range a.Files {
				want[f.Name] = string(f.Data)
			}
			for _, g := range got {
				if string(g.Data) != want[g.Name] {
					t.Errorf("%s is\n%s\nwant\n%s", g.Name, g.Data, want[g.Name])
				}
			}
		})
	}
}

// No text of a stranger moves the cursor, hides or turns the line around.
func TestHostileText(t *testing.T) {
	for _, s := range []string{"\x1b[2J\x07", "\r", "\x00", "\u202e", "\u200b", "\u0085", "\x9b1m", "\xff\xfe", "e\u0301", "\u2028", "\ufeff"} {
		raw := fmt.Sprintf("SIP/2.0 200 O%sK\r\nCall-ID: a%sb\r\nCSeq: 1%s INV%sITE\r\n\r\n", s, s, s, s)
		c := &ladder.Call{
			Legs:     []call.Leg{{ID: legID("1")}},
			Messages: []call.Message{{At: time.Unix(0, 0), Leg: legID("1"), Raw: []byte(raw)}},
		}
		for _, width := range []int{0, 80, 10} {
			var b strings.Builder
			if err := c.Text(&b, ladder.TextOptions{Width: width, SBC: s}); err != nil {
				t.Fatal(err)
			}
			for _, r := range b.String() {
				if r != '\n' && r != ' ' && (r < ' ' || r >= 0x7f && r < 0xa0 || strings.ContainsRune("\u202e\u200b\u2028\u0301\ufeff", r)) {
					t.Errorf("%q: %q in %q", s, r, b.String())
				}
			}
			if width != 10 && !strings.Contains(b.String(), "�") {
				t.Errorf("%q: nothing shows that something was there: %q", s, b.String())
			}
		}
	}
}

// Very many parties, and texts without end, are drawn as well as can be.
func TestLargeText(t *testing.T) {
	for _, n := range []int{0, 1, 2, 12, 13, 300} {
		c := &ladder.Call{Legs: []call.Leg{{ID: legID("1"), Main: true}}}
		for i := range n {
			c.Messages = append(c.Messages, call.Message{
				At: time.Unix(int64(i), 0), Leg: legID("1"), Raw: []byte("SIP/2.0 200 " + strings.Repeat("x", 50_000)),
				Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), 5060),
				Dst: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 5060),
			})
		}
		for _, width := range []int{0, 1, 40, 80, 200} {
			var b strings.Builder
			if err := c.Text(&b, ladder.TextOptions{Width: width}); err != nil {
				t.Fatal(err)
			}
			if n == 0 && b.Len() != 0 {
				t.Errorf("a ladder without messages: %q", b.String())
			}
			if n > 0 && strings.Count(b.String(), " 200 ") < n {
				t.Errorf("%d messages in %d columns: %d are there", n, width, strings.Count(b.String(), " 200 "))
			}
		}
	}
}

// What a store has is read: all legs, over days, in the order of time.
func TestRead(t *testing.T) {
	at := time.Date(2026, 11, 23, 23, 59, 59, 0, time.UTC)
	row := call.Cursor{Start: at, ID: call.GUID{1}}
	tenant := call.GUID{9}
	var b call.Batch
	for i, name := range []string{"main", "other", "nobody's"} {
		l := call.Leg{Tenant: tenant, Row: row, ID: legID(name), Main: name == "main", From: at, To: at.Add(10 * time.Second)}
		if i < 2 {
			b.Legs = append(b.Legs, l)
		}
		for n := range 10 {
			b.Messages = append(b.Messages, call.Message{Leg: l.ID, At: at.Add(time.Duration(n) * time.Second), Raw: fmt.Appendf(nil, "%s %d", name, n)})
		}
	}
	m := storetest.NewModel()
	if _, err := m.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	c, err := ladder.Read(t.Context(), m, tenant, row)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range c.Messages {
		got = append(got, string(m.Raw))
	}
	if len(got) != 20 || len(c.Legs) != 2 || !c.Legs[0].Main {
		t.Fatalf("%d legs, messages %q", len(c.Legs), got)
	}
	for i, s := range got {
		if want := fmt.Sprintf("%s %d", []string{"main", "other"}[i%2], i/2); s != want {
			t.Errorf("message %d is %q, want %q", i, s, want)
		}
	}
	if c, err := ladder.Read(t.Context(), m, call.GUID{8}, row); err != nil || len(c.Messages)+len(c.Legs) != 0 {
		t.Errorf("of another tenant: %+v, %v", c, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ladder.Read(ctx, m, tenant, row); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was cancelled", err)
	}
}

// Every output works for any message, and its parts are parts of it.
func FuzzMessage(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, m := range readExample(f, a).Messages {
			f.Add(m.Raw, m.Src.Addr().AsSlice(), m.Dst.Addr().AsSlice(), uint8(80))
		}
	}
	f.Fuzz(func(t *testing.T, raw, src, dst []byte, width uint8) {
		from, _ := netip.AddrFromSlice(src)
		to, _ := netip.AddrFromSlice(dst)
		m := call.Message{At: time.Unix(1, 0), Leg: legID("1"), Raw: raw, Src: netip.AddrPortFrom(from, 5060), Dst: netip.AddrPortFrom(to, 5061)}
		c := &ladder.Call{Legs: []call.Leg{{ID: legID("1"), Main: true}}, Messages: []call.Message{m, m}}
		var text, js, pcap bytes.Buffer
		if err := c.Text(&text, ladder.TextOptions{Width: int(width)}); err != nil {
			t.Fatal(err)
		}
		if err := c.JSON(&js); err != nil {
			t.Fatal(err)
		}
		loss, err := c.PCAP(&pcap)
		if err != nil {
			t.Fatal(err)
		}
		if loss.Cut == 0 && bytes.Count(pcap.Bytes(), raw) < 2 {
			t.Fatalf("the capture does not hold the message")
		}
	})
}
