package sdk

import (
	"context"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A server is a running `trunklog serve`.
type server struct {
	*house
	url  string // https://localhost:PORT
	cmd  *exec.Cmd
	diag output        // its stderr
	gone chan struct{} // closed when it has ended; err is set then
	err  error
}

// An output keeps what a process writes.
type output struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// serve starts the house's server and stops it when the test is over.
func (h *house) serve(t *testing.T, flags ...string) *server {
	t.Helper()
	// Between the look for a free port and its use, another process may take
	// it: then look again.
	for range 5 {
		s := h.start(t, flags)
		if s.ready() {
			t.Cleanup(func() { s.stop(t) })
			return s
		}
		s.kill()
		if !strings.Contains(s.diag.String(), "address already in use") {
			t.Fatalf("trunklog serve did not get ready: %v\n%s", s.err, &s.diag)
		}
	}
	t.Fatal("found no free port")
	return nil
}

// serveOn is serve on an address of which nobody else may have the port. It is
// localhost's, too.
func (h *house) serveOn(t *testing.T, address string, flags ...string) *server {
	t.Helper()
	s := h.startOn(t, address, flags)
	if !s.ready() {
		s.kill()
		t.Fatalf("trunklog serve did not get ready on %s: %v\n%s", address, s.err, &s.diag)
	}
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (h *house) start(t *testing.T, flags []string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return h.startOn(t, l.Addr().String(), flags)
}

func (h *house) startOn(t *testing.T, address string, flags []string) *server {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{house: h, url: "https://localhost:" + port, gone: make(chan struct{})}
	args := []string{"serve", "--data", h.dir, "--listen", address, "--keep", "forever"}
	s.cmd = command(context.Background(), t.TempDir(), append(args, flags...)...)
	s.cmd.Stderr = &s.diag
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.gone)
	}()
	return s
}

// readyLine is not to match "address already in use".
var readyLine = regexp.MustCompile(`\bready\b`)

// ready waits until the server says so.
func (s *server) ready() bool {
	deadline := time.After(30 * time.Second)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if readyLine.MatchString(s.diag.String()) {
				return true
			}
		case <-s.gone:
			return false
		case <-deadline:
			return false
		}
	}
}

// stop asks the server to end, as a service manager does.
func (s *server) stop(t *testing.T) {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.gone:
		if s.err != nil {
			t.Errorf("trunklog serve ended with %v", s.err)
		}
	case <-time.After(20 * time.Second):
		s.kill()
		t.Error("trunklog serve did not end when asked to")
	}
	if t.Failed() {
		t.Logf("stderr of trunklog serve:\n%s", &s.diag)
	}
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.gone
}
