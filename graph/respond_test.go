package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/refuse"
	"github.com/trunklog/trunklog/store/storetest"
)

func TestHeaders(t *testing.T) {
	h := New(testConfig(filled(t, 3)))
	w := get(t, h, reference, "Client-Request-Id", "12345678-1234-1234-1234-123456789abc")
	id := w.Header().Get("Request-Id")
	if _, err := call.ParseGUID(id); err != nil {
		t.Errorf("request-id %q", id)
	}
	for name, want := range map[string]string{
		"Content-Type":              "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
		"Odata-Version":             "4.0",
		"Cache-Control":             "private",
		"Vary":                      "Accept-Encoding",
		"X-Content-Type-Options":    "nosniff",
		"Client-Request-Id":         "12345678-1234-1234-1234-123456789abc",
		"Content-Length":            strconv.Itoa(w.Body.Len()),
		"Strict-Transport-Security": "",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if again := get(t, h, reference).Header(); again.Get("Request-Id") == id || again.Get("Client-Request-Id") != again.Get("Request-Id") {
		t.Errorf("ids of the next request: %v", again)
	}
	for in, want := range map[string]string{
		"a\r\nSet-Cookie: x=1":   "aSet-Cookie:x1",
		`<script>"'`:             "script",
		strings.Repeat("a", 500): strings.Repeat("a", 64),
		"äö":                     "",
	} {
		if got := clientRequestID(in); got != want {
			t.Errorf("client-request-id %q is sent back as %q, want %q", in, got, want)
		}
	}
}

// HEAD has the headers of GET, and no body.
func TestHead(t *testing.T) {
	h := New(testConfig(filled(t, 30)))
	for _, path := range []string{reference, "/v1.0", "/v1.0/$metadata", "/v1.0/nothing"} {
		for _, encoding := range []string{"gzip", ""} {
			g := get(t, h, path, "Accept-Encoding", encoding)
			w := send(t, h, http.MethodHead, path, "Accept-Encoding", encoding)
			if w.Body.Len() != 0 {
				t.Errorf("%s: a body of %d bytes", path, w.Body.Len())
			}
			if w.Code != g.Code {
				t.Errorf("%s: status %d, of GET %d", path, w.Code, g.Code)
			}
			for name := range g.Header() {
				if got := w.Header().Get(name); !strings.HasSuffix(name, "Request-Id") && got != g.Header().Get(name) {
					t.Errorf("%s: %s is %q, of GET %q", path, name, got, g.Header().Get(name))
				}
			}
		}
	}
}

func TestGzip(t *testing.T) {
	h := New(testConfig(filled(t, 40)))
	plain := get(t, h, reference+"?$select=id,duration")
	for accept, want := range map[string]bool{
		"gzip": true, "br, gzip, deflate": true, "GZIP;q=0.5": true, "*": true, "gzip;q=1.0, identity;q=0.5": true, "x-gzip": true,
		"": false, "gzip;q=0": false, "gzip;q=0.0, *": false, "*;q=0": false, "br": false, "identity": false, "identity;q=1, gzip;q=0.5": false, "gzipped": false,
	} {
		w := get(t, h, reference+"?$select=id,duration", "Accept-Encoding", accept)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("Accept-Encoding %q: gzip %v, want %v", accept, got, want)
			continue
		}
		if w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: %d bytes, header %v", accept, w.Body.Len(), w.Header())
		}
		body := w.Body.Bytes()
		if want {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(body, plain.Body.Bytes()) {
			t.Errorf("Accept-Encoding %q: another body", accept)
		}
	}
	if w := get(t, h, "/v1.0", "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "" {
		t.Error("a body of 150 bytes is compressed")
	}
}

// The log has the cause of a server's fault and the answer does not, and neither repeats what a
// client wrote.
func TestStoreErrors(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
		retry  string
		level  string
	}{
		{errors.New("disk sector 4711"), 500, "UnknownError", "", "ERROR"},
		{errors.Join(errors.New("x"), call.ErrClosed), 503, "serviceNotAvailable", "2", "ERROR"},
		{context.DeadlineExceeded, 503, "serviceNotAvailable", "2", "ERROR"},
		{&call.CorruptError{File: "000123.sst", Offset: 5, Err: errors.New("checksum")}, 500, "UnknownError", "", "ERROR"},
		{call.ErrNotFound, 404, "NotFound", "", "INFO"},
	} {
		for _, after := range []int{0, 1, 500} {
			var log bytes.Buffer
			row := sampleRow(t)
			config := testConfig(fakeStore{rows: func(context.Context, call.Query) iter.Seq2[*call.Row, error] {
				return func(yield func(*call.Row, error) bool) {
					for range after {
						if !yield(&row, nil) {
							return
						}
					}
					yield(nil, c.err)
				}
			}})
			config.Log = slog.New(slog.NewTextHandler(&log, nil))
			w := get(t, New(config), reference)
			code, message := failed(t, w)
			if w.Code != c.status || code != c.code || w.Header().Get("Retry-After") != c.retry {
				t.Errorf("%v: status %d, code %s, retry after %q", c.err, w.Code, code, w.Header().Get("Retry-After"))
			}
			if strings.Contains(message, "4711") {
				t.Errorf("the client is told %q", message)
			}
			if !strings.Contains(log.String(), "level="+c.level) || c.level == "ERROR" != strings.Contains(log.String(), strings.SplitN(c.err.Error(), "\n", 2)[0]) ||
				!strings.Contains(log.String(), "request="+w.Header().Get("Request-Id")) || !strings.Contains(log.String(), "rows=0") {
				t.Errorf("%v: the log says %s", c.err, log.String())
			}
		}
	}
}

