package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format/graphjson"
)

// TestEachLineAlone: in JSON lines, the outcome of a line does not depend on the lines around it.
// The oracle decodes each line by itself.
func TestEachLineAlone(t *testing.T) {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("TRUNKLOG_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("TRUNKLOG_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	good, bad := 0, 0
	for n := range scale(1500) {
		body := randomLines(random)
		wantRows, wantLines := oracle(body)
		b := newBench(t, func(c *Config) { c.MaxRejected = 1 << 30 })
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, nil)
		r.Body, r.ContentLength = readCloser{iotest.OneByteReader(strings.NewReader(body))}, -1
		if n%2 == 0 {
			r.Body = readCloser{strings.NewReader(body)}
		}
		o := b.send(t, r)
		problems := o.Errors
		if o.status == http.StatusBadRequest {
			problems = o.Error.Details
		}
		var lines []int64
		for _, p := range problems {
			if !slices.Contains(lines, p.Line) { // a line can hold more than one thing
				lines = append(lines, p.Line)
			}
		}
		slices.Sort(lines)
		if o.Accepted != int64(wantRows) || fmt.Sprint(lines) != fmt.Sprint(wantLines) {
			t.Fatalf("%d accepted, want %d; bad lines %v, want %v\n%q\n%s", o.Accepted, wantRows, lines, wantLines, body, o.text)
		}
		good += wantRows
		bad += len(wantLines)
	}
	if good < scale(500) || bad < scale(500) {
		t.Errorf("%d good and %d bad lines prove nothing", good, bad)
	}
}

type readCloser struct {
	r interface{ Read(p []byte) (int, error) }
}

func (r readCloser) Read(p []byte) (int, error) { return r.r.Read(p) }
func (readCloser) Close() error                 { return nil }

// oracle returns the number of rows in a body of JSON lines, and the numbers of its bad lines.
func oracle(body string) (rows int, bad []int64) {
	for i, line := range strings.Split(body, "\n") {
		wrong := false
		if names([]byte(line)) {
			if _, err := decodeEvent([]byte(line), graphjson.Decode, call.CDR.Witness()); err != nil {
				wrong = true
			} else {
				rows++ // a part of a call
			}
		} else {
			for e, err := range graphjson.Decode(strings.NewReader(line)) {
				e.Row.ID = call.NameGUID("x")
				if err != nil || e.Row.Check() != nil {
					wrong = true
				} else {
					rows++
				}
			}
		}
		if wrong {
			bad = append(bad, int64(i)+1)
		}
	}
	return rows, bad
}

// randomLines returns good rows and damaged ones, as lines.
func randomLines(random *rand.Rand) string {
	var b strings.Builder
	for range 1 + random.IntN(12) {
		line := strings.TrimSpace(row(random.IntN(50)))
		if random.IntN(3) == 0 {
			line = line[:len(line)-1] + []string{`,"administrativeUnitInfos":[]}`, `,"administrativeUnitInfos":[{"id":"x"},{"id":"y"}]}`, `,"x":{"value":[{"y":"\"}"}]}}`, `,"userDisplayName":"a\"b"}`}[random.IntN(4)]
		}
		switch random.IntN(10) {
		case 0, 1, 2:
		case 3:
			line = line[:random.IntN(len(line))]
		case 4:
			line = line[random.IntN(len(line)):]
		case 5:
			i := random.IntN(len(line))
			line = line[:i] + string(`{}[]",:\ x1`[random.IntN(11)]) + line[i+1:]
		case 6:
			line = []string{"", " ", "\r", "x", "{", "}", "[", "]", `"`, "null", "{}", "[]", `{"a":`, `{"value":[`, "\t{}", `{"a":"`, `{"value":1}`, `{"body":{`, `{"responses":[{"body":{"value":[`, `{"status":200,"body":` + line + "}", `{"body":""}`}[random.IntN(21)]
		case 7:
			line = strings.Repeat(line, 2)
		case 8:
			line = `{"value":[` + line + "," + line + []string{"]}", "]", "", "}"}[random.IntN(4)]
		case 9:
			line = `{"event":"partial","call":"` + line[len(line)-30:] + `"}`
		}
		b.WriteString(line + []string{"\n", "\r\n", "\n\n"}[random.IntN(3)])
	}
	return b.String()
}

