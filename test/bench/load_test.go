package main

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

func TestAnswers(t *testing.T) {
	const (
		plain   = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
		empty   = "HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n"
		chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n"
		refused = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
		endless = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
	)
	all := plain + chunked + empty + plain
	for name, r := range map[string]io.Reader{
		"at once":      strings.NewReader(all),
		"byte by byte": iotest.OneByteReader(strings.NewReader(all)),
		"with its end": iotest.DataErrReader(strings.NewReader(all)),
	} {
		a := answers{r: r, buf: make([]byte, 64)}
		for i, want := range []int64{5, 15, 0, 5} {
			if got, err := a.next(); got != want || err != nil {
				t.Errorf("%s: answer %d has %d bytes, %v; want %d", name, i, got, err, want)
			}
		}
		if _, err := a.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: at the end: %v", name, err)
		}
	}
	for text, want := range map[string]error{
		refused: errStatus, endless: errFraming, plain[:len(plain)-1]: io.EOF,
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 99): io.ErrShortBuffer,
	} {
		a := answers{r: strings.NewReader(text), buf: make([]byte, 64)}
		if _, err := a.next(); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

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

func TestParseWrk(t *testing.T) {
	const text = `Running 1s test @ http://127.0.0.1:1/
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.11ms    2.03ms  26.56ms   92.40%
  Latency Distribution
     50%  451.00us
     90%    2.33ms
     99%    1.05s
  8807 requests in 1.10s, 1.22GB read
Requests/sec:   8008.91
`
	rate, p50, p99, err := parseWrk([]byte(text))
	if rate != 8008.91 || p50 != 0.451 || p99 != 1050 || err != nil {
		t.Errorf("got %v, %v, %v, %v", rate, p50, p99, err)
	}
	for _, bad := range []string{"", text + "  Non-2xx or 3xx responses: 7\n", strings.ReplaceAll(text, "99%", "98%")} {
		if _, _, _, err := parseWrk([]byte(bad)); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}
