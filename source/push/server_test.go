package push

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve serves b and returns the server.
func serve(t *testing.T, b *bench, http2 bool) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(b)
	if http2 {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv
}

// idle waits until the handler works on no request, which is a moment after the client has read the
// last answer, and returns the counts.
func idle(t *testing.T, b *bench) Stats {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) { // between two looks
		s := b.Stats()
		if s.Active == 0 {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("never idle: %+v", s)
		}
	}
}

// talk sends text to the server and returns the status line of its answer.
func talk(t *testing.T, srv *httptest.Server, text string, end bool) string {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if end {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

const headLines = "POST " + Path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/jsonl\r\n"

// TestTruncated: a body that breaks off is not acknowledged, however its length was declared.
func TestTruncated(t *testing.T) {
	b := newBench(t, nil)
	srv := serve(t, b, false)
	for name, body := range map[string]string{
		"Content-Length": fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(row(0))+1, row(0)),
		"chunked":        fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(row(0)), row(0)),
		"in a chunk":     fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", len(row(0))+1, row(0)),
		"no chunk":       "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
	} {
		if line := talk(t, srv, headLines+body, true); line != "HTTP/1.1 400 Bad Request" {
			t.Errorf("%s: %s", name, line)
		}
	}
	if b.mem.len() != 0 {
		t.Errorf("%d rows", b.mem.len())
	}
	if s := idle(t, b); s.Refused[Broken] != 4 || s.Accepted != 0 {
		t.Errorf("%+v", s)
	}
}

// TestSlowBody: a sender that sends nothing, or too little, gets an answer that says so after its
// time, and its slot is free again.
func TestSlowBody(t *testing.T) {
	t.Run("nothing", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.IdleTimeout = 50 * time.Millisecond })
		srv := serve(t, b, false)
		if line := talk(t, srv, headLines+"Content-Length: 100\r\n\r\n{", false); line != "HTTP/1.1 408 Request Timeout" {
			t.Error(line)
		}
		if s := idle(t, b); s.Refused[Timeout] != 1 {
			t.Errorf("%+v", s)
		}
	})
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("drop by drop, HTTP/2 %t", http2), func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.IdleTimeout, c.BodyTimeout = time.Minute, 300*time.Millisecond })
			srv := serve(t, b, http2)
			r, w := io.Pipe()
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					if _, err := w.Write([]byte(" ")); err != nil {
						return
					}
					time.Sleep(5 * time.Millisecond) // the sender is slow
				}
			}()
			res, err := srv.Client().Post(srv.URL+Path, "application/jsonl", r)
			_ = r.Close()
			<-done
			if err == nil { // or the server closed the connection while the client was writing
				_ = res.Body.Close()
				if res.StatusCode != http.StatusRequestTimeout {
					t.Errorf("status %d", res.StatusCode)
				}
			}
			if s := idle(t, b); s.Refused[Timeout] != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestSlowStoreIsNoSlowSender: the time that the store takes does not count against a sender that
// has sent everything.
func TestSlowStoreIsNoSlowSender(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		b := newBench(t, func(c *Config) { c.IdleTimeout = 500 * time.Millisecond })
		b.mem.put = func(ctx context.Context) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		srv := serve(t, b, http2)
		res, err := srv.Client().Post(srv.URL+Path, "application/jsonl", strings.NewReader(row(0)))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || b.mem.len() != 1 {
			t.Errorf("HTTP/2 %t: status %d, %d rows", http2, res.StatusCode, b.mem.len())
		}
	}
}

// TestManySenders: many senders at once lose nothing. Slow senders of one tenant neither keep
// another tenant out nor hold a share of the puts.
func TestManySenders(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Concurrent, c.Bodies = 1, 16 })
	srv := serve(t, b, true)
	var slow []*io.PipeWriter
	var wait sync.WaitGroup
	for range 6 { // two more than the tenant may have
		r, w := io.Pipe()
		slow = append(slow, w)
		wait.Go(func() {
			if res, err := srv.Client().Post(srv.URL+Path, "application/jsonl", r); err == nil {
				_ = res.Body.Close()
			}
			_ = r.Close()
		})
	}
	for deadline := time.Now().Add(20 * time.Second); b.Stats().Active < 4 || b.Stats().Refused[Busy] < 2; {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", b.Stats())
		}
		time.Sleep(time.Millisecond) // between two looks
	}
	for i := range 50 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+Path, strings.NewReader(row(i)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/jsonl")
		req.Header.Set("Tenant", "2")
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("status %d", res.StatusCode)
		}
	}
	for _, w := range slow {
		_, _ = w.Write([]byte(row(100)))
		_ = w.Close()
	}
	wait.Wait()
	if s := idle(t, b); b.mem.len() != 51 || s.Accepted != 54 || s.Refused[Busy] != 2 {
		t.Errorf("%d rows, %+v", b.mem.len(), s)
	}
}

// TestLeastRate: a sender that sends a little now and then is cut off. A fast enough sender is not,
// and the time for which it waits for the store does not count.
func TestLeastRate(t *testing.T) {
	for name, c := range map[string]struct {
		rate, took, n int64 // bytes a second asked for; milliseconds spent; bytes sent
		late          bool
	}{
		"at once":         {1 << 10, 0, 100, false},
		"slow at first":   {1 << 10, 9_900, 100, false},
		"slow":            {1 << 10, 11_000, 100, true},
		"just fast":       {1 << 10, 60_000, 51 << 10, false},
		"a bit too slow":  {1 << 10, 60_000, 49 << 10, true},
		"a rate of a MiB": {1 << 20, 11_000, 900 << 10, true},
	} {
		b := &rawBody{r: strings.NewReader("x"), idle: time.Hour, until: time.Now().Add(time.Hour), most: 1 << 30, rate: c.rate, n: c.n, spent: time.Duration(c.took) * time.Millisecond}
		var d deadlines
		b.control = http.NewResponseController(&d)
		_, _ = b.Read(make([]byte, 1))
		if late := !d.read.IsZero() && d.read.Before(time.Now()); late != c.late {
			t.Errorf("%s: the next byte may take until %v", name, time.Until(d.read))
		}
	}
}

// deadlines is a ResponseWriter that keeps the first deadline for reading.
type deadlines struct {
	http.ResponseWriter
	read time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	if d.read.IsZero() {
		d.read = t
	}
	return nil
}

// TestDense: the handler does not unpack a bomb, and does unpack a body that repeats itself as
// calls do.
func TestDense(t *testing.T) {
	b := newBench(t, nil)
	bomb := zipped(t, strings.Repeat(" ", 32<<20))
	if o := b.post(t, bomb, "Content-Encoding", "gzip"); o.status != http.StatusRequestEntityTooLarge || b.Stats().Refused[Dense] != 1 || b.Stats().Bytes > 8<<20 {
		t.Errorf("status %d, %d bytes: %s", o.status, b.Stats().Bytes, o.text)
	}
	same := zipped(t, strings.Repeat(row(1), 3_000))
	if o := b.post(t, same, "Content-Encoding", "gzip"); o.status != http.StatusOK {
		t.Errorf("%d bytes of the same row: status %d: %s", len(same), o.status, o.text)
	}
	if o := b.post(t, zipped(t, rows(0, 30_000)), "Content-Encoding", "gzip"); o.status != http.StatusOK {
		t.Errorf("many rows: status %d: %s", o.status, o.text)
	}
}
