package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// The yardsticks serve the right bytes: as they are, and packed.
func TestYardsticksServe(t *testing.T) {
	site := staticSite{Dir: t.TempDir(), Pages: 2}
	want := map[string]int64{"identity": 1000, "gzip": 100}
	for i := range site.Pages {
		for suffix, size := range map[string]int64{"": want["identity"], ".gz": want["gzip"]} {
			if err := os.WriteFile(filepath.Join(site.Dir, pageName(i)+suffix), make([]byte, size), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := writeCert(site.Dir); err != nil {
		t.Fatal(err)
	}
	b := &bench{report: &report{}, dir: t.TempDir()}
	yards, stop, err := b.startYards(t.Context(), site)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, y := range yards {
		for _, m := range modes() {
			c, err := dial(t.Context(), y.target(m, "token"))
			if err != nil {
				t.Fatalf("%s, %s: %v", y.name, m.name, err)
			}
			defer c.conn.Close()
			for range 5 {
				if got, err := c.do(rand.New(rand.NewPCG(1, 1))); got != want[m.encoding] || err != nil {
					t.Errorf("%s, %s: %d bytes, %v; want %d", y.name, m.name, got, err, want[m.encoding])
				}
			}
		}
	}
	for _, a := range b.askers(modes()[0]) {
		s, err := a.ask(t.Context(), load{clients: 2, length: 200 * time.Millisecond}, yards[0].target(modes()[0], "token"))
		if err != nil || s.rate < 10 || s.p50 <= 0 || s.p99 < s.p50 {
			t.Errorf("%s: %+v, %v", a.name, s, err)
		}
	}
	if len(yards) < 2 {
		missing(t, fmt.Errorf("nginx is left out: %v", b.report.notes))
	}
}

// missing fails the test where every yardstick has to be there, and skips the
// rest of it elsewhere.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func TestPostgres(t *testing.T) {
	if _, err := postgresBin(); err != nil {
		missing(t, err)
	}
	// Its user must be able to reach the folder, and a socket's path is short.
	dir, err := os.MkdirTemp("", "trunklog-bench-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	b := &bench{report: &report{}, dir: dir, config: config{rows: 20_000, postgresRows: 12_000, users: 50, seed: 1, slice: 3 * time.Second}}
	if err := b.measurePostgres(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := b.postgres
	if p.rows != 12_000 || len(p.rates) != 2 || p.perRow < 100 || len(p.first) != 9 || len(p.far) != 9 || len(p.singles) == 0 {
		t.Errorf("it was measured as %+v; notes: %v", p, b.report.notes)
	}
}

func TestCopyText(t *testing.T) {
	r := call.Row{
		Tenant: call.GUID{1}, ID: call.GUID{2}, Start: time.Date(2026, 1, 5, 1, 2, 3, 123456700, time.UTC),
		UserDisplayName: "a\tb\\c\nd", Duration: 7, Successful: true, AdministrativeUnits: []call.GUID{{3}, {4}},
	}
	got := strings.Split(string(appendCopy(nil, &r, postgresFields())), "\t")
	if len(got) != 26 || strings.Count(postgresTable[:strings.Index(postgresTable, "PRIMARY")], ",") != 26 {
		t.Fatalf("a row has %d columns: %q", len(got), got)
	}
	for i, want := range map[int]string{
		0: "01000000-0000-0000-0000-000000000000", 2: `\N`, 5: `a\tb\\c\nd`, 6: "2026-01-05 01:02:03.123456Z", 10: "7", 12: "true",
		25: "{03000000-0000-0000-0000-000000000000,04000000-0000-0000-0000-000000000000}\n",
	} {
		if got[i] != want {
			t.Errorf("column %d is %q, want %q", i, got[i], want)
		}
	}
}

// A process that does not end on its own is ended, and one that cannot be
// started is an error.
func TestProcess(t *testing.T) {
	p, err := startProcess(t.Context(), "sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	p.stop(syscall.SIGTERM)
	if p.wait() == nil {
		t.Error("a process that was ended has ended well")
	}
	if _, err := startProcess(t.Context(), "/nowhere/at/all"); err == nil {
		t.Error("a program that is not there was started")
	}
	p, err = startProcess(t.Context(), "false")
	if err != nil {
		t.Fatal(err)
	}
	err = p.poll(t.Context(), time.Minute, func() error { return os.ErrNotExist })
	if err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("waiting for a process that has ended: %v", err)
	}
}
