package node

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/trunklog/trunklog/cert"
	"github.com/trunklog/trunklog/door"
)

// TestBusyStreams: the door keeps an HTTP/2 connection from its first request of use until the last
// request on it has ended, of use or not.
func TestBusyStreams(t *testing.T) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certs, err := cert.Own(t.TempDir(), []string{"localhost"}, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := door.New(door.Limits{All: 1})
	began, end := make(chan bool), map[string]chan bool{"/good": make(chan bool), "/other": make(chan bool)}
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/good" {
			ofUse(r)
		}
		began <- true
		<-end[r.URL.Path]
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- serveHTTP(ctx, &tlsListener{d.Clients(plain), certs}, handler, slog.New(slog.DiscardHandler))
	}()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true} //nolint:gosec // it is ours
	client := &http.Client{Transport: transport, Timeout: patience}
	answers := map[string]chan error{"/good": make(chan error), "/other": make(chan error)}
	ask := func(path string) {
		go func() {
			res, err := client.Get("https://" + plain.Addr().String() + path)
			if err == nil {
				_ = res.Body.Close()
			}
			answers[path] <- err
		}()
		<-began
	}
	answer := func(path string) {
		t.Helper()
		end[path] <- true
		if err := <-answers[path]; err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	others := uint64(0)
	other := func(refused bool) {
		t.Helper()
		nc, err := net.Dial("tcp", plain.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		others++
		for s := d.Stats(); s.All+s.Evicted < others; s = d.Stats() {
			time.Sleep(time.Millisecond) // between two looks
		}
		if got := d.Stats().Evicted == 0; got != refused {
			t.Errorf("another one is refused: %v, want %v", got, refused)
		}
	}
	ask("/other")
	ask("/good")
	other(true)
	answer("/good")
	other(true)
	answer("/other")
	ask("/good")
	answer("/good")
	ask("/other")
	other(false)
	end["/other"] <- true
	if err := <-answers["/other"]; err == nil {
		t.Error("what is of no use was answered")
	}
	transport.CloseIdleConnections()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
