package main

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	const size = 100_000
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path == "/known" {
			w.Header().Set("Content-Length", strconv.Itoa(size))
		}
		_, _ = w.Write(make([]byte, size))
	}))
	defer s.Close()
	paths := []string{"/known", "/chunked"}
	target := target{name: "test", addr: s.Listener.Addr().String(), request: func(b []byte, r *rand.Rand) []byte {
		return appendRequest(b, choose(paths, r), "test", "token", "identity")
	}}
	got, err := load{clients: 3, length: 100 * time.Millisecond, seed: 1}.run(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	// Each connection asks twice before it counts.
	if want := asked.Load() - 3*2; got.pages != want || got.pages == 0 {
		t.Errorf("%d answers were counted, want %d", got.pages, want)
	}
	if got.bytes != got.pages*size || int64(len(got.took)) != got.pages {
		t.Errorf("%d answers have %d bytes and %d times", got.pages, got.bytes, len(got.took))
	}
	s.Config.Handler = http.NotFoundHandler()
	if _, err := (load{clients: 3, length: time.Second}).run(t.Context(), target); !errors.Is(err, errStatus) {
		t.Errorf("answers that are no pages: %v", err)
	}
}
