package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// TestSmoke makes a whole run with few rows and little time, so that the
// harness does not rot. Its figures mean nothing. TestNeighbours has the rest.
func TestSmoke(t *testing.T) {
	notInAHurry(t, "a whole run takes a minute")
	tmp := t.TempDir()
	out := filepath.Join(tmp, "benchmarks.md")
	c, err := parse([]string{
		"-rows", "12000", "-postgres-rows", "10000", "-import-rows", "5000", "-move-rows", "20000", "-upgrade-rows", "5000", "-calls", "300", "-users", "50",
		"-only", strings.Join(slices.DeleteFunc(steps(), func(s string) bool { return s == "neighbours" }), ","), "-program", kit.Program(t),
		"-rounds", "1", "-slice", "100ms", "-tmp", tmp, "-out", out, "-timeout", "8m",
	}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	b := &bench{config: c, report: &report{}, log: &log}
	began := time.Now()
	if err := b.run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	t.Logf("%v\n%s", time.Since(began), &log)
	page, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, work := range []string{
		"harness's client, identity |", "harness's client, gzip |", "client, gzip over TLS |", "page at `$skip` = 6,000", "durable ingest", "disk per row",
		"durable single events", "one number among 12,000 rows", "after a clean stop", "`gen \\| import graph -`", "memory, serving",
		"decode and fold", "through one TCP connection", "with the messages kept", "after the BYE", "open calls",
		"first page of a busy number among", "first page of a rare number", "first page of a number that nobody has", "first page of a masked number as Graph writes it",
		"first page of a whole number that may be a masked one", "first page of a user id", "first page of a principal name in capitals among",
		"bytes are changes, and none are moves: ", "moves every row by 7ms", "since which 10,000 rows have moved", "hour over 28 days, from cells", "which no cell knows",
		"first page of any of ten: a number of any call", "first page of any of ten: a principal name in capitals", "first page of the others of these",
	} {
		if !strings.Contains(string(page), work) {
			t.Errorf("the page has no line about %s", work)
		}
	}
	if strings.Contains(string(page), tmp) {
		t.Error("the page names a folder of this machine")
	}
	left, err := filepath.Glob(filepath.Join(tmp, "trunklog-bench-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v was left behind, %v", left, err)
	}
	if !strings.Contains(string(page), "`db upgrade` of a store of the first release, 5,000 rows") {
		kit.Missing(t, "the upgrade is left out: %v", b.report.notes)
	}
}

// notInAHurry leaves a test out under -short.
func notInAHurry(t *testing.T, why string) {
	t.Helper()
	if testing.Short() {
		t.Skip("short: " + why)
	}
}

// A run that is interrupted leaves the page of the last one as it was, and
// nothing else behind.
func TestInterrupted(t *testing.T) {
	tmp := t.TempDir()
	out := filepath.Join(tmp, "benchmarks.md")
	if err := os.WriteFile(out, []byte("as it was"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := &bench{config: config{rows: 5000, tmp: tmp, out: out}, report: &report{}, log: io.Discard}
	if err := b.run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the run ended with %v", err)
	}
	page, err := os.ReadFile(out)
	if err != nil || string(page) != "as it was" {
		t.Errorf("the page is %q, %v", page, err)
	}
	left, err := filepath.Glob(filepath.Join(tmp, "trunklog-bench-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v was left behind, %v", left, err)
	}
}
