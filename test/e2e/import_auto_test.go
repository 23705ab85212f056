package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/test/kit"
)

// TestAutoInterrupted: wherever an import of several formats is interrupted, what it
// says is new is in the store, and is what 'import list' says; and again it brings the
// rest, each call once.
func TestAutoInterrupted(t *testing.T) {
	kit.Long(t)
	if runtime.GOOS == "windows" {
		t.Skip("there is no interrupt to send")
	}
	t.Parallel() // it mostly waits for processes
	const rows = 12_000
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	files := t.TempDir()
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(files, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a", []byte(must(t, "", "gen", "--rows", strconv.Itoa(rows/2), "--seed", "3", "--from", "2026-11-01", "--to", "2026-11-05")))
	write("b", exportOf(rows/2))
	var took time.Duration
	for round := range kit.Scale(t, 4) {
		data := filepath.Join(t.TempDir(), "data")
		must(t, "", "tenant", "add", "contoso", "--data", data, "--id", contosoID, "--trunk", "sbc1.contoso.com")
		cmd := kit.Command(t.Context(), "trunklog", "import", "auto", "--data", data, "--tenant", "contoso", "-o", "json", files)
		var out bytes.Buffer
		cmd.Stdout = &out
		began := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if round > 0 { // the first is to know how long it takes
			time.Sleep(time.Duration(random.Int64N(int64(took)))) // when somebody loses patience is nobody's choice
			if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		}
		err := cmd.Wait()
		took = max(took, time.Since(began))
		checkTold(t, data, out.Bytes())
		if out := must(t, "", "import", "auto", "--data", data, "--tenant", "contoso", "-o", "json", files); callsIn(t, data) != rows {
			t.Fatalf("round %d: interrupted with %v, and then there are %d calls, not %d\n%s", round, err, callsIn(t, data), rows, out)
		}
	}
}

// checkTold compares what an import has said, if it came so far, with what is there.
func checkTold(t *testing.T, data string, said []byte) {
	t.Helper()
	var s struct{ New int64 }
	if len(said) > 0 {
		if err := json.Unmarshal(said, &s); err != nil {
			t.Fatal(err)
		}
	}
	var all []ingest.Import
	if err := json.Unmarshal([]byte(must(t, "", "import", "list", "--data", data, "-o", "json")), &all); err != nil {
		t.Fatal(err)
	}
	var noted int64
	for i := range all {
		noted += all[i].New
	}
	if there := callsIn(t, data); s.New != there || noted != there {
		t.Errorf("%d calls are there, the import says %d and the list %d\n%s", there, s.New, noted, said)
	}
}

func callsIn(t *testing.T, data string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimSpace(must(t, "", "calls", "count", "--data", data)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// exportOf returns an export of the Teams admin centre with n calls.
func exportOf(n int) []byte {
	var b bytes.Buffer
	b.WriteString("Correlation Id,Start time,Duration (seconds),Success,Caller Number,Callee Number,Call type,SBC FQDN\n")
	for i := range n {
		at := time.Date(2026, 10, 1, 0, 0, i, 0, time.UTC).Format(time.RFC3339)
		fmt.Fprintf(&b, "c98e1515-a937-4b81-b8a8-%012d,%s,60,Yes,+4930%06d,+498999001,dr_in,sbc1.contoso.com\n", i, at, i)
	}
	return b.Bytes()
}

// TestAutoZip: each file in an archive is read in its own format and in no other, and
// what is of none is named, with the file that it is in.
func TestAutoZip(t *testing.T) {
	dir := t.TempDir()
	zipped, data := filepath.Join(dir, "all"), filepath.Join(dir, "data")
	f, err := os.Create(zipped)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	for _, e := range []struct{ name, text string }{
		{"export.json", string(exportOf(3))},
		{"parameters.json", `{"category":"pstn"}`},
		{"page.csv", `{"value":[{"id":"00000001-0000-4000-8000-000000000001","startDateTime":"2026-11-01T00:00:00Z"}]}`},
		{"cdr.log", "Call 7001,9a0f_101,00:01:00,2026/11/02 08:00:01,2026/11/02 08:00:05,2026/11/02 08:01:05,TerminatedBySrc,+498912345,Ext.801,10001,801,+493055501,\n"},
		{"notes.txt", "These are the calls, of November, and of October.\n"},
	} {
		in, err := w.Create(e.name)
		if err == nil {
			_, err = in.Write([]byte(e.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	must(t, "", "tenant", "add", "contoso", "--data", data, "--id", contosoID, "--trunk", "sbc1.contoso.com")
	_, said, code := command(t, "", "import", "auto", "--data", data, "--tenant", "contoso", zipped)
	for _, want := range []string{
		zipped + ": notes.txt: its columns are of no format that is known here",
		zipped + ": graph, 1 record\n", zipped + ": teams, 3 records\n", zipped + ": csv by the map 3cx, 1 record\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if n := callsIn(t, data); n != 5 || code != 5 || strings.Contains(said, "parameters.json") {
		t.Errorf("%d calls, exit code %d\n%s", n, code, said)
	}
	in, err := os.ReadFile(zipped)
	if err != nil {
		t.Fatal(err)
	}
	if _, said, code = command(t, string(in), "import", "auto", "--data", data, "-"); code != 1 || !strings.Contains(said, "-: a zip on standard input cannot be looked into") {
		t.Errorf("through a pipe: exit code %d\n%s", code, said)
	}
}
