package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// TestTake: the handler takes rows in all layouts and encodings.
func TestTake(t *testing.T) {
	page := `{"@odata.context":"x","value":[` + strings.TrimSpace(row(0)) + "," + strings.TrimSpace(row(1)) + `]}`
	indented := "{\n \"id\": \"00000001-0000-4000-8000-000000000001\",\n \"startDateTime\": \"2026-10-01T00:00:00Z\"\n}\n"
	for _, c := range []struct {
		name, body string
		header     []string
		want       int
	}{
		{"one line", row(0), nil, 1},
		{"no line feed at the end", strings.TrimSpace(row(0)), nil, 1},
		{"CRLF", strings.ReplaceAll(rows(0, 3), "\n", "\r\n"), nil, 3},
		{"blank lines", "\n\n" + strings.ReplaceAll(rows(0, 3), "\n", "\n\r\n\n"), nil, 3},
		{"byte order mark", "\ufeff" + rows(0, 2), nil, 2},
		{"a page on one line", page + "\n" + row(2), nil, 3},
		{"jsonl", rows(0, 2), []string{"Content-Type", "application/jsonl; charset=UTF-8"}, 2},
		{"JSON, one row", indented, []string{"Content-Type", "application/json"}, 1},
		{"JSON, a page", page, []string{"Content-Type", "application/json"}, 2},
		{"JSON, a list", "[\n" + strings.TrimSpace(row(0)) + ",\n" + row(1) + "]", []string{"Content-Type", "application/json"}, 2},
		{"JSON, lines", rows(0, 4), []string{"Content-Type", "application/json"}, 4},
		{"gzip", zipped(t, rows(0, 100)), []string{"Content-Encoding", "gzip"}, 100},
		{"gzip in two members", zipped(t, rows(0, 10)) + zipped(t, rows(10, 10)), []string{"Content-Encoding", "GZIP"}, 20},
		{"identity", row(0), []string{"Content-Encoding", "identity"}, 1},
		{"JSON, a page on one line of 2 MiB", "[" + strings.ReplaceAll(strings.TrimSpace(rows(0, 4000)), "\n", ",") + "]", []string{"Content-Type", "application/json"}, 4000},
		{"many", rows(0, 12_345), nil, 12_345},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, nil)
			o := b.post(t, c.body, c.header...)
			if o.status != http.StatusOK || o.Accepted != int64(c.want) || o.New != o.Accepted || o.Rejected != 0 || len(b.mem.rows) != c.want {
				t.Fatalf("status %d, %d rows: %.300s", o.status, len(b.mem.rows), o.text)
			}
			if !strings.Contains(o.text, `"errors":[],"moreErrors":0}`) {
				t.Errorf("the answer is %.300s", o.text)
			}
			if again := b.post(t, c.body, c.header...); again.status != http.StatusOK || again.Same != int64(c.want) || again.New != 0 {
				t.Errorf("the second time: %.300s", again.text)
			}
		})
	}
}

// TestSettled: the SBC is the witness of delivered rows unless the sender says that Graph has
// answered them. In the SBC's rows a missing value means "none"; Graph's rows settle only the
// fields that they name.
func TestSettled(t *testing.T) {
	for query, kind := range map[string]call.Kind{"": call.CDR, "?kind=cdr": call.CDR, "?kind=graph": call.Graph} {
		b := newBench(t, nil)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path+query, strings.NewReader(row(0)))
		if o := b.send(t, r); o.status != http.StatusOK {
			t.Fatal(o.text)
		}
		for _, e := range b.mem.rows {
			if e.Row.Seen != kind.Set() || e.Row.By[call.FieldEnd] != kind.Witness() || (e.Row.By[call.FieldFailure] == 0) != (kind == call.Graph) || e.Row.By[call.FieldUserID] != 0 || e.Kind != call.RecordEvent {
				t.Errorf("%q: seen by %v, %v", query, e.Row.Seen, e.Row.By)
			}
		}
	}
}

// TestBatches: the handler puts calls in batches, which are smaller while it works on many
// requests, so that its memory is bounded.
func TestBatches(t *testing.T) {
	b := newBench(t, nil)
	b.post(t, rows(0, 12_000))
	if got := fmt.Sprint(b.mem.puts); got != "[5000 5000 2000]" {
		t.Errorf("batches of %s", got)
	}
	b.mem.puts = nil
	for i := range 19 {
		s, ok := b.slots.take(Caller{Tenant: call.GUID{byte(i)}})
		if !ok {
			t.Fatal("no slot")
		}
		defer s.release()
	}
	b.post(t, rows(0, 2500))
	if got := fmt.Sprint(b.mem.puts); got != "[1000 1000 500]" {
		t.Errorf("batches of %s beside 19 others", got)
	}
}

