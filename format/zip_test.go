package format

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/trunklog/trunklog/call"
)

const (
	exportHeader = "CorrelationId,Start time,SBC FQDN\n"
	exportRow    = "c98e1515-a937-4b81-b8a8-3992afde64e0,2026-11-01T00:00:00Z,sbc1.contoso.com\n"
	exportName   = "DirectRouting.calls.2026-11-01.csv"
)

const plansHeader = "UsageId,Call ID,Charge,Currency\n"

// nested returns a zip in so many others.
func nested(t *testing.T, depth int, in []byte) []byte {
	for range depth - 1 {
		in = zipOf(t, entry{"a", string(in)})
	}
	return in
}

type entry struct{ name, text string }

func zipOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.Create(e.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// decodeExport decodes an export, and counts what comes out.
func decodeExport(t *testing.T, r io.Reader) (rows int, notes []string, last error) {
	t.Helper()
	d, err := Open("teams", Options{Note: func(s string) { notes = append(notes, s) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range d(r) {
		if last != nil {
			t.Fatalf("something is yielded behind %v", last)
		}
		var syntax *call.SyntaxError
		if err == nil {
			rows++
		} else if !errors.As(err, &syntax) {
			last = err
		}
	}
	return rows, notes, last
}

// The errors of archives that are no export, or malicious.
func TestZipErrors(t *testing.T) {
	export := entry{exportName, exportHeader + strings.Repeat(exportRow, 3)}
	sound := zipOf(t, export)
	encrypted := bytes.Clone(sound)
	patchDirectory(encrypted, 8, 1)
	binary.LittleEndian.PutUint16(encrypted[6:], 1)
	method := bytes.Clone(sound)
	patchDirectory(method, 10, 99)
	checksum := bytes.Clone(sound)
	patchDirectory(checksum, 16, 0xbad)
	flipped := bytes.Clone(sound)
	flipped[len("PK..")+26+len(exportName)+10] ^= 0xff
	many := make([]entry, 1001)
	for i := range many {
		many[i] = entry{fmt.Sprintf("%d.csv", i), "x"}
	}
	bomb := zipOf(t, entry{exportName, exportHeader + strings.Repeat("x", 40<<20)})
	rowBomb := zipOf(t, entry{exportName, exportHeader + strings.Repeat(exportRow, 300_000)})
	for _, c := range []struct {
		name string
		in   []byte
		rows int
		want string
	}{
		{"encrypted", encrypted, 0, "is encrypted"},
		{"method", method, 0, "method 99"},
		{"checksum", checksum, 3, "the zip is damaged at " + exportName},
		{"flipped byte", flipped, -1, "the zip is damaged at " + exportName},
		{"many files", zipOf(t, many...), 0, "more than 1000 files"},
		{"bomb", bomb, 0, "more than 200 times its size"},
		{"bomb of rows", rowBomb, -1, "more than 200 times its size"},
		{"nothing", zipOf(t), 0, "the zip is empty"},
		{"only plans", zipOf(t, entry{"x/PSTN.calls.2026-11-01.csv", plansHeader}, entry{"parameters.json", "{}"}), 0, "x/PSTN.calls.2026-11-01.csv: this is the export of Calling Plan calls"},
		{"something else", zipOf(t, entry{"a.txt", ""}, entry{"b.csv", "a,b\n"}, entry{"c.pdf", "%PDF-1.4"}), 0, "none of the 3 files or sheets in it is of this format: a.txt: the file is empty: it has no header row; b.csv: this is not the Direct Routing export"},
		{"zips in zips", nested(t, 5, sound), 0, "more than 4 archives in one another"},
		{"plans in the wrong file", zipOf(t, entry{exportName, plansHeader}), 0, exportName + ": invalid: this is the export of Calling Plan calls"},
		{"only the magic", []byte("PK\x03\x04"), 0, "damaged, or cut off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, _, err := decodeExport(t, bytes.NewReader(c.in))
			if !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), c.want) || c.rows >= 0 && rows != c.rows {
				t.Errorf("%d rows and %v, want %d and %q", rows, err, c.rows, c.want)
			}
		})
	}
}

// patchDirectory writes a number into the first record of an archive's
// directory, at an offset within it.
func patchDirectory(b []byte, offset int, v uint32) {
	i := bytes.Index(b, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint16(b[i+offset:], uint16(v))
}

// An archive whose directory points before its start gives the same words when
// it arrives through a pipe, and so was copied into a file first.
func TestZipPointsOutside(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	const zip64 = 1 // the extra field with an offset of eight bytes (APPNOTE 4.5.3)
	before := binary.LittleEndian.AppendUint64([]byte{zip64, 0, 8, 0}, 1<<63)
	if _, err := z.CreateHeader(&zip.FileHeader{Name: exportName, Method: zip.Deflate, Extra: before}); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	in := b.Bytes()
	patchDirectory(in, 42, 0xffff) // the offset is in the extra field
	patchDirectory(in, 44, 0xffff)
	_, _, whole := decodeExport(t, bytes.NewReader(in))
	_, _, piped := decodeExport(t, iotest.HalfReader(bytes.NewReader(in)))
	if !errors.Is(whole, call.ErrInvalid) || fmt.Sprint(whole) != fmt.Sprint(piped) {
		t.Errorf("as a whole: %v; through a pipe: %v", whole, piped)
	}
}

// An archive that was cut off anywhere gives an error, and no wrong rows.
func TestZipCutOff(t *testing.T) {
	sound := zipOf(t, entry{"parameters.json", "{}"}, entry{exportName, exportHeader + strings.Repeat(exportRow, 3)})
	for n := 4; n < len(sound); n++ {
		if rows, _, err := decodeExport(t, bytes.NewReader(sound[:n])); rows != 0 || !errors.Is(err, call.ErrInvalid) {
			t.Errorf("%d of %d bytes give %d rows and %v", n, len(sound), rows, err)
		}
	}
}

// A directory that claims to be small and is not ends before it fills the memory.
func TestZipLongDirectory(t *testing.T) {
	sound := zipOf(t, entry{"a", ""})
	i := bytes.Index(sound, []byte("PK\x01\x02"))
	end := bytes.Index(sound, []byte("PK\x05\x06"))
	in := bytes.Clone(sound[:i])
	in = append(in, bytes.Repeat(sound[i:end], 1_000_000)...)
	in = append(in, sound[end:]...)
	_, _, err := decodeExport(t, bytes.NewReader(in))
	if !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), "more than 1000 files") && !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a directory of %d bytes: %v", len(in), err)
	}
}

