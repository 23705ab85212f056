package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/ingest"
)

// TestAutoInterrupted: wherever an import of several formats is interrupted, what it
// says is new is in the store, and is what 'import list' says; and again it brings the
// rest, each call once.
func TestAutoInterrupted(t *testing.T) {
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
	for round := range 4 * scale() {
		data := filepath.Join(t.TempDir(), "data")
		must(t, "", "tenant", "add", "contoso", "--data", data, "--id", contosoID, "--trunk", "sbc1.contoso.com")
		cmd := exec.CommandContext(t.Context(), "trunklog", "import", "auto", "--data", data, "--tenant", "contoso", "-o", "json", files)
		cmd.Env = cleanEnv()
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
	var s summary
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
