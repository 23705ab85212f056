package main

import (
	"crypto/tls"
	"net/http"
	"testing"
)

// TestRoots: with a public URL, links have that whatever a proxy says; without
// one, what the client has used, if it is this machine.
func TestRoots(t *testing.T) {
	for _, c := range []struct {
		public, host string
		tls          bool
		want         string
	}{
		{"", "localhost:8443", true, "https://localhost:8443"},
		{"", "LOCALHOST:8443", true, "https://localhost:8443"},
		{"", "127.0.0.1:8080", false, "http://127.0.0.1:8080"},
		{"", "evil.example", true, "https://localhost:8443"},
		{"", "localhost@evil.example", true, "https://localhost:8443"},
		{"https://log.contoso.com/graph/", "127.0.0.1:8080", false, "https://log.contoso.com/graph"},
		{"https://log.contoso.com/graph", "localhost:8443", true, "https://log.contoso.com/graph"},
		{"https://log.contoso.com/graph", "log.contoso.com", false, "https://log.contoso.com/graph"},
		{"https://log.contoso.com", "evil.example", true, "https://log.contoso.com"},
	} {
		r, err := newRoots(c.public, ":8443", nil)
		if err != nil {
			t.Fatal(err)
		}
		req := &http.Request{Host: c.host}
		if c.tls {
			req.TLS = &tls.ConnectionState{}
		}
		got := r.of(req)
		if got != c.want {
			t.Errorf("public %q, Host %q: %s, want %s", c.public, c.host, got, c.want)
		}
		if !r.known(got) {
			t.Errorf("public %q: %s is not known", c.public, got)
		}
	}
}
