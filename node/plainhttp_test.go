package node

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/cert"
	"github.com/trunklog/trunklog/door"
)

// TestPlainHTTP: a client that speaks plain HTTP to the HTTPS port learns the URL to use, however
// its request arrives. The server closes the connection of a client that speaks neither.
func TestPlainHTTP(t *testing.T) {
	roots, err := newRoots("", ":8443", nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certs, err := cert.Own(t.TempDir(), roots.hosts, time.Now, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	d := door.New(door.Limits{})
	srv := newServer(t.Context(), handler, slog.New(slog.DiscardHandler))
	srv.TLSConfig = certs.TLS()
	done := make(chan error, 1)
	go func() { done <- srv.ServeTLS(d.Clients(tlsPort{l, roots}), "", "") }()
	defer func() { _ = srv.Close(); <-done }()

	// say sends each part by itself, and returns all that comes back.
	say := func(parts ...string) string {
		t.Helper()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		for _, part := range parts {
			if _, err := io.WriteString(c, part); err != nil {
				t.Fatal(err)
			}
		}
		text, err := io.ReadAll(c)
		if err != nil {
			t.Errorf("%.40q: %v", parts[0], err)
		}
		return string(text)
	}
	for _, c := range []struct{ host, request, url string }{
		{"localhost:8443", "GET /v1.0/x HTTP/1.1\r\nHost: HOST\r\n\r\n", "https://localhost:8443."},
		{"127.0.0.1:9000", "POST /contoso/oauth2/token HTTP/1.0\r\nHost: HOST\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200_000), "https://127.0.0.1:9000."},
		{"evil.example", "HEAD / HTTP/1.1\r\nHost: HOST\r\nCookie: " + strings.Repeat("x", 8_000) + "\r\n\r\n", "https://localhost:8443."},
		{"\"<x>", "BREW / HTTP/1.1\r\nHost: HOST\r\n\r\n", "https://localhost:8443."},
	} {
		request := strings.Replace(c.request, "HOST", c.host, 1)
		for _, parts := range [][]string{{request}, {request[:1], request[1:20], request[20:]}} {
			answer := say(parts...)
			res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
			if err != nil {
				t.Errorf("Host %s: %v: %q", c.host, err, answer)
				continue
			}
			var body struct {
				Error struct{ Code, Message string }
			}
			err = json.NewDecoder(res.Body).Decode(&body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusBadRequest || !res.Close || body.Error.Code != "BadRequest" || !strings.Contains(body.Error.Message, c.url) {
				t.Errorf("Host %s: %v: %s", c.host, err, answer)
			}
		}
	}
	for _, text := range []string{"SSH-2.0-x\r\n", "HELO\r\n\r\n"} {
		if answer := say(text); strings.Contains(answer, "https://") {
			t.Errorf("%q is taken for HTTP: %q", text, answer)
		}
	}
	// The server closes after the client has read the end.
	for deadline := time.Now().Add(patience); d.Stats().Open > 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open", d.Stats().Open)
		}
	}
}

// TestPlainHTTPIsReadOut: the server reads a body that still arrives after the answer, because the
// client could lose the answer otherwise.
func TestPlainHTTPIsReadOut(t *testing.T) {
	roots, err := newRoots("", ":8443", nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(client, "POST / HTTP/1.1\r\nHost: localhost:8443\r\n\r\n"+strings.Repeat("x", 100_000))
		if err == nil {
			err = client.(*net.TCPConn).CloseWrite()
		}
		sent <- err
	}()
	raw, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(patience))
	c := &tlsPortConn{Conn: raw, roots: roots}
	if n, err := c.Read(make([]byte, 600)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("TLS is given %d bytes, %v", n, err)
	}
	if n, err := raw.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d bytes are left, %v", n, err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// TestTLSIsLeftAlone: after a first byte of TLS, the server takes bytes that look like HTTP for
// encrypted ones.
func TestTLSIsLeftAlone(t *testing.T) {
	client, raw := net.Pipe()
	defer client.Close()
	defer raw.Close()
	const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	go func() {
		for _, part := range []string{"\x16", request, request} {
			_, _ = io.WriteString(client, part)
		}
	}()
	c := &tlsPortConn{Conn: raw}
	for _, want := range []string{"\x16", request, request} {
		b := make([]byte, 600)
		if n, err := c.Read(b); err != nil || string(b[:n]) != want {
			t.Errorf("%q is read as %q, %v", want, b[:n], err)
		}
	}
}
