package format

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/trunklog/trunklog/call"
)

var update = flag.Bool("update", false, "write what comes out to the golden files")

// folders are the folders of the formats, where their testdata is.
var folders = map[string]string{"graph": "graphjson", "teams": "teams", "csv": "csv"}

// TestGolden decodes every testdata/*.in of every format and compares what
// comes out with the .want beside it. A .map beside it is the map.
func TestGolden(t *testing.T) {
	for _, name := range Names() {
		inputs, err := filepath.Glob(filepath.Join(folders[name], "testdata", "*.in"))
		if err != nil {
			t.Fatal(err)
		}
		if folders[name] == "" || len(inputs) == 0 {
			t.Errorf("format %s has no testdata", name)
		}
		for _, input := range inputs {
			t.Run(strings.TrimSuffix(filepath.ToSlash(input), ".in"), func(t *testing.T) { golden(t, name, input) })
		}
	}
}

func golden(t *testing.T, name, input string) {
	in, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSuffix(input, ".in")
	options := Options{}
	var notes []string
	options.Note = func(text string) { notes = append(notes, text) }
	if options.Map, err = os.ReadFile(base + ".map"); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	d, err := Open(name, options)
	if err != nil {
		t.Fatal(err)
	}
	got := show(d(bytes.NewReader(in)))
	for _, n := range notes {
		got += "note " + n + "\n"
	}
	notes = nil
	if small := show(d(iotest.OneByteReader(bytes.NewReader(in)))); !strings.HasPrefix(got, small) {
		t.Errorf("read byte by byte it gives something else:\n%s", small)
	}
	if *update {
		if err := os.WriteFile(base+".want", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(base + ".want")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s\n(-update writes what came out)", got, want)
	}
}

// show writes what a decoder yields as text.
func show(events iter.Seq2[call.Event, error]) string {
	var b strings.Builder
	ended := false
	for e, err := range events {
		var syntax *call.SyntaxError
		switch {
		case ended:
			b.WriteString("AND THEN\n")
			fallthrough
		case err == nil && !ended:
			showEvent(&b, &e)
		case errors.As(err, &syntax):
			fmt.Fprintf(&b, "error line %d: %v\n  raw %.200q\n", syntax.Line, syntax.Err, syntax.Raw)
		default:
			fmt.Fprintf(&b, "end: %v\n", err)
			ended = true
		}
	}
	return b.String()
}

func showEvent(b *strings.Builder, e *call.Event) {
	fmt.Fprintf(b, "event %q %s\n", e.Call, e.Kind)
	var witnesses, zeros []string
	for f := range call.NumFields {
		if w := e.Row.By[f]; w != 0 && !slices.Contains(witnesses, w.Kind().String()) {
			witnesses = append(witnesses, w.Kind().String())
		}
		switch {
		case e.Row.Known(f):
			fmt.Fprintf(b, "  %s %s\n", f, showField(&e.Row, f))
		case e.Row.By[f] != 0:
			zeros = append(zeros, f.String())
		}
	}
	fmt.Fprintf(b, "  by %s", strings.Join(witnesses, " "))
	if len(zeros) > 0 {
		fmt.Fprintf(b, ", who says there is no %s", strings.Join(zeros, ", "))
	}
	b.WriteString("\n")
}

func showField(r *call.Row, f call.Field) string {
	switch f.Type() {
	case call.ID:
		return r.GUID(f).String()
	case call.Text:
		return fmt.Sprintf("%q", r.Text(f))
	case call.Time:
		return r.Time(f).Format("2006-01-02T15:04:05.9999999Z07:00")
	case call.Number:
		return fmt.Sprint(r.Number(f))
	case call.Bool:
		return fmt.Sprint(r.Bool(f))
	}
	return fmt.Sprint(r.AdministrativeUnits)
}

func TestOpen(t *testing.T) {
	_, err := Open("ribbon", Options{})
	if !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), "graph, teams, csv") {
		t.Errorf("an unknown format: %v", err)
	}
	if _, err := Open("graph", Options{Map: []byte("fields: {}")}); !errors.Is(err, call.ErrInvalid) {
		t.Errorf("a map for graph: %v", err)
	}
	if _, err := Open("csv", Options{}); !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), "docs/import-csv.md") {
		t.Errorf("csv without a map: %v", err)
	}
}

// A file that is not UTF-8 text gives one error, which says what it is.
func TestNotText(t *testing.T) {
	const row = `{"id":"1","startDateTime":"2026-11-01T00:00:00Z"}`
	utf16 := func(first ...byte) string {
		var b bytes.Buffer
		b.Write(first)
		for _, c := range []byte(row) {
			b.Write([]byte{c, 0})
		}
		return b.String()
	}
	for _, c := range []struct{ in, want string }{
		{utf16(0xff, 0xfe), "UTF-16"},
		{"\xfe\xff" + row, "UTF-16"},
		{"\xff\xfe\x00\x00" + row, "UTF-32"},
		{"\x00\x00\xfe\xff" + row, "UTF-32"},
		{"\x1f\x8b\x08" + row, "gzip"},
		{"PK\x03\x04" + row, "zip"},
	} {
		d, err := Open("graph", Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := show(d(strings.NewReader(c.in)))
		if !strings.HasPrefix(got, "end: invalid: the file is ") || !strings.Contains(got, c.want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%q gives %s", c.in[:4], got)
		}
		if strings.HasPrefix(c.want, "UTF") && !strings.Contains(got, "Set-Content -Encoding utf8") {
			t.Errorf("%q gives no way out: %s", c.in[:4], got)
		}
	}
}

// What a reader fails with is the last thing that a decoder yields, and never
// taken for the end of the input.
func TestReadError(t *testing.T) {
	for _, broken := range []error{errors.New("cable cut"), fmt.Errorf("cable cut: %w", io.EOF)} {
		for name, o := range fuzzOptions {
			for _, before := range []string{"", "a", "abc,def\n", `{"id":"1","startDateTime":"2026-11-01T00:00:00Z"}` + "\n{", "[", "CorrelationId,Start time,SBC FQDN\n,2026-11-01T00:00:00Z,a\n,\""} {
				d, err := Open(formatOf(name), o)
				if err != nil {
					t.Fatal(err)
				}
				var last error
				for _, err := range d(io.MultiReader(strings.NewReader(before), iotest.ErrReader(broken))) {
					if errors.Is(last, broken) {
						t.Errorf("%s: something is yielded behind the end", name)
					}
					last = err
				}
				if !errors.Is(last, broken) && !errors.Is(last, call.ErrInvalid) { // the header comes first
					t.Errorf("%s behind %q: the last error is %v", name, before, last)
				}
			}
		}
	}
}

// The example of docs/import-csv.md is the golden test of the same name.
func TestExampleOfDocs(t *testing.T) {
	doc, err := os.ReadFile("../docs/import-csv.md")
	if err != nil {
		t.Fatal(err)
	}
	yaml, err := os.ReadFile("csv/testdata/asterisk.map")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(doc, append([]byte("```yaml\n"), append(yaml, "```"...)...)) {
		t.Error("the map in docs/import-csv.md is not csv/testdata/asterisk.map")
	}
	records, err := os.ReadFile("csv/testdata/asterisk.in")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(records, []byte("\n"))
	if !bytes.Contains(doc, append([]byte("```csv\n"), append(bytes.Join(lines[:3], nil), "```"...)...)) {
		t.Error("the records in docs/import-csv.md are not those of csv/testdata/asterisk.in")
	}
}
