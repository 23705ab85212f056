package graphjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

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

// seedOf returns the seed of a test, which TRUNKLOG_SEED sets, and prints it.
func seedOf(t *testing.T) uint64 {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("TRUNKLOG_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("TRUNKLOG_SEED=%d", seed)
	return seed
}

// collect returns the results of decoding, each as one line.
func collect(r io.Reader) (out []string) {
	for e, err := range Decode(r) {
		if err != nil {
			out = append(out, err.Error())
		} else {
			out = append(out, fmt.Sprintf("%s %+v", e.Call, e.Row))
		}
	}
	return out
}

const soundRow = `{"id":"sound","startDateTime":"2026-11-01T00:00:00Z"}`

// The decoder skips too large parts of every kind without holding them, and reads what stands
// behind them.
func TestTooLarge(t *testing.T) {
	size := int64(scale(24)) << 20
	for _, c := range []struct {
		name                string
		before, fill, after string
		line                int64
		want                string
	}{
		{"text", soundRow + "\n" + `{"id":"`, "a", `"}` + "\n", 2, "more than 1048576 bytes"},
		{"text in a list", "[" + soundRow + ",\n" + `{"id":"`, "aü", `"},` + "\n", 2, "more than 1048576 bytes"},
		{"properties", soundRow + "\n" + `{"id":"a"`, `,"b":[1,{"c":null}]`, "}\n", 2, "more than 1048576 bytes"},
		{"white space", soundRow + "\n" + `{"id":`, " ", "1}\n", 2, "more than 1048576 bytes"},
		{"number", soundRow + "\n" + `{"duration":1`, "0", "}\n", 2, "more than 1048576 bytes"},
		{"name", soundRow + "\n" + `{"`, "a", `":1}` + "\n", 2, "more than 1048576 bytes"},
		{"text without an end", soundRow + "\n" + `{"id":"`, "a", "\n", 2, "more than 1048576 bytes"},
		{"record without an end", soundRow + "\n" + `{"id":1`, `,"b":1`, "\n", 2, "more than 1048576 bytes"},
		{"rubbish", soundRow + "\n", "a", "\n", 2, "unexpected character"},
		{"lists", soundRow + "\n" + `{"a":`, "[", "\n", 2, "within each other"},
		{"zeros", soundRow + "\n", "\x00", "\n", 2, "control character"},
		{"nested lists", soundRow + "\n" + `{"a":` + strings.Repeat("[", 100_000), "]", "\n", 2, "within each other"},
		{"members in a list", "[" + soundRow + ",\n" + `{"administrativeUnitInfos":[{}`, `,{"id":"a"}`, "]},\n", 2, "more than 1048576 bytes"},
		{"body", soundRow + "\n" + `{"body":"[1`, " ", `]"}` + "\n", 2, "a number where a record must be"},
		{"rest of a page", soundRow + "\n" + `{"value":[],"x":"`, "a", "\"}\n", 2, "more than 1048576 bytes"},
		{"quotes", "[" + soundRow + "\n," + `{"id":"a`, `","b`, `"},` + "\n", 2, "unexpected character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := io.MultiReader(strings.NewReader(c.before), &repeat{c.fill, size}, strings.NewReader(c.after+soundRow+"\n"))
			m := &heapReader{Reader: r}
			rows, wrong := 0, 0
			for e, err := range Decode(m) {
				var syntax *call.SyntaxError
				switch {
				case errors.As(err, &syntax):
					if wrong++; wrong > 1 {
						t.Errorf("another error: %v", err)
						continue
					}
					if !strings.Contains(err.Error(), c.want) || syntax.Line != c.line || len(syntax.Raw) == 0 || len(syntax.Raw) > maxRaw {
						t.Errorf("%v, %d raw bytes; want line %d, %q", err, len(syntax.Raw), c.line, c.want)
					}
				case err != nil:
					if c.before[0] != '[' { // which nothing closes
						t.Error(err)
					}
				case e.Call == "sound":
					rows++
				}
			}
			if rows != 2 || wrong != 1 {
				t.Errorf("%d rows and %d errors, want 2 and 1", rows, wrong)
			}
			if m.most > 8<<20 {
				t.Errorf("up to %d bytes were held", m.most)
			}
		})
	}
}

