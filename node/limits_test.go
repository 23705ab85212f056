package node

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunklog/trunklog/source/push"
)

// TestSlowAnswer: the server counts an answer that takes responseTime or longer, except one to a
// delivery of calls, which its source counts itself.
func TestSlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l headLimit
		took := time.Duration(0)
		h := l.limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(took) }), nil)
		for _, path := range []string{"/", push.Path} {
			for _, took = range []time.Duration{0, responseTime - 1, responseTime} {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
			}
		}
		if n := l.slow.Load(); n != 1 {
			t.Errorf("%d were counted", n)
		}
	})
}

// TestLimitsAreCounted: docs/limits.md names a count for each limit, and that count exists.
func TestLimitsAreCounted(t *testing.T) {
	known := map[string]bool{}
	for name := range (limiting{}).counts() {
		known[name] = true
	}
	push.Stats{}.Counts(func(_, cause string, _ uint64) { known[cause] = true })
	metrics := read(t, repository+"/docs/metrics.md")
	names := regexp.MustCompile("`([^`{]+)[^`]*`")
	rows := 0
	for part := range strings.SplitSeq(read(t, repository+"/docs/limits.md"), "\n\n") {
		if !strings.HasPrefix(part, "|") {
			continue
		}
		lines := strings.Split(strings.TrimSpace(part), "\n")
		if len(lines) < 3 || lines[1] != "|---|---|---|---|" {
			t.Errorf("this is no table:\n%s", part)
			continue
		}
		for _, line := range lines[2:] {
			rows++
			cells := strings.Split(line, "|")
			by := strings.TrimSpace(cells[len(cells)-2])
			if len(cells) != 6 || by == "" {
				t.Errorf("nothing counts %s", line)
			}
			for _, m := range names.FindAllStringSubmatch(by, -1) {
				if !known[m[1]] && !(strings.HasPrefix(m[1], "trunklog_") && strings.Contains(metrics, m[1])) {
					t.Errorf("there is no count %s", m[1])
				}
			}
		}
	}
	if rows < 20 {
		t.Errorf("there are %d limits", rows)
	}
}