// TestBadRecords: the answer gives the line of each bad record, and the handler takes the records
// around it.
func TestBadRecords(t *testing.T) {
	b := newBench(t, nil)
	refused := `{"startDateTime":"2026-10-01T00:00:00Z","callerNumber":"refuse"}` + "\n"
	long := `{"id":"` + strings.Repeat("x", maxLine) + `"}` + "\n"
	body := row(0) + // 1
		"no JSON\n" + // 2
		row(1) + // 3
		"\n\n" + // 4, 5
		`{"id":"00000003-0000-4000-8000-000000000001"}` + "\n" + // 6: no time
		long + // 7
		row(2) + // 8
		refused + // 9
		`{"event":"whole","call":"k"}` + "\n" + // 10
		`{"startDateTime":"2026-10-01T00:00:00Z","callerNumber":"` + strings.Repeat("1", 2000) + `"}` + "\n" + // 11
		row(3) + // 12
		`{"startDateTime":"2026-10-0` // 13: breaks off
	o := b.post(t, body)
	if o.status != http.StatusMultiStatus || o.Accepted != 4 || o.New != 4 || o.Rejected != 7 || len(b.mem.rows) != 4 {
		t.Fatalf("status %d, %d rows: %s", o.status, len(b.mem.rows), o.text)
	}
	codes := map[int64]string{}
	for _, p := range o.Errors {
		codes[p.Line] = p.Code
		if p.Message == "" || strings.HasPrefix(p.Message, "invalid") {
			t.Errorf("line %d: %q", p.Line, p.Message)
		}
	}
	want := map[int64]string{2: "invalidRecord", 6: "invalidRecord", 7: "recordTooLong", 9: "recordRefused", 10: "invalidEvent", 11: "invalidRecord", 13: "invalidRecord"}
	if fmt.Sprint(codes) != fmt.Sprint(want) {
		t.Errorf("errors %v, want %v", codes, want)
	}
	s := b.Stats()
	if s.Rejected[Record] != 4 || s.Rejected[TooLong] != 1 || s.Rejected[Event] != 1 || s.Rejected[Refused] != 1 || s.Accepted != 1 {
		t.Errorf("%+v", s)
	}
	if len(b.samples) != 4 { // one a second for each cause
		t.Errorf("%d samples: %+v", len(b.samples), b.samples)
	}
	for _, x := range b.samples {
		if x.Reason == "" || x.Line == 0 || len(x.Raw) > maxRaw || len(x.Raw) == 0 && x.Cause != Refused {
			t.Errorf("sample %+v", x)
		}
	}
	b.pass(2 * time.Second)
	if b.post(t, "x\n"); len(b.samples) != 5 {
		t.Errorf("%d samples after a pause", len(b.samples))
	}
}

// TestOpen: the handler accepts parts of calls that have not ended, and counts them apart.
func TestOpen(t *testing.T) {
	b := newBench(t, nil)
	o := b.post(t, row(0)+`{"event":"partial","call":"k","inviteDateTime":"2026-10-01T00:00:00Z"}`+"\n"+`{"event":"partial","call":"k","endDateTime":"2026-10-01T00:00:00Z","done":true}`)
	if o.status != http.StatusOK || o.Accepted != 3 || o.New != 2 || o.Open != 1 {
		t.Errorf("status %d: %s", o.status, o.text)
	}
}

// TestAllBad: a body without a good record is a bad request; the answer says why in detail.
func TestAllBad(t *testing.T) {
	b := newBench(t, nil)
	o := b.post(t, strings.Repeat("x\n", 250))
	if o.status != http.StatusBadRequest || len(o.Error.Details) != maxProblems || !strings.Contains(o.Error.Message, "150 more") {
		t.Fatalf("status %d: %.500s", o.status, o.text)
	}
	if d := o.Error.Details[99]; d.Line != 100 || d.Code != "invalidRecord" {
		t.Errorf("%+v", d)
	}
	for _, body := range []string{"", "\n", "[]", "\n\r\n\n", `{"value":[]}`} {
		if o := b.post(t, body); o.status != http.StatusBadRequest || !strings.Contains(o.Error.Message, "no record") {
			t.Errorf("%q: status %d: %s", body, o.status, o.text)
		}
	}
	if s := b.Stats(); s.Refused[AllBad] != 1 || s.Refused[Empty] != 5 {
		t.Errorf("%+v", s)
	}
}

