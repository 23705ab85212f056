package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/trunklog/trunklog/call"
	own "github.com/trunklog/trunklog/format/csv"
)

func noMore([]byte) (string, bool) { return "", false }

// toldText writes the results of Tell as text.
func toldText(all []Told, err error) string {
	var parts []string
	for _, is := range all {
		text := strings.TrimSpace(is.Kind.Name + " " + is.Kind.Map)
		switch {
		case is.Empty:
			text = "empty"
		case is.Why != nil:
			text = strings.TrimPrefix(is.Why.Error(), "invalid: ")
		}
		if is.Name != "" {
			text = is.Name + ": " + text
		}
		parts = append(parts, text)
	}
	if err != nil {
		parts = append(parts, "and then "+err.Error())
	}
	return strings.Join(parts, "; ")
}

// TestTell finds the kind of each of the testdata of all formats, and compares it with
// testdata/tell.want. Packing and encoding do not matter.
func TestTell(t *testing.T) {
	var got strings.Builder
	for _, name := range Names() {
		inputs, err := filepath.Glob(filepath.Join(folders[name], "testdata", "*.in"))
		if err != nil {
			t.Fatal(err)
		}
		for _, input := range inputs {
			in, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			is := toldText(Tell(bytes.NewReader(in), nil, noMore))
			fmt.Fprintf(&got, "%s: %s\n", strings.TrimSuffix(filepath.ToSlash(input), ".in"), is)
			for how, r := range map[string]io.Reader{
				"gz": bytes.NewReader(gzipOf(t, in)), "zst": bytes.NewReader(zstdOf(t, in)), "byte by byte": iotest.OneByteReader(bytes.NewReader(in)),
			} {
				if packed := toldText(Tell(r, nil, noMore)); packed != is {
					t.Errorf("%s: %s, and %s %s", input, is, how, packed)
				}
			}
		}
	}
	const file = "testdata/tell.want"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s\n(-update writes what came out)", got.String(), want)
	}
}

// Tell judges each of several files in an archive by itself, and says why a file is of no format;
// each format reads its own of them.
func TestTellPacked(t *testing.T) {
	const page = `{"value":[{"id":"1","startDateTime":"2026-11-01T00:00:00Z"}]}`
	const mine = "when;who\n2026-11-01T00:00:00Z;+491\n"
	yaml := []byte("fields: {startDateTime: when, callerNumber: who}")
	in := zipOf(t,
		entry{"readme.txt", "These are the calls of November.\n"},
		entry{"page.csv", page},
		entry{"inner.zip", string(zipOf(t, entry{"export", exportHeader + exportRow}, entry{"list.json", `[{"a":1}]`}))},
		entry{"plans.csv", plansHeader + "1,2,3,4\n"},
		entry{"mine", mine},
		entry{"nothing", "\n"},
		entry{"old.xls", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"},
		entry{"table", "a,b,c\n1,2,3\n"},
		entry{"nul", "\x01\x00\x02"})
	const want = `readme.txt: it is of no format that is known here, and no table of which the map speaks; page.csv: graph; inner.zip/export: teams; ` +
		`inner.zip/list.json: it is JSON, with no property of Graph's at its beginning; plans.csv: teams; mine: csv; nothing: empty; ` +
		`old.xls: the file is an Excel workbook that is protected by a password, or of the old kind (.xls): open it, and save it as .xlsx without a password, or as CSV; ` +
		`table: it is of no format that is known here, and no table of which the map speaks; nul: it is of no format that is known here`
	all, err := Tell(bytes.NewReader(in), yaml, noMore)
	if got := toldText(all, err); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for name, rows := range map[string]int{"graph": 1, "teams": 1, "csv": 1} {
		o := Options{Only: func(file string) bool {
			for _, is := range all {
				if is.Name == file {
					return is.Kind.Name == name
				}
			}
			t.Errorf("%s was not told", file)
			return false
		}}
		if name == "csv" {
			o.Map = yaml
		}
		d, err := Open(name, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := show(d(bytes.NewReader(in))); strings.Count(got, "event") != rows || strings.Count(got, "\nerror") > 0 {
			t.Errorf("%s reads %s", name, got)
		}
	}
}

// The error of a broken archive comes after the earlier results; a table that fits several maps is
// of no kind.
func TestTellBroken(t *testing.T) {
	sound := zipOf(t, entry{"a", exportHeader + exportRow}, entry{"b", exportHeader + strings.Repeat(exportRow, 50)})
	broken := bytes.Clone(sound)
	patchDirectory(broken, 8, 1) // the first is encrypted
	for what, in := range map[string][]byte{"cut": sound[:len(sound)-30], "encrypted": broken, "deep": nested(t, 5, sound), "gz": gzipOf(t, sound)[:30]} {
		all, err := Tell(bytes.NewReader(in), nil, noMore)
		if len(all) > 0 || !errors.Is(err, call.ErrInvalid) {
			t.Errorf("%s: %s", what, toldText(all, err))
		}
	}
	if _, err := Tell(iotest.ErrReader(io.ErrClosedPipe), nil, noMore); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// Wherever a file is cut, the decoder of its kind reads it, and accounts for each record that has
// begun: it is a row, a reject, or the subject of the last error.
func TestTellCut(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	cdr := `Call 7001,9a0f_%03d,00:01:00,2026/11/02 08:00:01,2026/11/02 08:00:05,2026/11/02 08:01:05,TerminatedBySrc,+498912345,Ext.801,10001,801,+493055501,,,,,,,,Chain: Ext.801;,Line,Extension,Extension,Ada,Bea,Bea,` + "\n"
	for kind, c := range map[string]struct {
		header, record string
	}{
		"graph":   {"", `{"id":"00000001-0000-4000-8000-000000000%03d","startDateTime":"2026-11-01T00:00:00Z","callType":"ByotIn"}` + "\n"},
		"teams":   {exportHeader, strings.Replace(exportRow, "3992afde64e0", "3992afde6%03d", 1)},
		"csv 3cx": {"", cdr},
	} {
		in := []byte(c.header)
		for i := range 30 {
			in = fmt.Appendf(in, c.record, i)
		}
		for range 200 {
			n := len(c.header) + random.IntN(len(in)-len(c.header)+1)
			text := in[:n]
			begun := bytes.Count(text[len(c.header):], []byte{'\n'})
			if n > len(c.header) && text[n-1] != '\n' {
				begun++
			}
			all, err := Tell(bytes.NewReader(gzipOf(t, text)), nil, noMore)
			if is := toldText(all, err); is != kind {
				if begun > 1 || kind == "teams" {
					t.Fatalf("%s, cut at %d, is told to be %s", kind, n, is)
				}
				continue
			}
			o := Options{}
			if all[0].Kind.Map != "" {
				o.Map, _ = own.ReadyMap(all[0].Kind.Map)
			}
			d, err := Open(all[0].Kind.Name, o)
			if err != nil {
				t.Fatal(err)
			}
			got := show(d(bytes.NewReader(text)))
			if rows := strings.Count("\n"+got, "\nevent "); rows+strings.Count("\n"+got, "\nerror ")+strings.Count("\n"+got, "\nend: ") != begun {
				t.Fatalf("%s, cut at %d, where %d records have begun:\n%s", kind, n, begun, got)
			}
		}
	}
}