// Reading a list takes the memory of one row, however long it is.
func TestLongList(t *testing.T) {
	const row = soundRow + ",\n"
	m := &heapReader{Reader: io.MultiReader(strings.NewReader(`{"value":[`), &repeat{row, int64(len(row)) * 200_000}, strings.NewReader(soundRow+"]}"))}
	n := 0
	for _, err := range Decode(m) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 200_001 || m.most > 8<<20 {
		t.Errorf("%d rows with up to %d bytes", n, m.most)
	}
}

// An input with nothing but errors takes no longer than others: the work does
// not grow with the square of its length.
func TestNothingButErrors(t *testing.T) {
	for _, fill := range []string{"{", "{\n", "[", "{\"a\n", "{\"a\":\n", "x\n", "}", `"`, "{\"a\":1,\n{", "},{", "[{", `{"value":[`, `{"value":[{"a`, "{\"value\":[\n", `\`} {
		n := 0
		for range Decode(&repeat{fill, int64(scale(1 << 20))}) {
			n++
		}
		if n == 0 {
			t.Errorf("%q gives nothing", fill)
		}
	}
}

// No error that logs may show holds personal data.
func TestErrorsNameNobody(t *testing.T) {
	const secret = "4930123456789"
	for _, value := range []string{secret, `"` + secret, `"x` + strings.Repeat(secret, 100) + `"`, `{"a":"` + secret + `"}`, `["` + secret + `"]`, `"` + secret + "\xff\"", `"` + secret + `\q"`} {
		for _, name := range []string{"callerNumber", "calleeNumber", "userDisplayName", "userPrincipalName", "userId", "id"} {
			line := fmt.Sprintf(`{"startDateTime":"2026-11-01T00:00:00Z","%s":%s,"x":1}`, name, value)
			for _, err := range Decode(strings.NewReader(line + "\n" + soundRow)) {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s: %v", line, err)
				}
			}
		}
	}
}

// A repeat is a text that comes again and again, up to n bytes.
type repeat struct {
	text string
	n    int64
}

func (r *repeat) Read(b []byte) (int, error) {
	if r.n <= 0 {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), max(r.n, int64(len(r.text))))]
	if len(b) < len(r.text) {
		panic("a piece is longer than what is read at once")
	}
	whole := len(b) / len(r.text) * len(r.text)
	copy(b, bytes.Repeat([]byte(r.text), whole/len(r.text)))
	r.n -= int64(whole)
	return whole, nil
}

// A heapReader notes how many bytes of memory are in use while it is read.
type heapReader struct {
	io.Reader
	n     int
	first uint64
	most  uint64
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

// A cut input yields where it ends, and the beginning of the record.
func TestCut(t *testing.T) {
	long := `{"id":"` + strings.Repeat("a", 2*maxRaw)
	for _, c := range []struct {
		in   string
		line int64
		raw  string
	}{
		{soundRow + "\n" + `{"id":"b","callerNumber":"+49`, 2, `{"id":"b","callerNumber":"+49`},
		{soundRow + "\n" + `{"id":"b",` + " \n", 2, `{"id":"b",`},
		{soundRow + "\n{", 2, "{"},
		{"[\n" + soundRow + ",\n{\n  \"id\":\n    tru", 3, "{\n  \"id\":\n    tru"},
		{`{"value":[` + "\n" + soundRow + "\n" + `],"@odata.next`, 3, `,"@odata.next`},
		{"\n[" + soundRow + ",", 2, ""},
		{soundRow + "\n" + long, 2, long[:maxRaw]},
	} {
		var last error
		for _, err := range Decode(strings.NewReader(c.in)) {
			last = err
		}
		var cut *CutError
		if !errors.As(last, &cut) || !errors.Is(last, io.ErrUnexpectedEOF) || cut.Line != c.line || string(cut.Raw) != c.raw {
			t.Errorf("%.60q: %v, %+v; want line %d, %q", c.in, last, cut, c.line, c.raw)
		}
	}
}