// TestTooManyBad: after too many bad records the handler reads no more of the body. It keeps and
// reports the good records before.
func TestTooManyBad(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxRejected = 10 })
	o := b.post(t, row(0)+strings.Repeat("x\n", 20)+row(1))
	if o.status != http.StatusBadRequest || o.Error.Code != "TooManyErrors" || !strings.Contains(o.Error.Message, "behind line 11 nothing was read") ||
		!strings.Contains(o.Error.Message, "1 records of this body were accepted") || b.mem.len() != 1 {
		t.Errorf("status %d, %d rows: %.400s", o.status, b.mem.len(), o.text)
	}
	// The sink refuses records, in the middle of a batch.
	o = b.post(t, row(0)+strings.Repeat(`{"startDateTime":"2026-10-01T00:00:00Z","callerNumber":"refuse"}`+"\n", 20))
	if o.status != http.StatusBadRequest || o.Error.Code != "TooManyErrors" || len(o.Error.Details) != 10 {
		t.Errorf("status %d: %.400s", o.status, o.text)
	}
}

// TestRefused: requests that the handler refuses before it takes a record.
func TestRefused(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxBody = 1 << 20 })
	post := func(query, body string, header ...string) outcome {
		return b.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path+query, strings.NewReader(body)), header...)
	}
	for _, c := range []struct {
		name   string
		o      outcome
		status int
		cause  Cause
	}{
		{"no token", post("", row(0), "Authorization", "no"), http.StatusUnauthorized, Unauthorized},
		{"no type", post("", row(0), "Content-Type", ""), http.StatusUnsupportedMediaType, MediaType},
		{"a form", post("", row(0), "Content-Type", "application/x-www-form-urlencoded"), http.StatusUnsupportedMediaType, MediaType},
		{"CSV", post("", row(0), "Content-Type", "text/csv"), http.StatusUnsupportedMediaType, MediaType},
		{"no media type", post("", row(0), "Content-Type", "json;;"), http.StatusUnsupportedMediaType, MediaType},
		{"latin1", post("", row(0), "Content-Type", "application/json; charset=iso-8859-1"), http.StatusUnsupportedMediaType, MediaType},
		{"br", post("", row(0), "Content-Encoding", "br"), http.StatusUnsupportedMediaType, Encoding},
		{"gzip twice", post("", row(0), "Content-Encoding", "gzip, gzip"), http.StatusUnsupportedMediaType, Encoding},
		{"no gzip", post("", row(0), "Content-Encoding", "gzip"), http.StatusBadRequest, Broken},
		{"half of a gzip", post("", zipped(t, rows(0, 100))[:300], "Content-Encoding", "gzip"), http.StatusBadRequest, Broken},
		{"nothing of a gzip", post("", "", "Content-Encoding", "gzip"), http.StatusBadRequest, Broken},
		{"damaged gzip", post("", zipped(t, rows(0, 100))[:200]+strings.Repeat("\xff", 500), "Content-Encoding", "gzip"), http.StatusBadRequest, Broken},
		{"unknown parameter", post("?tenant=x", row(0)), http.StatusBadRequest, Query},
		{"unknown kind", post("?kind=sip", row(0)), http.StatusBadRequest, Query},
		{"two kinds", post("?kind=cdr&kind=cdr", row(0)), http.StatusBadRequest, Query},
		{"bad query", post("?%zz", row(0)), http.StatusBadRequest, Query},
		{"empty key", post("", row(0), "Idempotency-Key", " "), http.StatusBadRequest, Key},
		{"long key", post("", row(0), "Idempotency-Key", strings.Repeat("k", 256)), http.StatusBadRequest, Key},
		{"key with a space", post("", row(0), "Idempotency-Key", "a b"), http.StatusBadRequest, Key},
		{"too large by its own word", post("", strings.Repeat(" ", 1<<20+1)), http.StatusRequestEntityTooLarge, TooLarge},
		{"a bomb of nothing", post("", zipped(t, strings.Repeat("\n", 5<<20)), "Content-Encoding", "gzip"), http.StatusRequestEntityTooLarge, TooLarge},
		{"a bomb of rows", post("", zipped(t, rows(0, 3000)), "Content-Encoding", "gzip"), http.StatusRequestEntityTooLarge, TooLarge},
		{"a bomb of empty members", post("", strings.Repeat(zipped(t, ""), 60_000), "Content-Encoding", "gzip"), http.StatusRequestEntityTooLarge, TooLarge},
		{"a bomb of one line", post("", zipped(t, `{"id":"`+strings.Repeat("x", 5<<20)), "Content-Encoding", "gzip"), http.StatusRequestEntityTooLarge, TooLarge},
		{"GET", b.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodGet, Path, nil)), http.StatusMethodNotAllowed, Method},
	} {
		if c.o.status != c.status || c.status != http.StatusUnauthorized && c.o.Error.Message == "" {
			t.Errorf("%s: status %d, want %d: %.300s", c.name, c.o.status, c.status, c.o.text)
		}
	}
	// Stats count each request once, by its cause.
	s := b.Stats()
	for cause, n := range map[Cause]uint64{Unauthorized: 1, MediaType: 5, Encoding: 2, Broken: 4, Query: 4, Key: 3, TooLarge: 5, Method: 1} {
		if s.Refused[cause] != n {
			t.Errorf("%d refused for %v, want %d: %+v", s.Refused[cause], cause, n, s)
		}
	}
	if s.Accepted != 0 || s.Active != 0 {
		t.Errorf("%+v", s)
	}
	// The same bomb without a Content-Length.
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, readerOnly{strings.NewReader(strings.Repeat(zipped(t, ""), 60_000))})
	if o := b.send(t, r, "Content-Encoding", "gzip"); o.status != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d: %s", o.status, o.text)
	}
	if o := b.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodOptions, Path, nil)); o.status != http.StatusNoContent || o.head.Get("Allow") != allowed {
		t.Errorf("OPTIONS: %d, %v", o.status, o.head)
	}
	if o := b.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, errReader{})); o.status != http.StatusBadRequest {
		t.Errorf("a body that breaks off: %d", o.status)
	}
}

