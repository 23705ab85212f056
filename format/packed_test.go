package format

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/trunklog/trunklog/call"
)

func gzipOf(t testing.TB, in []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(in); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdOf(t testing.TB, in []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(in, nil)
}

// A file gives the same in any packing and under any name as by itself, from a file and through a
// pipe.
func TestPacked(t *testing.T) {
	inputs := map[string]string{
		"graph": `{"value":[{"id":"1","startDateTime":"2026-11-01T00:00:00Z"}]}`,
		"teams": exportHeader + exportRow,
		"csv":   "start\n2026-11-01T00:00:00Z\n",
	}
	for name, text := range inputs {
		in := []byte(text)
		o := Options{Note: func(s string) { t.Errorf("%s: note %s", name, s) }}
		if name == "csv" {
			o.Map = []byte("fields: {startDateTime: start}")
		}
		d, err := Open(name, o)
		if err != nil {
			t.Fatal(err)
		}
		want := show(d(bytes.NewReader(in)))
		if !strings.HasPrefix(want, "event") {
			t.Fatal(want)
		}
		gz, zst := gzipOf(t, in), zstdOf(t, in)
		for what, packed := range map[string][]byte{
			"gz":                gz,
			"zst":               zst,
			"two gz":            append(gzipOf(t, in[:9]), gzipOf(t, in[9:])...),
			"zip":               zipOf(t, entry{"calls.csv.txt", text}),
			"zip, no extension": zipOf(t, entry{"a/b", text}),
			"zip of gz":         zipOf(t, entry{"calls.gz", string(gz)}),
			"zip of zip":        zipOf(t, entry{"x.zip", string(zipOf(t, entry{"calls", text}))}),
			"gz of zip":         gzipOf(t, zipOf(t, entry{"calls", text})),
			"gz of zst":         gzipOf(t, zst),
			"four":              nested(t, 4, zipOf(t, entry{"calls", text})),
			"from a Mac":        zipOf(t, entry{"x/", ""}, entry{"x/calls", text}, entry{"__MACOSX/x/._calls", "\x00\x05"}, entry{"x/.DS_Store", "Bud1"}),
			"with parameters":   zipOf(t, entry{"parameters.json", "\n"}, entry{"calls", text}),
		} {
			if got := show(d(bytes.NewReader(packed))); got != want {
				t.Errorf("%s, %s: %s", name, what, got)
			}
			if got := show(d(iotest.OneByteReader(bytes.NewReader(packed)))); got != want {
				t.Errorf("%s, %s, byte by byte: %s", name, what, got)
			}
		}
	}
}

// A file that cannot be unpacked, or is a bomb, ends in an error; its earlier records stay.
func TestPackedErrors(t *testing.T) {
	if testing.Short() {
		t.Skip("short: bombs take seconds to be made")
	}
	text := []byte(exportHeader + strings.Repeat(exportRow, 230_000))
	gz, zst := gzipOf(t, text), zstdOf(t, text)
	damaged := bytes.Clone(gzipOf(t, []byte(exportHeader+exportRow)))
	damaged[len(damaged)-5] ^= 1 // the checksum
	many := make([]entry, 400)
	for i := range many {
		many[i] = entry{fmt.Sprint(i), exportHeader}
	}
	inner := string(zipOf(t, many...))
	for _, c := range []struct {
		name string
		in   []byte
		rows bool
		want string
	}{
		{"gz bomb", gz, true, "the gzip file unpacks to more than 200 times its size"},
		{"zst bomb", zst, true, "the zst file unpacks to more than 200 times its size"},
		{"gz bomb in a zip", zipOf(t, entry{"a.gz", string(gz)}), true, "the gzip file unpacks to more than 200 times its size"},
		{"zip bomb in a zip", zipOf(t, entry{"a.zip", string(zipOf(t, entry{"a", string(text)}))}), true, "the zip unpacks to more than 200 times its size"},
		{"gz bomb of gz", gzipOf(t, gzipOf(t, bytes.Repeat([]byte("\n"), 40<<20))), false, "the gzip file unpacks to more than 200 times its size"},
		{"cut gz", gzipOf(t, []byte(exportHeader+exportRow))[:90], false, "the gzip file is damaged, or cut off before its end"},
		{"checksum", damaged, true, "the gzip file is damaged"},
		{"many in several", zipOf(t, entry{"a.zip", inner}, entry{"b.zip", inner}, entry{"c.zip", inner}), false, "more than 1000 files"},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.DataErrReader} {
			rows, _, err := decodeExport(t, wrap(bytes.NewReader(c.in)))
			if !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), c.want) || (rows > 0) != c.rows {
				t.Errorf("%s: %d rows and %v, want %q", c.name, rows, err, c.want)
			}
		}
	}
}

