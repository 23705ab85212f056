package format

import (
	"bytes"
	"encoding/binary"
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
	"unicode/utf16"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format/csv"
)

var update = flag.Bool("update", false, "write what comes out to the golden files")

// folders are the folders of the formats, where their testdata is.
var folders = map[string]string{"graph": "graphjson", "teams": "teams", "csv": "csv"}

// TestGolden decodes every testdata/*.in of every format and compares the result with the .want
// beside it. A .map beside it is the map; one named ready-… is read with the built-in map of that
// name.
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
	if ready, ok := strings.CutPrefix(filepath.Base(base), "ready-"); ok {
		if options.Map, ok = csv.ReadyMap(ready); !ok {
			t.Fatalf("there is no map %s", ready)
		}
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

// show writes the results of a decoder as text.
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

// A file of an unsupported kind gives one error, which says what it is and what to do.
func TestNotRead(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"\xff\xfe\x00\x00{", "UTF-32 text: convert it to UTF-8, in PowerShell by Get-Content FILE | Set-Content -Encoding utf8"},
		{"\x00\x00\xfe\xff{", "UTF-32 text: convert"},
		{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "protected by a password, or of the old kind (.xls): open it, and save it as .xlsx"},
		{"BZh91AY", "compressed with bzip2: unpack it first"},
		{"%PDF-1.7", "a PDF: get the calls as CSV"},
		{"\x1f\x8b\x08{", "the gzip file is damaged"},
		{"\x28\xb5\x2f\xfd{", "the zst file is damaged"},
		{"PK\x03\x04{", "the zip is damaged"},
	} {
		for _, name := range []string{"graph", "teams"} {
			d, err := Open(name, Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := show(d(strings.NewReader(c.in)))
			if !strings.HasPrefix(got, "end: invalid: the ") || !strings.Contains(got, c.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("%s: %q gives %s", name, c.in[:4], got)
			}
		}
	}
}

// Text in UTF-16 is read as that in UTF-8, with and without a byte order mark.
func TestUTF16(t *testing.T) {
	for name, text := range map[string]string{
		"graph": `{"id":"1","userDisplayName":"Müller 😀","startDateTime":"2026-11-01T00:00:00Z"}` + "\n",
		"teams": "CorrelationId;Display Name;Start time;SBC FQDN\r\n;Müller 😀;2026-11-01T00:00:00Z;sbc1.contoso.com\r\n",
	} {
		d, err := Open(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := show(d(strings.NewReader(text)))
		if !strings.Contains(want, `userDisplayName "Müller 😀"`) {
			t.Fatal(want)
		}
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			for _, mark := range []string{"", "\ufeff"} {
				var b []byte
				for _, u := range utf16.Encode([]rune(mark + text)) {
					b = order.AppendUint16(b, u)
				}
				if got := show(d(bytes.NewReader(b))); got != want {
					t.Errorf("%s, %v, mark %q:\n%s\nwant\n%s", name, order, mark, got, want)
				}
				if got := show(d(iotest.OneByteReader(bytes.NewReader(b)))); got != want {
					t.Errorf("%s, %v, mark %q, byte by byte:\n%s", name, order, mark, got)
				}
			}
		}
	}
}

// The error of a reader is the last result of a decoder, never the end of the input.
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