// An errReader fails at once.
type errReader struct{}

func (errReader) Read(p []byte) (int, error) {
	return copy(p, `{"id":"1`), errors.New("connection reset")
}

// TestTooLargeTellsWhatIsKept: the answer to a body that is too large reports the calls that were
// durable before.
func TestTooLargeTellsWhatIsKept(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxBody = int64(len(rows(0, 7000))) })
	o := b.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, readerOnly{strings.NewReader(rows(0, 8000))}))
	if o.status != http.StatusRequestEntityTooLarge || !strings.Contains(o.Error.Message, "5000 records of this body were accepted") || b.mem.len() != 5000 {
		t.Errorf("status %d, %d rows: %s", o.status, b.mem.len(), o.text)
	}
}

// readerOnly hides the length of a body.
type readerOnly struct{ r *strings.Reader }

func (r readerOnly) Read(p []byte) (int, error) { return r.r.Read(p) }

// TestStoreTrouble: if the store is full, slow or closed, the answer is never 2xx, and always has a
// Retry-After.
func TestStoreTrouble(t *testing.T) {
	for _, c := range []struct {
		name  string
		put   func(ctx context.Context) error
		cause Cause
	}{
		{"full", func(context.Context) error { return fmt.Errorf("write: %w", call.ErrFull) }, Full},
		{"closed", func(context.Context) error { return fmt.Errorf("write: %w", call.ErrClosed) }, Failed},
		{"slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, Slow},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.PutTimeout = 300 * time.Millisecond })
			b.mem.before(c.put)
			o := b.post(t, rows(0, 3))
			if o.status != http.StatusServiceUnavailable || o.head.Get("Retry-After") == "" || b.Stats().Refused[c.cause] != 1 || b.mem.len() != 0 {
				t.Errorf("status %d, %v, %+v: %s", o.status, o.head, b.Stats(), o.text)
			}
			b.mem.before(nil)
			if o := b.post(t, rows(0, 3)); o.status != http.StatusOK || o.New != 3 {
				t.Errorf("afterwards: status %d: %s", o.status, o.text)
			}
		})
	}
}

// TestRefusedCaller: Fail gets the caller of a refused request, if the caller is known. A token
// that the server cannot check is not the sender's fault.
func TestRefusedCaller(t *testing.T) {
	b := newBench(t, nil)
	for _, c := range []struct {
		authorization, body, caller string
		status                      int
		cause                       Cause
	}{
		{"no", row(0), "", http.StatusUnauthorized, Unauthorized},
		{"later", row(0), "", http.StatusServiceUnavailable, Failed},
		{"yes", "", "client-1", http.StatusBadRequest, Empty},
		{"yes", "x", "client-1", http.StatusBadRequest, AllBad},
	} {
		o := b.post(t, c.body, "Authorization", c.authorization)
		if o.status != c.status || o.head.Get("Caller") != c.caller || b.Stats().Refused[c.cause] != 1 {
			t.Errorf("%+v: status %d by %q, %+v", c, o.status, o.head.Get("Caller"), b.Stats())
		}
	}
}

