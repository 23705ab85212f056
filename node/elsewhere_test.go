package node

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestElsewhere: a client whose links lead to another host than the one it has asked gets a
// warning, and the log has one for each host.
func TestElsewhere(t *testing.T) {
	const links, token = "/v1.0/communications/callRecords", "/contoso/oauth2/v2.0/token"
	for _, c := range []struct {
		public, path, host string
		header             []string
		want               string // the root in the warning; empty if there is none
	}{
		{"", links, "localhost:8443", nil, ""},
		{"", links, "127.0.0.1:9000", nil, ""}, // a forwarded port
		{"", links, "calls.contoso.com:8443", nil, "https://localhost:8443"},
		{"", token, "calls.contoso.com:8443", nil, "https://localhost:8443"},
		{"", "/", "calls.contoso.com:8443", nil, "https://localhost:8443"},
		{"https://log.contoso.com", links, "log.contoso.com", nil, ""},
		{"https://log.contoso.com", links, "LOG.contoso.com:443", nil, ""},
		{"https://log.contoso.com:443", links, "log.contoso.com", nil, ""},
		{"https://log.contoso.com", links, "log.contoso.com:8443", nil, "https://log.contoso.com"},
		{"https://log.contoso.com/x", "/x" + token, "other.contoso.com:8443", nil, "https://log.contoso.com/x"},
		{"https://log.contoso.com/x", "/x" + token, "127.0.0.1:8443", nil, ""}, // a proxy's
		{"https://log.contoso.com:8443", links, "localhost", []string{"X-Forwarded-Host", "log.contoso.com"}, ""},
		{"https://log.contoso.com", "/ingest/v1/calls", "other.contoso.com", nil, ""},
		{"https://log.contoso.com", links, "localhost:8443", []string{"X-Forwarded-Host", "log.contoso.com"}, ""},
		{"https://log.contoso.com", links, "localhost:8443", []string{"X-Forwarded-Host", "other.contoso.com, proxy"}, "https://log.contoso.com"},
		{"https://log.contoso.com", links, "localhost:8443", []string{"X-Forwarded-For", "192.0.2.1"}, ""},
		{"https://log.contoso.com", links, "localhost:8443", []string{"Forwarded", "for=192.0.2.1"}, ""},
		{"https://log.contoso.com", links, "a b", nil, "https://log.contoso.com"},
	} {
		roots, err := newRoots(c.public, ":8443", nil)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		e := &elsewhere{roots: roots, log: slog.New(slog.NewTextHandler(&log, nil))}
		h := e.watch(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
		ask := func(authorization string) string {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.path, nil)
			r.Host = c.host
			r.Header.Set("Authorization", authorization)
			for i := 0; i+1 < len(c.header); i += 2 {
				r.Header.Set(c.header[i], c.header[i+1])
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusTeapot {
				t.Errorf("%s: status %d", c.host, w.Code)
			}
			return w.Header().Get("Warning")
		}
		want, times := "", 0
		if c.want != "" {
			want, times = fmt.Sprintf("299 trunklog %q", "links lead to "+c.want), 1
		}
		for range 2 {
			if got := ask("Bearer x"); got != want {
				t.Errorf("%s asked for %s: %q instead of %q", c.host, c.path, got, want)
			}
		}
		if got := strings.Count(log.String(), "links="+c.want); got != times {
			t.Errorf("%s: the log has %d warnings: %s", c.host, got, log.String())
		}
		if got := ask("") != ""; got != (want != "" && strings.Contains(c.path, "/oauth2/")) {
			t.Errorf("%s asked for %s without a token: warned is %v", c.host, c.path, got)
		}
		for i := range 100 {
			c.host = fmt.Sprintf("%d.attacker.example", i)
			_ = ask("Bearer x")
		}
		if n := strings.Count(log.String(), "\n"); n > mostElsewhere {
			t.Errorf("a stranger has written %d lines into the log", n)
		}
	}
}
