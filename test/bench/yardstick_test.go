package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/test/kit"
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
	cert, err := kit.NewKeyPair("127.0.0.1", nil)
	if err == nil {
		err = cert.Write(filepath.Join(site.Dir, "cert.pem"), filepath.Join(site.Dir, "key.pem"))
	}
	if err != nil {
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
	b.clients, b.slice = 2, 200*time.Millisecond
	s, err := b.score(t.Context(), 0, yards[0].target(modes()[0], "token"))
	if err != nil || s.rate < 10 || s.p50 <= 0 || s.p99 < s.p50 || s.size != 1000 {
		t.Errorf("%+v, %v", s, err)
	}
	if len(yards) < 2 {
		kit.Missing(t, "nginx is left out: %v", b.report.notes)
	}
}

func TestPostgres(t *testing.T) {
	notInAHurry(t, "PostgreSQL takes ten seconds")
	if _, err := postgresBin(); err != nil {
		kit.Missing(t, "%v", err)
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

func TestRecord(t *testing.T) {
	r := call.Row{
		Tenant: call.GUID{1}, ID: call.GUID{2}, Start: time.Date(2026, 1, 5, 1, 2, 3, 123456700, time.UTC),
		UserDisplayName: "a\tb\\c\nd", Duration: 7, Successful: true, AdministrativeUnits: []call.GUID{{3}, {4}},
	}
	got := record(&r)
	if len(got) != 26 || strings.Count(postgresTable[:strings.Index(postgresTable, "PRIMARY")], ",") != 26 {
		t.Fatalf("a row has %d columns: %q", len(got), got)
	}
	for i, want := range map[int]string{
		0: "01000000-0000-0000-0000-000000000000", 2: "", 5: "a\tb\\c\nd", 6: "2026-01-05T01:02:03.1234567Z", 10: "7", 12: "true",
		25: "{03000000-0000-0000-0000-000000000000,04000000-0000-0000-0000-000000000000}",
	} {
		if got[i] != want {
			t.Errorf("column %d is %q, want %q", i, got[i], want)
		}
	}
}
