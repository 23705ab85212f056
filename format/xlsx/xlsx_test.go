package xlsx

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
)

const (
	rootRels = `<Relationships><Relationship Id="a" Type="http://x/officeDocument" Target="/xl/workbook.xml"/></Relationships>`
	bookRels = `<Relationships><Relationship Id="r1" Type="http://x/worksheet" Target="worksheets/one.xml"/>` +
		`<Relationship Id="r2" Type="http://x/styles" Target="styles.xml"/><Relationship Id="r3" Type="http://x/sharedStrings" Target="sharedStrings.xml"/></Relationships>`
	bookXML = `<workbook xmlns:r="http://r"><workbookPr%s/><sheets><sheet name="One" sheetId="1" r:id="r1"/><sheet name="Two" state="veryHidden" sheetId="2" r:id="r1"/><sheet name="Chart" r:id="r9"/></sheets></workbook>`
)

// parts are those of a workbook, by their names.
type parts map[string]string

func (p parts) open(name string) (io.ReadCloser, error) {
	text, ok := p[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

// workbook returns the parts of a workbook with one sheet, whose rows are given.
func workbook(rows string) parts {
	return parts{
		"_rels/.rels":                rootRels,
		"xl/workbook.xml":            fmt.Sprintf(bookXML, ""),
		"xl/_rels/workbook.xml.rels": bookRels,
		"xl/worksheets/one.xml":      "<worksheet><sheetData>" + rows + "</sheetData></worksheet>",
	}
}

// readAll returns the rows of the first sheet, with their numbers.
func readAll(t *testing.T, p parts) (out []string, err error) {
	t.Helper()
	b, err := Open(p.open)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	r, err := b.Rows(b.Sheets[0])
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		n, cells, err := r.Row()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, fmt.Sprintf("%d %q", n, cells))
	}
}

// Each kind of cell gives its text, in its column and row, also where neither is
// written down.
func TestCells(t *testing.T) {
	p := workbook(`<row r="2"><c r="B2" t="s"><v>1</v></c><c t="inlineStr"><is><r><t>a</t></r><r><t xml:space="preserve"> b</t></r><rPh sb="0"><t>aside</t></rPh></is></c><c r="E2" t="b"><v>1</v></c></row>` +
		`<row><c t="str"><f>CONCAT("x",1)</f><v>x1</v></c><c><f>1+1</f><v>2</v></c><c t="e"><v>#N/A</v></c><c t="d"><v>2026-11-02T08:00:00Z</v></c><c s="1"/></row>` +
		`<row r="9" spans="1:2"/><row r="10"><c r="aa10" t="inlineStr"><is><t>&lt;&#228;_x000D__x_</t></is></c></row>`)
	p["xl/sharedStrings.xml"] = `<sst><si><t>zero</t></si><si><t>one</t><rPh><t>aside</t></rPh></si></sst>`
	got, err := readAll(t, p)
	want := `2 ["" "one" "a b" "" "TRUE"]` + "\n" + `3 ["x1" "2" "#N/A" "2026-11-02T08:00:00Z" ""]` + "\n9 []\n" +
		`10 [` + strings.Repeat(`"" `, 26) + `"<ä\r_x_"]`
	if err != nil || strings.Join(got, "\n") != want {
		t.Errorf("got %v and\n%s\nwant\n%s", err, strings.Join(got, "\n"), want)
	}
}