// Files of an archive may share their bytes: all of them together count.
func TestZipSharedBytes(t *testing.T) {
	one := zipOf(t, entry{exportName, exportHeader + strings.Repeat("x", 15<<20)})
	i := bytes.Index(one, []byte("PK\x01\x02"))
	end := bytes.Index(one, []byte("PK\x05\x06"))
	const n = 900
	in := bytes.Clone(one[:i])
	in = append(in, bytes.Repeat(one[i:end], n)...)
	tail := bytes.Clone(one[end:])
	binary.LittleEndian.PutUint16(tail[8:], n)
	binary.LittleEndian.PutUint16(tail[10:], n)
	binary.LittleEndian.PutUint32(tail[12:], uint32(n*(end-i)))
	in = append(in, tail...)
	_, _, err := decodeExport(t, bytes.NewReader(in))
	if err == nil || !strings.Contains(err.Error(), "more than 200 times its size") {
		t.Errorf("900 files of 15 MiB in %d bytes: %v", len(in), err)
	}
}

// An archive larger than the limit of its directory is read to the end.
func TestZipLarge(t *testing.T) {
	var text strings.Builder
	text.WriteString("CorrelationId,Start time,SBC FQDN,Display Name\n")
	const n = 30_000
	for i := range n {
		fmt.Fprintf(&text, "%s,2026-11-01T00:00:00Z,sbc1.contoso.com,%s\n", call.NameGUID("a", fmt.Sprint(i)), strings.Repeat(call.NameGUID("b", fmt.Sprint(i)).String(), 3))
	}
	in := zipOf(t, entry{exportName, text.String()})
	if len(in) < 1<<20 {
		t.Fatalf("only %d bytes", len(in))
	}
	if rows, _, err := decodeExport(t, bytes.NewReader(in)); rows != n || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// A bomb does not hide behind other files in the archive.
func TestZipBombInCompany(t *testing.T) {
	var noise strings.Builder
	for i := range 20_000 {
		noise.WriteString(call.NameGUID("noise", fmt.Sprint(i)).String())
	}
	in := zipOf(t, entry{"parameters.json", noise.String()}, entry{exportName, exportHeader + strings.Repeat("x", 40<<20)})
	if _, _, err := decodeExport(t, bytes.NewReader(in)); err == nil || !strings.Contains(err.Error(), "more than 200 times its size") {
		t.Errorf("40 MiB beside %d bytes: %v", len(in), err)
	}
}

// An archive that comes through a pipe is copied to a file, which is gone
// afterwards, also if reading is given up.
func TestZipThroughPipe(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	plans := entry{"PSTN.calls.2026-11-01.csv", plansHeader + "1,,,\n2,,,\n3,,,\n"}
	in := zipOf(t, plans, entry{`Calls\` + exportName, exportHeader + strings.Repeat(exportRow, 3)}, entry{"second/" + strings.ToUpper(exportName), exportHeader + "broken\n" + exportRow})
	rows, notes, err := decodeExport(t, iotest.OneByteReader(bytes.NewReader(in)))
	if rows != 4 || err != nil || len(notes) != 1 || !strings.Contains(notes[0], "was left out, with its 4 lines: this is the export of Calling Plan calls") {
		t.Errorf("%d rows, %v, notes %q", rows, err, notes)
	}
	d, err := Open("teams", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range d(iotest.HalfReader(bytes.NewReader(in))) {
		break
	}
	broken := errors.New("cable cut")
	if _, _, err := decodeExport(t, io.MultiReader(bytes.NewReader(in[:100]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a broken pipe: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	one := zipOf(t, entry{plans.name, plansHeader}, entry{exportName, exportHeader + exportRow})
	if _, notes, err = decodeExport(t, bytes.NewReader(one)); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "with its 1 line: this is the export of Calling Plan calls") {
		t.Errorf("%q, %v", notes, err)
	}
}

// An error of one of several files in an archive says whose line it is.
func TestZipNamesFile(t *testing.T) {
	in := zipOf(t, entry{exportName, exportHeader + "broken\n"}, entry{"DirectRouting.calls.2.csv", exportHeader + exportRow})
	got := ""
	d, err := Open("teams", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range d(bytes.NewReader(in)) {
		if err != nil {
			got += err.Error()
		}
	}
	if want := "line 2: " + exportName + ": invalid: the record has 1 fields, not 3"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A file is read from where it stands, whether it can be read at any place or
// not.
func TestZipFile(t *testing.T) {
	in := zipOf(t, entry{exportName, exportHeader + exportRow})
	name := filepath.Join(t.TempDir(), "Calls.Export.1.zip")
	if err := os.WriteFile(name, append([]byte("before"), in...), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(int64(len("before")), io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if rows, _, err := decodeExport(t, f); rows != 1 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
}
