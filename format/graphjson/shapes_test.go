package graphjson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
)

// shapes are the same three rows in all wrappings.
func shapes() map[string]string {
	row := func(n int) string {
		return fmt.Sprintf(`{"id":"%08d-0000-5000-8000-000000000000","startDateTime":"2026-11-01T08:00:2%dZ","userDisplayName":"a \"ü\" %d"}`, n, n, n)
	}
	page := `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#x","value":[` + row(1) + "," + row(2) + "," + row(3) + `],"@odata.count":3}`
	var indented bytes.Buffer
	_ = json.Indent(&indented, []byte(page), "", "  ")
	text := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	return map[string]string{
		"page":      page,
		"indented":  indented.String(),
		"lines":     row(1) + "\n" + row(2) + "\r\n" + row(3) + "\n",
		"list":      "[[" + row(1) + "],\n[" + row(2) + "," + row(3) + "]]",
		"objects":   row(1) + row(2) + "\xef\xbb\xbf" + row(3),
		"flow":      `{"statusCode":200,"headers":{"a":"b"},"body":` + page + `}`,
		"outputs":   `[{"name":"HTTP","outputs":{"body":` + indented.String() + `,"statusCode":200},"status":"Succeeded"}]`,
		"text":      `{"statusCode":200,"body":` + text(page) + `,"headers":{}}`,
		"base64":    `{"body":{"$content-type":"application/json","$content":"` + base64.StdEncoding.EncodeToString(indented.Bytes()) + `"}}`,
		"batch":     `{"responses":[{"id":"1","status":200,"body":{"value":[` + row(1) + `]}},{"id":"2","body":{"value":[` + row(2) + "," + row(3) + `]},"status":200}]}`,
		"pages":     `{"value":[{"value":[` + row(1) + `]},{"value":[` + row(2) + "," + row(3) + `]}],"Count":2}`,
		"one value": `{"value":` + row(1) + "}\n" + `{"body":` + row(2) + "}\n" + `{"value":` + row(3) + "}",
	}
}

// Whatever the wrapping is, the rows are the same.
func TestShapes(t *testing.T) {
	want := strings.Join(collect(strings.NewReader(shapes()["lines"])), "\n")
	if strings.Count(want, "\n") != 2 {
		t.Fatal(want)
	}
	for name, in := range shapes() {
		if got := strings.Join(collect(strings.NewReader(in)), "\n"); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// An input cut at any byte yields its complete rows, and no others, and says that it is cut unless
// it may end there.
func TestCutAnywhere(t *testing.T) {
	for name, in := range shapes() {
		whole := collect(strings.NewReader(in))
		before := 0
		for n := range len(in) {
			rows, wrong := 0, 0
			for e, err := range Decode(strings.NewReader(in[:n])) {
				var cut *CutError
				var syntax *call.SyntaxError
				switch {
				case errors.As(err, &cut), errors.As(err, &syntax):
					wrong++
				case err != nil:
					t.Fatalf("%s, cut at %d: %v", name, n, err)
				case rows == len(whole) || fmt.Sprintf("%s %+v", e.Call, e.Row) != whole[rows]:
					t.Fatalf("%s, cut at %d: another row: %+v", name, n, e)
				default:
					rows++
				}
			}
			if rows < before || rows > before+1 || wrong > 2 {
				t.Fatalf("%s, cut at %d: %d rows and %d errors; one byte before, %d rows", name, n, rows, wrong, before)
			}
			if wraps := name != "lines" && name != "objects" && name != "one value"; wraps && wrong == 0 && n > 0 {
				t.Fatalf("%s, cut at %d: nothing says that it is cut", name, n)
			}
			before = rows
		}
	}
}

// The decoder yields a record before it reads more than that needs: a sender of lines may wait for
// an answer to each. It reads only answers in a text in pieces.
func TestReadsNoMore(t *testing.T) {
	for name, in := range shapes() {
		r := &oneByOne{in: in}
		for e, err := range Decode(r) {
			if err != nil {
				t.Fatal(name, err)
			}
			if inText := name == "text" || name == "base64"; !inText && in[r.n-1] != '}' {
				t.Errorf("%s: %q was read before %s was yielded", name, in[:r.n], e.Call)
			}
		}
	}
}

// A oneByOne reads one byte at a time.
type oneByOne struct {
	in string
	n  int
}

func (r *oneByOne) Read(p []byte) (int, error) {
	if r.n == len(r.in) {
		return 0, io.EOF
	}
	p[0] = r.in[r.n]
	r.n++
	return 1, nil
}

// Reading an answer in a text takes the memory of one row, however long it is.
func TestLongText(t *testing.T) {
	const rows = 100_000
	row := strings.ReplaceAll(soundRow, `"`, `\"`) + `,\n`
	for _, c := range []struct{ name, before, row, after string }{
		{"text", `{"statusCode":200,"body":"{\"value\":[`, row, strings.TrimSuffix(row, `,\n`) + `]}"}`},
		{"base64", `{"body":{"$content":"WyAg`, base64.StdEncoding.EncodeToString([]byte(soundRow + ",")), base64.StdEncoding.EncodeToString([]byte(soundRow+"]")) + `"}}`},
	} {
		if c.name == "base64" && strings.Contains(c.row, "=") {
			t.Fatal("the piece is not whole")
		}
		m := &heapReader{Reader: io.MultiReader(strings.NewReader(c.before), &repeat{c.row, int64(len(c.row)) * rows}, strings.NewReader(c.after))}
		n := 0
		for _, err := range Decode(m) {
			if err != nil {
				t.Fatal(c.name, err)
			}
			n++
		}
		if n != rows+1 || m.most > 8<<20 {
			t.Errorf("%s: %d rows with up to %d bytes", c.name, n, m.most)
		}
	}
}

// A row of an SBC or a customer's program is a row, whatever else it has; Graph's records of other
// calls are none.
func TestAnybodysRows(t *testing.T) {
	const times = `"startDateTime":"2026-11-01T08:00:25Z","endDateTime":"2026-11-01T08:01:25Z"`
	for in, isRow := range map[string]bool{
		`{"id":"1",` + times + `,"callId":"a@sbc","operator":"x","charge":1,"currency":"EUR","callType":"x"}`:                                               true,
		`{"id":"1",` + times + `,"callType":"conf_in"}`:                                                                                                     true,
		`{"id":"1",` + times + `,"type":"x","participants":2,"displayName":"a","mail":"b"}`:                                                                 true,
		`{"id":"1",` + times + `,"callId":"a","callType":"user_in","charge":1,"currency":"EUR","usageCountryCode":"DE"}`:                                    false,
		`{"id":"1",` + times + `,"modalities":[],"organizer":{},"participants":[],"sessions":[]}`:                                                           false,
		`{"@odata.context":"x#Collection(microsoft.graph.callRecords.pstnCallLogRow)","value":[{"id":"1",` + times + `}]}`:                                  false,
		`{"@odata.context":"x#Collection(microsoft.graph.callRecords.directRoutingLogRow)","value":[{"id":"1",` + times + `,"callId":"a","operator":"b"}]}`: true,
	} {
		rows := 0
		for _, err := range Decode(strings.NewReader(in)) {
			if err == nil {
				rows++
			}
		}
		if isRow != (rows == 1) {
			t.Errorf("%s: %d rows", in, rows)
		}
	}
}
