package node

import (
	"crypto/tls"
	"net"
	"net/http"
	"testing"
)

// TestRoots: with a public URL, links have that whatever a proxy says. Without one, they have the
// address that the client has used, if it is this machine's.
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

// TestRootsOfMicrosoft: for a program that knows only Microsoft's hosts, links have such a host if
// --tls-host names it, beside a public URL too, because no proxy calls the server by it. Any other
// further name may be the one by which a proxy calls the server.
func TestRootsOfMicrosoft(t *testing.T) {
	named := []string{"Login.MicrosoftOnline.com", "graph.microsoft.com.", "proxied.contoso.com"}
	for _, c := range []struct{ public, listen, host, want string }{
		{"", ":443", "graph.microsoft.com", "https://graph.microsoft.com"},
		{"", ":443", "login.microsoftonline.com", "https://login.microsoftonline.com"},
		{"", ":8443", "LOGIN.microsoftonline.com", "https://login.microsoftonline.com"}, // by way of a redirect from 443
		{"", ":443", "login.microsoftonline.us", "https://localhost"},                   // not named
		{"", ":443", "proxied.contoso.com", "https://proxied.contoso.com"},
		{"https://log.contoso.com/x", ":443", "graph.microsoft.com", "https://graph.microsoft.com"},
		{"https://log.contoso.com/x", ":443", "login.microsoftonline.com", "https://login.microsoftonline.com"},
		{"https://log.contoso.com/x", ":443", "login.microsoftonline.us", "https://log.contoso.com/x"},
		{"https://log.contoso.com/x", ":443", "proxied.contoso.com", "https://log.contoso.com/x"},
		{"https://log.contoso.com/x", ":443", "localhost", "https://log.contoso.com/x"},
	} {
		r, err := newRoots(c.public, c.listen, named)
		if err != nil {
			t.Fatal(err)
		}
		got := r.of(&http.Request{Host: c.host, TLS: &tls.ConnectionState{}})
		if got != c.want || !r.known(got) {
			t.Errorf("public %q, Host %q: %s, want %s, and known", c.public, c.host, got, c.want)
		}
		for _, never := range []string{"https://evil.example", "https://graph.microsoft.com/x", "https://graph.microsoft.us", "https://login.microsoftonline.com.evil.example"} {
			if r.known(never) {
				t.Errorf("public %q: %s is known", c.public, never)
			}
		}
	}
}

// TestRootOfListener: without a public URL, the root of the server leads to the port where it
// listens.
func TestRootOfListener(t *testing.T) {
	for _, c := range []struct {
		public, listen string
		port           int
		want           string
	}{
		{"", ":8443", 8443, "https://localhost:8443"},
		{"", "0.0.0.0:8443", 8443, "https://localhost:8443"},
		{"", "[::]:0", 40001, "https://localhost:40001"},
		{"", "127.0.0.1:0", 40001, "https://localhost:40001"},
		{"", "[::1]:https", 443, "https://localhost"},
		{"", "127.0.0.2:8443", 8443, "https://127.0.0.2:8443"},
		{"", "192.0.2.7:443", 443, "https://192.0.2.7"},
		{"", "[2001:db8::7]:443", 443, "https://[2001:db8::7]"},
		{"", "[2001:db8::7]:0", 40001, "https://[2001:db8::7]:40001"},
		{"", "calls.contoso.com:8443", 8443, "https://calls.contoso.com:8443"},
		{"https://log.contoso.com", "127.0.0.1:0", 40001, "https://log.contoso.com"},
	} {
		r, err := newRoots(c.public, c.listen, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.listening(&net.TCPAddr{Port: c.port})
		if r.canonical != c.want || !r.known(c.want) {
			t.Errorf("public %q, listen %q: %s, want %s", c.public, c.listen, r.canonical, c.want)
		}
	}
}