// The handler does not wait for a store that takes too long.
func TestPageTimeout(t *testing.T) {
	config := testConfig(fakeStore{rows: func(ctx context.Context, _ call.Query) iter.Seq2[*call.Row, error] {
		return func(yield func(*call.Row, error) bool) {
			<-ctx.Done()
			yield(nil, errors.New("interrupted"))
		}
	}})
	config.PageTimeout = time.Millisecond
	h := New(config)
	w := get(t, h, reference)
	if code, _ := failed(t, w); w.Code != 503 || code != "serviceNotAvailable" || w.Header().Get("Retry-After") != "2" {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
	if got := h.Stats(); got != (Stats{TimedOut: 1}) {
		t.Errorf("the counts are %+v", got)
	}
}

// The log has one line for each request, without anything that the client wrote.
func TestLog(t *testing.T) {
	var log bytes.Buffer
	config := testConfig(filled(t, 3))
	config.Log = slog.New(slog.NewJSONHandler(&log, nil))
	h := New(config)
	for _, c := range []struct {
		method, path string
		want         map[string]any
	}{
		{"GET", reference, map[string]any{"level": "INFO", "msg": "graph request", "method": "GET", "status": 200.0, "rows": 4.0, "tenant": testTenant.String(), "client": "client", "from": "2019-11-01T00:00:00Z", "to": "2019-12-01T00:00:00Z"}},
		{"GET", reference + "?$filter=callerNumber%20eq%20'%2B4930canary'", map[string]any{"status": 200.0, "rows": 0.0}},
		{"GET", reference + "?$filter=canary", map[string]any{"status": 400.0}},
		{"GET", function + "(fromDateTime=canary,toDateTime=canary)?canary=1", map[string]any{"status": 400.0}},
		{"GET", "/canary", map[string]any{"status": 400.0, "tenant": nil}},
		{"CANARY", reference, map[string]any{"status": 405.0, "method": "other"}},
		{"OPTIONS", "/canary", map[string]any{"status": 204.0, "bytes": 0.0}},
	} {
		log.Reset()
		w := send(t, h, c.method, c.path, "User-Agent", "canary", "Client-Request-Id", "canary")
		if strings.Contains(strings.ToLower(log.String()), "canary") || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("%s %s: the log says %s", c.method, c.path, log.String())
		}
		var got map[string]any
		if err := json.Unmarshal(log.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		for k, v := range c.want {
			if got[k] != v {
				t.Errorf("%s %s: %s is %v, want %v", c.method, c.path, k, got[k], v)
			}
		}
		if got["request"] != w.Header().Get("Request-Id") || got["bytes"] != float64(w.Body.Len()) {
			t.Errorf("%s %s: the log says %s", c.method, c.path, log.String())
		}
	}
}

// Fail serves the parts of the server outside of the handler.
func TestFail(t *testing.T) {
	h := New(testConfig(storetest.NewModel()))
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	w := httptest.NewRecorder()
	h.Fail(w, r, Caller{}, TooManyRequests(1001*time.Millisecond))
	if code, _ := failed(t, w); w.Code != 429 || code != "TooManyRequests" || w.Header().Get("Retry-After") != "2" {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
	if got := get(t, New(Config{Store: storetest.NewModel(), Key: make([]byte, keySize), Authorize: func(*http.Request) (Caller, error) {
		return Caller{}, TooManyRequests(0)
	}}), reference).Header().Get("Retry-After"); got != "1" {
		t.Errorf("retry after %q, want 1", got)
	}
	w = httptest.NewRecorder()
	h.Fail(w, r, Caller{}, &refuse.Error{Status: 401, Code: "InvalidAuthenticationToken", Message: "Not good.", Hint: "Ask for another."})
	if _, message := failed(t, w); message != "Not good. Ask for another." {
		t.Errorf("the client is told %q", message)
	}
	e := &refuse.Error{Status: 400, Code: "BadRequest", Message: "m", Err: call.ErrInvalid}
	if e.Error() != "400 BadRequest: m: invalid" || !errors.Is(e, call.ErrInvalid) {
		t.Errorf("the error is %q", e)
	}
}

// The buffer of an unusually large page does not stay in memory.
func TestLargeBuffersAreLeft(t *testing.T) {
	h := New(testConfig(storetest.NewModel()))
	large := make([]byte, 0, maxKept+1)
	h.keep(&large)
	h.keepZip(&zip{out: large})
	if n := cap(*h.body()); n > maxKept {
		t.Errorf("a buffer of %d bytes is used again", n)
	}
	if n := cap(h.zip().out); n > maxKept {
		t.Errorf("a compressed buffer of %d bytes is used again", n)
	}
}