// A number gives what it stands for, by its format.
func TestNumbers(t *testing.T) {
	for _, c := range []struct{ code, v, want, want1904 string }{
		{"General", "491231234567", "491231234567", ""},
		{"General", "4.91231234567E+11", "491231234567", ""},
		{"General", "4.9123123456789E13", "49123123456789", ""},
		{"#,##0", "491231234567.0", "491231234567", ""},
		{"0.00E+00", "491231234567", "491231234567", ""},
		{`\+0`, "491231234567", "+491231234567", ""},
		{`"+"#`, "491231234567", "+491231234567", ""},
		{"+#,##0", "491231234567", "491231234567", ""},
		{`0" calls"`, "5", "5", ""},
		{"0000000", "301234", "0301234", ""},
		{`"00"0`, "4930", "004930", ""},
		{"0", "0.30000000000000004", "0.3", ""},
		{"0%", "0.5", "0.5", ""},
		{"General", "-1", "-1", ""},
		{"@", "5", "5", ""},
		{"yyyy-mm-dd", "46328", "2026-11-02", "2030-11-03"},
		{"yyyy-mm-dd", "46328.5", "2026-11-02T12:00:00", "2030-11-03T12:00:00"},
		{`dd/mm/yyyy\ hh:mm`, "46328.333333333336", "2026-11-02T08:00:00", "2030-11-03T08:00:00"},
		{`[$-409]m/d/yy h:mm AM/PM;@`, "46328.33338194444", "2026-11-02T08:00:04.2", "2030-11-03T08:00:04.2"},
		{`mmm-yy`, "46328", "2026-11-02", "2030-11-03"},
		{`d. mmmm`, "1", "1900-01-01", "1904-01-02"},
		{`d. mmmm`, "61", "1900-03-01", "1904-03-02"},
		{"h:mm:ss", "0.0625", "01:30:00", "01:30:00"},
		{"mm:ss.0", "0.0006955", "00:01:00.091", "00:01:00.091"},
		{"h:mm", "46328.25", "2026-11-02T06:00:00", "2030-11-03T06:00:00"},
		{"[h]:mm:ss", "1.0625", "25:30:00", "25:30:00"},
		{"[mm]:ss", "0.0625", "1:30:00", "1:30:00"},
		{`[Red]0;[Blue]-0`, "7", "7", ""},
		{"yyyy-mm-dd", "-5", "-5", "-5"},
		{"yyyy-mm-dd", "1e300", "1e+300", "1e+300"},
		{"yyyy-mm-dd", "later", "later", "later"},
	} {
		if c.want1904 == "" {
			c.want1904 = c.want
		}
		for date1904, want := range map[string]string{"": c.want, ` date1904="1"`: c.want1904} {
			p := workbook(`<row><c s="1"><v>` + c.v + `</v></c></row>`)
			p["xl/workbook.xml"] = fmt.Sprintf(bookXML, date1904)
			p["xl/styles.xml"] = `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="` + strings.ReplaceAll(c.code, `"`, "&quot;") + `"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>`
			if got, err := readAll(t, p); err != nil || len(got) != 1 || got[0] != fmt.Sprintf(`1 [%q]`, want) {
				t.Errorf("%s of %s%s: %q, %v, want %q", c.v, c.code, date1904, got, err, want)
			}
		}
	}
}

// Formats that no workbook spells out are known by their numbers.
func TestBuiltInFormats(t *testing.T) {
	for id, want := range map[int]string{0: "0.25", 1: "0.25", 14: "1899-12-31T06:00:00", 20: "06:00:00", 22: "1899-12-31T06:00:00", 45: "06:00:00", 46: "6:00:00", 49: "0.25"} {
		p := workbook(`<row><c s="0"><v>0.25</v></c></row>`)
		p["xl/styles.xml"] = fmt.Sprintf(`<styleSheet><cellXfs><xf numFmtId="%d"/></cellXfs></styleSheet>`, id)
		if got, err := readAll(t, p); err != nil || len(got) != 1 || got[0] != fmt.Sprintf(`1 [%q]`, want) {
			t.Errorf("format %d: %q, %v, want %q", id, got, err, want)
		}
	}
}

func TestSheets(t *testing.T) {
	b, err := Open(workbook("").open)
	if err != nil || len(b.Sheets) != 2 || b.Sheets[0].Name != "One" || b.Sheets[0].Hidden || !b.Sheets[1].Hidden {
		t.Errorf("%v, %v", b, err)
	}
}

