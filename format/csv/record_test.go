package csv

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/trunklog/trunklog/call"
)

// scale multiplies how much is tried; see TRUNKLOG_SCALE. Under -short it is a tenth.
func scale(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("TRUNKLOG_SCALE"), 64); err == nil && f > 0 {
		n = int(float64(n) * f)
	}
	if testing.Short() {
		n /= 10
	}
	return max(n, 1)
}

func seedOf(t *testing.T) uint64 {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("TRUNKLOG_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("TRUNKLOG_SEED=%d", seed)
	return seed
}

// plain decodes a table of any records: an event's name is its fields.
func plain(d Dialect) call.Decoder {
	return Table(d, func([]string) (func([]string) (call.Event, error), error) {
		return func(fields []string) (call.Event, error) {
			return call.Event{Call: fmt.Sprintf("%q", fields)}, nil
		}, nil
	})
}

// A sound table by the standard library gives the same here.
func TestLikeStandardLibrary(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range scale(3000) {
		var b strings.Builder
		for range rnd.IntN(40) {
			b.WriteString([]string{"a", "bc", `"`, `""`, `"x"`, ",", ",", "\n", "\n", "\r\n", " ", "ü"}[rnd.IntN(12)])
		}
		in := b.String()
		want, err := standard(in)
		if err != nil {
			continue
		}
		var got []string
		for e, err := range plain(Dialect{Headerless: true})(strings.NewReader(in)) {
			if err != nil {
				t.Fatalf("seed %d: %q: %v", seed, in, err)
			}
			got = append(got, e.Call)
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("seed %d: %q gives\n%q\nwant\n%q", seed, in, got, want)
		}
	}
}

func standard(in string) (out []string, err error) {
	r := csv.NewReader(strings.NewReader(in))
	r.FieldsPerRecord = -1
	for {
		fields, err := r.Read()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(strings.Join(fields, "")) == "" {
			continue // it holds nothing, which is no record here
		}
		out = append(out, fmt.Sprintf("%q", fields))
	}
}

// A broken record among sound ones costs itself alone, and still counts if only its quotes are not
// doubled.
func TestOneBroken(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 2))
	broken := []struct{ text, row string }{
		{`bad,"x,y`, ""},
		{`"bad,x,y`, ""},
		{`bad,"x"y,z`, ""},
		{`bad,x,"y"z`, ""},
		{`bad,x,"y`, ""},
		{`bad`, ""},
		{`bad,x,y,z`, ""},
		{"bad,\xff,x", ""},
		{`bad,x"y,z`, `["bad" "x\"y" "z"]`},
		{`bad,""x" <y>",z`, `["bad" "\"x\" <y>" "z"]`},
		{`bad,"""x" <y>",z`, `["bad" "\"x\" <y>" "z"]`},
		{`bad,""x"",z`, ""},
	}
	for range scale(1000) {
		const n = 20
		bad, b := rnd.IntN(n), broken[rnd.IntN(len(broken))]
		var in bytes.Buffer
		for i := range n {
			record := []string{fmt.Sprintf("%d,x,y", i), fmt.Sprintf(`"%d","x, ""y""",z`, i), fmt.Sprintf("%d,\"x\ny\",z", i)}[rnd.IntN(3)]
			if i == bad {
				record = b.text
			}
			in.WriteString(record + "\n")
		}
		events, wrong, row := 0, 0, ""
		for e, err := range plain(Dialect{Headerless: true, Fields: 3, Encoding: UTF8})(bytes.NewReader(in.Bytes())) {
			var syntax *call.SyntaxError
			switch {
			case err == nil && strings.HasPrefix(e.Call, `["bad"`):
				row = e.Call
			case err == nil:
				events++
			case errors.As(err, &syntax) && bytes.Equal(syntax.Raw, []byte(b.text)):
				wrong++
			default:
				t.Errorf("seed %d: %v", seed, err)
			}
		}
		if events != n-1 || row != b.row || wrong != btoi(b.row == "") {
			t.Fatalf("seed %d: %d events, %d errors and %q of\n%s", seed, events, wrong, row, in.Bytes())
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestLineNumbers(t *testing.T) {
	const in = "a,b\n\n\"1\n2\",\"3\n4\"\r\n5\n6,7\n\"8\n9,10\n"
	var got []string
	for e, err := range plain(Dialect{})(strings.NewReader(in)) {
		if err != nil {
			got = append(got, err.Error()[:7])
		} else {
			got = append(got, e.Call)
		}
	}
	want := []string{`["1\n2" "3\n4"]`, "line 6:", `["6" "7"]`, "line 8:", `["9" "10"]`}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The decoder skips too long lines and records without holding them, and the line of an open quote:
// the lines behind them are records of their own.
func TestTooLong(t *testing.T) {
	size := max(4, scale(16)) << 20
	for _, c := range []struct {
		name, before, fill, after, want string
		others                          int
	}{
		{"line", "1,", "x", "\n", "more than 1048576 bytes", 0},
		{"quoted line", "1,\"", "x", "\"\n", "more than 1048576 bytes", 0},
		{"fields", "1", ",x", "\n", "more than 1048576 bytes", 0},
		{"quote without an end", "1,\"", "xxxxxxxxxxxxxxx\n", "", "a quote that does not end", size/16 - 1},
		{"long lines within a quote", "1,\"", strings.Repeat("x", 1<<16-1) + "\n", "", "a quote that does not end", size>>16 - 1},
		{"lines within a quote", "1,\"", "\n", "\"\n", "a quote that does not end", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := io.MultiReader(strings.NewReader("a,b\n1,2\n"+c.before), &repeat{text: c.fill, n: size}, strings.NewReader(c.after+"3,4\n"))
			m := &heapReader{Reader: in}
			events, wrong, others := 0, 0, 0
			for _, err := range plain(Dialect{})(m) {
				switch {
				case err == nil:
					events++
				case strings.Contains(err.Error(), c.want) && wrong == 0:
					wrong++
				default:
					others++
				}
			}
			if events != 2 || wrong != 1 || others != c.others {
				t.Errorf("%d events, %d and %d errors, want 2, 1 and %d", events, wrong, others, c.others)
			}
			if m.most > 10<<20 {
				t.Errorf("up to %d bytes were held", m.most)
			}
		})
	}
}

// The work does not grow with the square of the input, whatever it holds.
func TestNothingButErrors(t *testing.T) {
	for _, fill := range []string{"\"", "\"\n", "\"a\n", "a\"\n", ",\"\"x\n", "\"\",\n", "x,\"y\n", "\"\"\n", "\"\"\"\n", "a,b,c\n", "\"a\n\"\"\n", "\n", ","} {
		began := time.Now()
		for range plain(Dialect{Headerless: true, Fields: 2})(&repeat{text: fill, n: scale(1 << 20)}) {
		}
		// A pass takes a fraction of a second; with a square in it, hours.
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("%q takes %v", fill, d)
		}
	}
}

// An error of the reader is the last result, whatever it wraps and wherever it comes.
func TestReaderError(t *testing.T) {
	cut := fmt.Errorf("%w: cable cut", call.ErrInvalid)
	for _, before := range []string{"", "a", "a,b\n1", "a,b\n1,\"", "a,b\n1,\"2\"x\n", "a,b\n1,\"2\n3\n"} {
		var last error
		for _, err := range plain(Dialect{})(io.MultiReader(strings.NewReader(before), iotest.ErrReader(cut))) {
			last = err
		}
		var syntax *call.SyntaxError
		if !errors.Is(last, cut) || errors.As(last, &syntax) {
			t.Errorf("behind %q: %v", before, last)
		}
	}
}

func TestLatin1(t *testing.T) {
	for e, err := range plain(Dialect{Headerless: true, Encoding: Latin1, Delimiter: ';'})(strings.NewReader("M\xfcller;\"\xa7 ;\"\n")) {
		if err != nil || e.Call != `["Müller" "§ ;"]` {
			t.Errorf("%s, %v", e.Call, err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	yaml, err := os.ReadFile("testdata/asterisk.map")
	if err != nil {
		b.Fatal(err)
	}
	d, err := Open(yaml, nil)
	if err != nil {
		b.Fatal(err)
	}
	line := `"","030 1234567","+4940765432","from-pstn","""Anna"" <0301234567>","PJSIP/pstn-00000001","PJSIP/teams-00000002","Dial","PJSIP/+4940765432@teams,30","2026-11-23 09:00:21","2026-11-23 09:00:25","2026-11-23 09:00:55",34,30,"ANSWERED","DOCUMENTATION","1795424421.1",""` + "\n"
	in := strings.Repeat(line, 2000)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, err := range d(strings.NewReader(in)) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

// A repeat is a text that comes again and again, n bytes of it.
type repeat struct {
	text  string
	n, at int
}

func (r *repeat) Read(b []byte) (int, error) {
	if r.n <= 0 {
		return 0, io.EOF
	}
	n := min(len(b), r.n)
	for i := range n {
		b[i] = r.text[r.at]
		if r.at++; r.at == len(r.text) {
			r.at = 0
		}
	}
	r.n -= n
	return n, nil
}

// A heapReader notes how many bytes of memory are in use while it is read.
type heapReader struct {
	io.Reader
	n           int
	first, most uint64
}

func (h *heapReader) Read(b []byte) (int, error) {
	if h.n++; h.n%64 == 1 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if h.first == 0 {
			h.first = m.HeapAlloc
		}
		h.most = max(h.most, m.HeapAlloc-min(h.first, m.HeapAlloc))
	}
	return h.Reader.Read(b)
}

// A table whose lines end with a carriage return alone is read like others,
// also in pieces and when it is larger than what is read at once.
func TestCarriageReturns(t *testing.T) {
	const in = "a,b\n1,2\n\n\"x\"\"y\",\"p\nq\"\n3\n4,5"
	lines := func(in string, wrap func(io.Reader) io.Reader) (out []string) {
		for e, err := range plain(Dialect{})(wrap(strings.NewReader(in))) {
			out = append(out, strings.ReplaceAll(fmt.Sprintf("%s %v", e.Call, err), `\r`, `\n`))
		}
		return out
	}
	whole := func(r io.Reader) io.Reader { return r }
	for _, in := range []string{in, in + "\n", in + strings.Repeat("\n6,7", 100_000)} {
		want := lines(in, whole)
		for i, wrap := range []func(io.Reader) io.Reader{whole, iotest.OneByteReader, iotest.DataErrReader} {
			if got := lines(strings.ReplaceAll(in, "\n", "\r"), wrap); !slices.Equal(got, want) {
				t.Errorf("reader %d: got %d: %.200q, want %d: %.200q", i, len(got), got, len(want), want)
			}
		}
	}
	// One that stands in a long first line is no end of lines.
	long := "a,\"" + strings.Repeat("b", 64<<10-4) + "\r\n\"\n1,2\n"
	if got := lines(long, whole); len(got) != 1 || got[0] != `["1" "2"] <nil>` {
		t.Errorf("behind a line feed at the end of the buffer: %.200q", got)
	}
}
