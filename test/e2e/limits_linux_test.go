package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/trunklog/trunklog/test/kit"

	"golang.org/x/sys/unix"
)

// TestNoFilesLeft takes the files away that the running server may open, down to
// those that it has open: it goes on answering on the connections that it has,
// keeps what it is sent, does not end, and takes connections again afterwards.
func TestNoFilesLeft(t *testing.T) {
	kit.Long(t)
	data := filepath.Join(t.TempDir(), "data")
	_, reader := newTenant(t, data, "contoso", contosoID)
	pusher := newPusher(t, data, "contoso")
	s := start(t, data)
	post := func(n int) {
		t.Helper()
		status, answer, _, err := s.deliver(t.Context(), pusher, fmt.Sprintf(`{"id":"no-files-%d","startDateTime":"2026-10-01T00:00:00Z"}`, n))
		if err != nil || status != http.StatusOK {
			t.Fatalf("call %d: status %d, %v: %s\n%s", n, status, err, answer, s.Log)
		}
	}
	post(0)
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	var before unix.Rlimit
	few := unix.Rlimit{Cur: uint64(len(open)), Max: uint64(len(open))}
	if err := unix.Prlimit(s.PID(), unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	few.Max = before.Max
	if err := unix.Prlimit(s.PID(), unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Fatal(err)
	}
	for range 50 { // the kernel takes them; the server cannot
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for n := range 100 {
		post(n + 1)
	}
	if err := unix.Prlimit(s.PID(), unix.RLIMIT_NOFILE, &before, nil); err != nil {
		t.Fatal(err)
	}
	s.http.CloseIdleConnections()
	if res, body := s.do(t, http.MethodGet, logPath, reader); res.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
}
