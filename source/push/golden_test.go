package push

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestGolden compares the answers with testdata/answers.txt, which shows each behind its request.
func TestGolden(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxBody, c.MaxRejected = 1<<20, 4 })
	var out strings.Builder
	for _, c := range []struct {
		query, body string
		header      []string
	}{
		{"", row(0), nil},
		{"", row(0), nil},
		{"?kind=graph", row(0), nil},
		{"", row(1), []string{"Idempotency-Key", "k"}},
		{"", row(1), []string{"Idempotency-Key", "k"}},
		{"", row(2), []string{"Idempotency-Key", "k"}},
		{"", row(2) + "x\n" + `{"id":"1"}` + "\n" + `{"event":"x"}` + "\n", nil},
		{"", `{"event":"partial","call":"k","inviteDateTime":"2026-10-01T00:00:00Z"}`, nil},
		{"", "x\n[]\n{\n", nil},
		{"", "x\nx\nx\nx\nx\n" + row(3), nil},
		{"", "[" + strings.TrimSpace(row(4)) + ",\n" + `{"startDateTime":"2026-10-01","callerNumber":"refuse"},` + "\n7]", []string{"Content-Type", "application/json"}},
		{"", "", nil},
		{"", "x", []string{"Content-Type", "text/plain"}},
		{"", "x", []string{"Content-Encoding", "br"}},
		{"", "x", []string{"Content-Encoding", "gzip"}},
		{"?kind=x", row(0), nil},
		{"?x=y", row(0), nil},
		{"", row(0), []string{"Idempotency-Key", "a b"}},
		{"", strings.Repeat("\n", 2<<20), nil},
		{"", row(0), []string{"Authorization", "no"}},
	} {
		o := b.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path+c.query, strings.NewReader(c.body)), c.header...)
		fmt.Fprintf(&out, "> POST %s%s %s\n", Path, c.query, strings.Join(c.header, ": "))
		for _, line := range slices.Collect(strings.Lines(c.body)) {
			if len(c.body) < 1<<20 {
				fmt.Fprintf(&out, "> %.100s\n", strings.TrimSpace(line))
			}
		}
		fmt.Fprintf(&out, "< %d\n", o.status)
		for _, name := range []string{"Content-Type", replayed, "Retry-After", "Allow"} {
			if v := o.head.Get(name); v != "" && o.status < 300 {
				fmt.Fprintf(&out, "< %s: %s\n", name, v)
			}
		}
		fmt.Fprintf(&out, "< %s\n\n", strings.TrimSpace(o.text))
		b.pass(time.Second)
	}
	path := filepath.Join("testdata", "answers.txt")
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("the answers are not those of %s (-update writes it):\n%s", path, out.String())
	}
}