// The decoder reads the files of its format in an archive, wherever they are, and reports the
// others.
func TestPackedOthers(t *testing.T) {
	in := zipOf(t,
		entry{"readme.txt", "These are the calls of November.\nBye\n"},
		entry{"old.xls", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"},
		entry{"plans.csv", plansHeader + "1,2,3,4\n"},
		entry{"inner.zip", string(zipOf(t, entry{"export", exportHeader + exportRow}, entry{"list.json", "[1]\n"}))},
		entry{"november", exportHeader + exportRow + "broken\n"})
	rows, notes, err := decodeExport(t, bytes.NewReader(in))
	want := []string{
		"readme.txt was left out, with its 2 lines: this is not the Direct Routing export",
		"old.xls was left out: the file is an Excel workbook",
		"plans.csv was left out, with its 2 lines: this is the export of Calling Plan calls",
		"inner.zip/list.json was left out, with its 1 line: it does not begin as such a file does",
	}
	for i := range want {
		if len(notes) != len(want) || !strings.HasPrefix(notes[i], want[i]) {
			t.Fatalf("%d rows, %v, notes %q", rows, err, notes)
		}
	}
	if rows != 2 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// A workbook is read wherever it is packed, by the formats that are tables.
func TestPackedWorkbook(t *testing.T) {
	in, err := os.ReadFile(filepath.Join("teams", "testdata", "workbook.in"))
	if err != nil {
		t.Fatal(err)
	}
	for what, packed := range map[string][]byte{"zip": zipOf(t, entry{"calls.xlsx", string(in)}), "gz": gzipOf(t, in)} {
		if rows, _, err := decodeExport(t, iotest.HalfReader(bytes.NewReader(packed))); rows != 2 || err != nil {
			t.Errorf("%s: %d rows, %v", what, rows, err)
		}
	}
	graph, err := Open("graph", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := show(graph(bytes.NewReader(in))); !strings.HasPrefix(got, `end: invalid: none of the 2 files or sheets in it is of this format: sheet "Notes": the columns are not those of getDirectRoutingCalls: `) {
		t.Errorf("graph: %s", got)
	}
	for n := 4; n < len(in); n += 97 {
		if rows, _, err := decodeExport(t, bytes.NewReader(in[:n])); rows != 0 || !errors.Is(err, call.ErrInvalid) {
			t.Errorf("%d of %d bytes give %d rows and %v", n, len(in), rows, err)
		}
	}
}

// The decoder reads the sheets that have the columns, names the sheet in errors, and does not
// report empty ones.
func TestSheets(t *testing.T) {
	sheet := func(rows ...string) string {
		text := "<worksheet><sheetData>"
		for _, row := range rows {
			text += "<row>"
			for _, cell := range strings.Split(row, ",") {
				text += `<c t="str"><v>` + cell + "</v></c>"
			}
			text += "</row>"
		}
		return text + "</sheetData></worksheet>"
	}
	row := strings.TrimSuffix(exportRow, "\n")
	header := strings.TrimSuffix(exportHeader, "\n")
	in := zipOf(t,
		entry{"[Content_Types].xml", "<Types/>"},
		entry{"_rels/.rels", `<Relationships><Relationship Type="x/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
		entry{"xl/workbook.xml", `<workbook><sheets><sheet name="October" id="a"/><sheet name="Empty" id="b"/><sheet name="November" id="c"/></sheets></workbook>`},
		entry{"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="a" Type="x/worksheet" Target="a.xml"/><Relationship Id="b" Type="x/worksheet" Target="b.xml"/><Relationship Id="c" Type="x/worksheet" Target="c.xml"/></Relationships>`},
		entry{"xl/a.xml", sheet(header, row, row+",one more")},
		entry{"xl/b.xml", sheet()},
		entry{"xl/c.xml", sheet(",,", header, "", "a,b,c", row)})
	d, err := Open("teams", Options{Note: func(s string) { t.Error(s) }})
	if err != nil {
		t.Fatal(err)
	}
	rows, wrong := 0, ""
	for _, err := range d(bytes.NewReader(in)) {
		if err != nil {
			wrong += err.Error() + "\n"
			continue
		}
		rows++
	}
	want := `line 3: sheet "October": invalid: the row has 4 cells, not 3` + "\n" +
		`line 4: sheet "November": invalid: Start time: "b" is not a date-time such as 2019-11-01T00:00:25.105Z` + "\n"
	if rows != 2 || wrong != want {
		t.Errorf("%d rows and\n%swant 2 and\n%s", rows, wrong, want)
	}
}

// A workbook whose sheet unpacks to far more than its size is a bomb.
func TestWorkbookBomb(t *testing.T) {
	if testing.Short() {
		t.Skip("short: bombs take seconds to be made")
	}
	in, err := os.ReadFile(filepath.Join("teams", "testdata", "workbook.in"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(in), int64(len(in)))
	if err != nil {
		t.Fatal(err)
	}
	var parts []entry
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		part := string(text)
		if strings.HasSuffix(f.Name, "sheet2.xml") {
			part = strings.Replace(part, "</sheetData>", strings.Repeat("<row/>", 3<<20)+"</sheetData>", 1)
		}
		parts = append(parts, entry{f.Name, part})
	}
	if rows, _, err := decodeExport(t, bytes.NewReader(zipOf(t, parts...))); rows != 2 || err == nil || !strings.Contains(err.Error(), "more than 200 times its size") {
		t.Errorf("%d rows, %v", rows, err)
	}
}