// A damaged workbook, or another file, gives an error, and leaves no file behind.
func TestNoWorkbook(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	row := `<row><c t="s"><v>0</v></c></row>`
	without := func(name string) parts {
		p := workbook(row)
		delete(p, name)
		return p
	}
	with := func(name, text string) parts {
		p := workbook(row)
		p[name] = text
		return p
	}
	for _, c := range []struct {
		name string
		in   parts
		want string
	}{
		{"a letter", with("_rels/.rels", strings.ReplaceAll(rootRels, "officeDocument", "x")), "no workbook of Excel"},
		{"nothing", parts{}, "no workbook of Excel"},
		{"no list of sheets", without("xl/workbook.xml"), "no workbook of Excel"},
		{"binary", with("_rels/.rels", strings.ReplaceAll(rootRels, ".xml", ".bin")), "binary workbook (.xlsb)"},
		{"no sheet", without("xl/worksheets/one.xml"), `sheet "One" is not in it`},
		{"no texts", workbook(row), "a text that is not there"},
		{"cut list", with("xl/workbook.xml", "<workbook><sheets>"), "damaged at xl/workbook.xml"},
		{"cut texts", with("xl/sharedStrings.xml", "<sst><si><t>a"), "damaged at xl/sharedStrings.xml"},
		{"cut sheet", with("xl/worksheets/one.xml", "<worksheet><sheetData><row><c><v>1"), "damaged at xl/worksheets/one.xml"},
		{"far column", workbook(`<row><c r="ZZZZ1"><v>1</v></c></row>`), "a cell in no column"},
		{"long cell", workbook(`<row><c t="str"><v>` + strings.Repeat("x", 3<<20) + `</v></c></row>`), "a cell of the workbook has more than 1048576 bytes"},
		{"long cell in pieces", workbook(`<row><c t="str"><v>` + strings.Repeat("x<!-- -->", 3<<20) + `</v></c></row>`), "more than 1048576 bytes"},
		{"large list", with("xl/workbook.xml", "<workbook>"+strings.Repeat(" ", maxPart)), "more than 33554432 bytes"},
	} {
		if _, err := readAll(t, c.in); !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// The reader holds neither the rows of a large sheet nor its shared texts.
func TestLargeSheet(t *testing.T) {
	const n = 60_000
	name := func(i int) string { return fmt.Sprintf("a text that comes once, and is number %d", i) }
	p := workbook("")
	open := func(part string) (io.ReadCloser, error) {
		switch part {
		case "xl/worksheets/one.xml":
			return generate("<worksheet><sheetData>", n, func(i int) string {
				return fmt.Sprintf(`<row r="%d"><c r="A%[1]d" t="s"><v>%d</v></c><c t="s"><v>%d</v></c></row>`, i+1, i, i%7)
			}), nil
		case "xl/sharedStrings.xml":
			return generate("<sst>", n, func(i int) string { return "<si><t>" + name(i) + "</t></si>" }), nil
		}
		return p.open(part)
	}
	b, err := Open(open)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	r, err := b.Rows(b.Sheets[0])
	if err != nil {
		t.Fatal(err)
	}
	before, most := heap(), uint64(0)
	for i := range n {
		_, cells, err := r.Row()
		if err != nil || len(cells) != 2 || cells[0] != name(i) || cells[1] != name(i%7) {
			t.Fatalf("row %d: %q, %v", i, cells, err)
		}
		if i%(n/8) == 0 {
			most = max(most, heap())
		}
	}
	if most > before+(4<<20) {
		t.Errorf("%d bytes are held", most-before)
	}
}

// FuzzSheet gives any text as a sheet, its texts and its number format: it must end,
// and give rows in words or an error.
func FuzzSheet(f *testing.F) {
	f.Add(`<row r="2"><c r="B2" t="s"><v>1</v></c><c t="inlineStr"><is><t>a</t></is></c></row>`, `<si><t>a</t></si><si><r><t>b</t></r><rPh/></si>`, "General")
	f.Add(`<row><c s="1"><f>1+1</f><v>46328.25</v></c></row>`, "", `[$-409]m/d/yy\ h:mm "x"`)
	f.Fuzz(func(t *testing.T, sheet, texts, code string) {
		p := workbook(sheet)
		p["xl/sharedStrings.xml"] = "<sst>" + texts + "</sst>"
		var escaped strings.Builder
		if err := xml.EscapeText(&escaped, []byte(code)); err != nil {
			t.Fatal(err)
		}
		p["xl/styles.xml"] = `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="` + escaped.String() + `"/></numFmts><cellXfs><xf/><xf numFmtId="164"/></cellXfs></styleSheet>`
		if _, err := readAll(t, p); err != nil && !errors.Is(err, call.ErrInvalid) {
			t.Error(err)
		}
	})
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// generate returns the text of so many elements, made as it is read.
func generate(head string, n int, element func(i int) string) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		io.WriteString(w, head)
		for i := range n {
			io.WriteString(w, element(i))
		}
		w.Close()
	}()
	return r
}