func TestIsPlain(t *testing.T) {
	for s, want := range map[string]bool{
		`{"a":{}}`: true, `{"a":[{"b":[1]}],"c":2}`: true, `{"a":[}]}`: false, `{"a":{"value":[]}}`: true, `{"a":["\""]}`: true,
		`{"a":{"body":{}}}`: true, `{"Body":{}}`: false, `{"$content":""}`: false, `{"responses":[]}`: false, `{"outputs":{}}`: false, `{"Content":""}`: false,
		`{"a":[}`: false, `{"value":1}`: false, `{"VALUE":[]}`: false, `{"\u0076alue":[]}`: false, `{"a":{}`: false, `{"a":1]`: false, `{"a":{}}}`: false,
		"{}": true, "{}\n": true, `{"a":1} ` + "\r\n": true, `{"a":"}"}`: true, `{"a":"\"}"}`: false, `{"a":"\\"}`: false, `{"a":x}`: true, "{,}": true,
		"": false, "x": false, "[]": false, " {}": false, "{": false, `{"a"`: false, `{"a":"}`: false, `{"a":"\"}`: false, "{}{}": false, "{}x": false, `{"a":"\`: false,
	} {
		if got := s != "" && isPlain([]byte(s)); got != want {
			t.Errorf("%q: %t", s, got)
		}
	}
}

// TestMillionsOfBlankLines: blank lines cost next to nothing.
func TestMillionsOfBlankLines(t *testing.T) {
	b := newBench(t, nil)
	o := b.post(t, strings.Repeat("\n", 30<<20)+"bad\n"+strings.Repeat("\r\n", 1<<20)+row(0))
	if o.status != http.StatusMultiStatus || o.New != 1 || o.Errors[0].Line != 30<<20+1 {
		t.Errorf("status %d: %s", o.status, o.text)
	}
}

// FuzzBody sends any bytes. The answer is always a documented one, and counts the rows that were
// kept.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		"", "\n\n", row(0), rows(0, 3), row(0) + "bad\n" + row(1), `{"value":[` + strings.TrimSpace(row(0)) + `]}`, "[\n" + row(0) + "]", "\ufeff" + row(0),
		`{"event":"partial","call":"k","inviteDateTime":"2026-10-01T00:00:01Z"}` + "\n" + `{"event":"partial","call":"k","endDateTime":"2026-10-01T00:00:09Z","done":true}` + "\n",
		`{"a":` + "\n" + row(0), "{\"event\"\n:\n\"partial\"}", strings.TrimSpace(row(0)) + strings.TrimSpace(row(1)), "\x1f\x8b\x08", zipped(f, rows(0, 5)), zipped(f, row(0))[:40],
	} {
		f.Add([]byte(s), byte(0))
		f.Add([]byte(s), byte(3))
	}
	f.Fuzz(func(t *testing.T, body []byte, how byte) {
		b := newBench(t, func(c *Config) { c.MaxBody = 1 << 20 })
		header := []string{"Content-Type", "application/x-ndjson"}
		if how&1 != 0 {
			header[1] = "application/json"
		}
		if how&2 != 0 {
			header = append(header, "Content-Encoding", "gzip")
		}
		if how&4 != 0 {
			header = append(header, "Idempotency-Key", "k")
		}
		send := func() outcome {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, bytes.NewReader(body))
			return b.send(t, r, header...)
		}
		o := send()
		switch o.status {
		case http.StatusOK, http.StatusMultiStatus:
			if o.Accepted == 0 || o.Accepted != o.New+o.Changed+o.Same+o.Open || o.New != int64(b.mem.len()) || (o.Rejected > 0) != (o.status == http.StatusMultiStatus) || o.Rejected != int64(len(o.Errors))+o.More {
				t.Errorf("%d rows: %s", b.mem.len(), o.text)
			}
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			if o.Error.Code == "" || o.Error.Message == "" {
				t.Errorf("%s", o.text)
			}
		default:
			t.Errorf("status %d: %s", o.status, o.text)
		}
		problems := slices.Concat(o.Errors, o.Error.Details)
		for _, p := range problems {
			if p.Line < 1 || p.Line > int64(bytes.Count(body, []byte{'\n'}))+1 && how&2 == 0 || p.Code == "" || p.Message == "" {
				t.Errorf("%+v", p)
			}
		}
		var syntax *json.SyntaxError
		if err := json.Unmarshal([]byte(o.text), new(any)); errors.As(err, &syntax) {
			t.Error(err)
		}
		// If the body is sent again, nothing is new.
		if again := send(); again.status != o.status || how&4 == 0 && again.New != 0 || how&4 != 0 && o.status < 300 && again.text != o.text {
			t.Errorf("again: status %d after %d: %s", again.status, o.status, again.text)
		}
	})
}

func BenchmarkTake(b *testing.B) {
	x := newBench(b, nil)
	body := strings.ReplaceAll(rows(0, 20_000), "}\n", `,"administrativeUnitInfos":[]}`+"\n") // as Graph's beta has it
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		in := intake{h: x.Handler, ctx: b.Context(), slot: &slot{s: x.slots, holders: 1 << 30}, sink: discard{}, kind: call.CDR, lines: newLines(strings.NewReader(body), true), answer: new(Answer)}
		if err := in.run(); err != nil || in.answer.Accepted != 20_000 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(20_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
