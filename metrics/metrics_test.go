package metrics

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"github.com/trunklog/trunklog/call"
)

var update = flag.Bool("update", false, "write what comes out to the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// example is a config in which every function has something to say.
func example() Config {
	return Config{
		Version: "v1.2.3",
		Sources: exampleSources,
		Rows: func() []Rows {
			return []Rows{{Source: "http", New: 1, Changed: 2, Same: 3, Rejected: 4, Unassigned: 5, Linked: 28}}
		},
		Auth: func() Auth {
			return Auth{
				Issued: 21, Refused: map[string]uint64{"limited": 22}, Requests: map[string]uint64{"denied": 23},
				Keys: map[string]uint64{"failed": 24}, Failed: map[string]uint64{"round": 25},
			}
		},
		Limits:      func() map[string]uint64 { return map[string]uint64{"scans": 26} },
		Injected:    func() map[string]uint64 { return map[string]uint64{"429": 29} },
		Connections: func() int64 { return 27 },
		Folding: func() Folding {
			return Folding{
				Open: 17, Held: 18, Lag: 1500 * time.Millisecond, Messages: map[string]uint64{"call": 8, "other": 9},
				Legs: map[string]uint64{"row": 10, "part": 11}, Amended: 12, Inferred: 13, Crowded: 14,
			}
		},
	}
}

// shown returns the metrics as text.
func shown(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("status %d, %v: %s", w.Code, w.Header(), w.Body)
	}
	return w.Body.String()
}

// own returns the lines of the program's own metrics.
func own(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, "trunklog_") {
			b.WriteString(goVersion.ReplaceAllString(line, `go_version="go1"`))
		}
	}
	return b.String()
}

var goVersion = regexp.MustCompile(`go_version="[^"]*"`)

// TestGolden pins names, labels and help: dashboards and alerts depend on them.
func TestGolden(t *testing.T) {
	got := own(shown(t, New(example())))
	path := filepath.Join("testdata", "metrics.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the metrics are not those of %s (-update writes it):\n%s", path, got)
	}
}

// TestDocumented: an operator finds every metric in docs/metrics.md.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^# TYPE (trunklog_\w+)`).FindAllStringSubmatch(shown(t, New(example())), -1)
	if len(names) < 15 {
		t.Fatalf("only %d metrics", len(names))
	}
	for _, m := range names {
		if !bytes.Contains(doc, []byte("`"+m[1])) {
			t.Errorf("docs/metrics.md does not tell of %s", m[1])
		}
	}
}

// TestLint: the names are as Prometheus's own linter wants them.
func TestLint(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(shown(t, New(example())))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestNothingToShow: without sources there are the metrics of the process and
// of the store, and no others.
func TestNothingToShow(t *testing.T) {
	text := shown(t, New(Config{}))
	for _, want := range []string{"go_goroutines ", "process_open_fds ", "trunklog_commit_seconds_count 0", `trunklog_commit_failures_total{cause="full"} 0`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, never := range []string{"trunklog_hep", "trunklog_push", "trunklog_rows", "trunklog_open_calls"} {
		if strings.Contains(text, never) {
			t.Errorf("%s is there", never)
		}
	}
}

// Two programs in one process do not get in each other's way.
func TestOwnRegistry(t *testing.T) {
	a, b := New(Config{Version: "a"}), New(Config{Version: "b"})
	if text := shown(t, a); !strings.Contains(text, `version="a"`) || strings.Contains(text, `version="b"`) {
		t.Errorf("not its own version:\n%s", own(text))
	}
	if text := shown(t, b); !strings.Contains(text, `version="b"`) {
		t.Errorf("not its own version:\n%s", own(text))
	}
}

// A fake is a store whose writes end as it is told.
type fake struct {
	call.Store
	err error
}

func (f *fake) Write(context.Context, call.Batch) (call.Result, error) {
	return call.Result{Rows: make([]call.Written, 1)}, f.err
}

type fakeKeeper struct {
	*fake
	call.Keeper
}

// TestStore: a write is timed if it was done and counted by cause if not, and
// its result is the store's.
func TestStore(t *testing.T) {
	writes := NewWrites()
	m := New(Config{Writes: writes})
	f := &fake{}
	st := writes.Store(f)
	if _, ok := st.(call.Keeper); ok {
		t.Error("a store that is no keeper became one")
	}
	if _, ok := writes.Store(fakeKeeper{fake: f}).(call.Keeper); !ok {
		t.Error("a keeper is one no more")
	}
	for range 3 {
		if res, err := st.Write(t.Context(), call.Batch{}); err != nil || len(res.Rows) != 1 {
			t.Fatal(res, err)
		}
	}
	for i, c := range []struct {
		err  error
		name string
	}{
		{call.ErrFull, "full"},
		{call.ErrConflict, "conflict"},
		{call.ErrInvalid, "invalid"},
		{call.ErrClosed, "closed"},
		{context.Canceled, "canceled"},
		{context.DeadlineExceeded, "timeout"},
		{io.ErrUnexpectedEOF, "other"},
	} {
		for range i + 1 {
			f.err = fmt.Errorf("write: %w", c.err)
			if _, err := st.Write(t.Context(), call.Batch{}); !errors.Is(err, c.err) {
				t.Fatal(err)
			}
		}
		if want := fmt.Sprintf("trunklog_commit_failures_total{cause=%q} %d\n", c.name, i+1); !strings.Contains(shown(t, m), want) {
			t.Errorf("no %s", want)
		}
	}
	if !strings.Contains(shown(t, m), "trunklog_commit_seconds_count 3\n") {
		t.Error("three writes were not timed, or failed ones were")
	}
}