// TestStuckStore: a request does not wait for a write that ignores its context. The write keeps its
// slot until it ends, and Close waits for it.
func TestStuckStore(t *testing.T) {
	b := newBench(t, func(c *Config) { c.PutTimeout, c.Concurrent = 10*time.Millisecond, 2 })
	stuck := make(chan struct{})
	b.mem.put = func(context.Context) error { <-stuck; return nil }
	if o := b.post(t, row(0)); o.status != http.StatusServiceUnavailable || b.Stats().Refused[Slow] != 1 {
		t.Fatalf("status %d: %s", o.status, o.text)
	}
	if n := b.Stats().Active; n != 1 {
		t.Errorf("%d slots are taken, want 1", n)
	}
	if o := b.post(t, row(1)); o.status != http.StatusServiceUnavailable || b.Stats().Refused[Busy] != 1 || o.head.Get("Retry-After") != "1" {
		t.Errorf("the same tenant again: status %d: %s", o.status, o.text)
	}
	if o := b.post(t, row(1), "Client", "other"); o.status != http.StatusServiceUnavailable || b.Stats().Refused[Busy] != 2 {
		t.Errorf("another client of the tenant: status %d: %s", o.status, o.text)
	}
	if o := b.post(t, row(1), "Tenant", "2"); o.status != http.StatusServiceUnavailable || b.Stats().Refused[Slow] != 2 || b.Stats().Held != 2 {
		t.Errorf("another tenant: status %d: %s", o.status, o.text)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); _ = b.Close() }()
	select {
	case <-closed:
		t.Error("Close has not waited")
	case <-time.After(20 * time.Millisecond):
	}
	close(stuck)
	<-closed
	if b.mem.len() != 2 {
		t.Errorf("%d rows", b.mem.len())
	}
	if o := b.post(t, row(2)); o.status != http.StatusServiceUnavailable {
		t.Errorf("after Close: status %d", o.status)
	}
}

// TestGone: if a sender goes away during a write, the store is not to blame.
func TestGone(t *testing.T) {
	b := newBench(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	b.mem.put = func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }
	b.send(t, httptest.NewRequestWithContext(ctx, http.MethodPost, Path, strings.NewReader(row(0))))
	if s := b.Stats(); s.Refused[Broken] != 1 || s.Refused[Slow] != 0 {
		t.Errorf("%+v", s)
	}
}

// TestLog: a request of which a record was taken has one line in the log, without any of the
// sender's text.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	b := newBench(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&out, nil)) })
	b.post(t, row(0)+"bad line\n", "Idempotency-Key", "secret-key", "User-Agent", "secret-agent")
	if n := strings.Count(out.String(), "\n"); n != 1 || !strings.Contains(out.String(), "new=1 changed=0 same=0 open=0 rejected=1") || !strings.Contains(out.String(), "status=207") {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
	for _, never := range []string{"+4930", "secret", "bad line", "sbc1"} {
		if strings.Contains(out.String(), never) {
			t.Errorf("%q is in the log:\n%s", never, out.String())
		}
	}
}

func TestCauses(t *testing.T) {
	seen := map[string]bool{}
	for c := range NumCauses {
		if c.String() == "" || seen[c.String()] {
			t.Errorf("cause %d is called %q", c, c)
		}
		seen[c.String()] = true
		if c.OfRecords() != (c.code() != "invalidRecord" || c == Record) {
			t.Errorf("%v: of records is %t", c, c.OfRecords())
		}
	}
	if NumCauses.String() != "unknown" || NumCauses.OfRecords() {
		t.Error("there are causes beyond the last one")
	}
}

// TestAbout: Seen is the time at which the handler last accepted a request, not that of a refusal.
func TestAbout(t *testing.T) {
	b := newBench(t, nil)
	if a := b.About(); a.Kind != "push" || a.Address != Path || b.Path() != Path || !a.Authenticated || !a.Seen.IsZero() {
		t.Errorf("%+v", a)
	}
	b.post(t, "nonsense")
	if a := b.About(); !a.Seen.IsZero() {
		t.Errorf("a body of nothing was seen at %v", a.Seen)
	}
	b.pass(time.Minute)
	b.post(t, row(0), "Idempotency-Key", "k")
	if a := b.About(); !a.Seen.Equal(b.now) {
		t.Errorf("seen at %v, want %v", a.Seen, b.now)
	}
	b.pass(time.Minute)
	b.post(t, row(0), "Idempotency-Key", "k")
	if a := b.About(); !a.Seen.Equal(b.now) {
		t.Errorf("a repeated request was seen at %v, want %v", a.Seen, b.now)
	}
}
