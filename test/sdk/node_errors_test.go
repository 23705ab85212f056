package sdk

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// expectGraphError checks that the client threw its own type, with all that a
// program may look at.
func expectGraphError(t *testing.T, w jsWalk, status int, code string) {
	t.Helper()
	e := w.err
	if e == nil {
		t.Fatalf("there was no error, want %d %s", status, code)
	}
	if !e.Graph || e.Status != status || e.Code != code || e.Message == nil || e.RequestID == "" {
		t.Errorf("got %+v, want a GraphError with %d %s, a message and a request id", *e, status, code)
	}
}

func TestJSErrors(t *testing.T) {
	t.Parallel()
	needJS(t)
	h := newHouse(t, generate(t, 10, 1))
	s := h.serve(t)
	token := h.token(t, h.reader)

	tests := []struct {
		name   string
		client client
		change func(*job)
		status int
		code   string
	}{
		{"401 forged token", h.reader, func(j *job) { j.Token = forge(token) }, 401, "InvalidAuthenticationToken"},
		{"401 opaque token", h.reader, func(j *job) { j.Token = "opaque" }, 401, "InvalidAuthenticationToken"},
		{"403 without the role", h.feeder, nil, 403, "Forbidden"},
		{"400 filter", h.reader, func(j *job) { j.Path += "?$filter=colour eq 'red'" }, 400, "BadRequest"},
		{"400 dates", h.reader, func(j *job) { j.Path = strings.ReplaceAll(j.Path, fromDate, "soon") }, 400, "BadRequest"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j := s.job(test.client)
			if test.change != nil {
				test.change(&j)
			}
			expectGraphError(t, s.runJS(t, j, nil), test.status, test.code)
		})
	}

	// The client makes a GraphError without a status of what its credential
	// throws.
	t.Run("wrong secret", func(t *testing.T) {
		j := s.job(h.reader)
		j.Secret += "x"
		w := s.runJS(t, j, nil)
		if w.err == nil || w.err.Status != -1 || w.err.Message == nil || !strings.Contains(*w.err.Message, "AADSTS7000215") {
			t.Errorf("got %+v", w.err)
		}
	})
}

func TestJSThrottled(t *testing.T) {
	t.Parallel()
	needJS(t)
	rows := generate(t, 6, 1)
	h := newHouse(t, rows)
	s := h.serve(t, "--rate-limit", "4")

	j := s.job(h.reader)
	j.Path, j.PageSize, j.Retry = j.Path+"?$top=1", 1, true
	tally := newTally(rows)
	w := s.runJS(t, j, func(_ int, lines []json.RawMessage) {
		for _, line := range lines {
			tally.saw(t, parseRow(t, string(line)))
		}
	})
	if w.err != nil {
		t.Fatalf("%+v", *w.err)
	}
	tally.check(t)
	throttled := 0
	for i, e := range w.wire {
		if e.Status == 429 {
			throttled++
			checkJSWait(t, e, w.wire[i+1])
		}
	}
	if throttled == 0 {
		t.Errorf("none of %d requests was throttled", len(w.wire))
	}

	j.Retry = false
	w = s.runJS(t, j, nil)
	expectGraphError(t, w, 429, "TooManyRequests")
	checkRetryAfter(t, []string{w.err.RetryAfter})
}

func TestJSUnavailable(t *testing.T) {
	t.Parallel()
	needJS(t)
	h := newHouse(t, generate(t, 10, 1))
	s := h.serve(t, "--page-timeout", "1ns")
	for retry, want := range map[bool]int{false: 1, true: 4} {
		j := s.job(h.reader)
		j.Retry = retry
		w := s.runJS(t, j, nil)
		expectGraphError(t, w, 503, "serviceNotAvailable")
		checkRetryAfter(t, []string{w.err.RetryAfter})
		if len(w.wire) != want {
			t.Errorf("%d requests were sent, want %d", len(w.wire), want)
			continue
		}
		for i := range want - 1 {
			checkJSWait(t, w.wire[i], w.wire[i+1])
		}
	}
}

// checkJSWait is checkWait for what node has noted.
func checkJSWait(t *testing.T, e, next jsExchange) {
	t.Helper()
	checkRetryAfter(t, []string{e.RetryAfter})
	seconds, _ := strconv.ParseInt(e.RetryAfter, 10, 64)
	// The clock of node and its timer may differ by a millisecond or two.
	if waited := next.At - e.At; waited < seconds*1000-5 {
		t.Errorf("Retry-After: %d, and the next request came after %d ms", seconds, waited)
	}
	if next.URL != e.URL || next.Attempt == "" {
		t.Errorf("%s is followed by %s, attempt %q", e.URL, next.URL, next.Attempt)
	}
}
