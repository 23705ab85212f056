package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A troubled store does with a write what the test sets.
type troubled struct {
	call.Store
	writes atomic.Int64
	mu     sync.Mutex
	do     func() error
}

func (s *troubled) becomes(do func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.do = do
}

func (s *troubled) Write(context.Context, call.Batch) (call.Result, error) {
	s.writes.Add(1)
	s.mu.Lock()
	do := s.do
	s.mu.Unlock()
	return call.Result{}, do()
}

// TestReadiness: a server is ready if it can write, has opened its ports and is not stopping. A
// caller has its answer in time even if the store is stuck.
func TestReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serving, stop := context.WithCancel(t.Context())
		st := &troubled{do: func() error { return nil }}
		r := newReadiness(st)
		done := make(chan error, 1)
		go func() { done <- r.run(serving) }()
		if err := r.check(t.Context(), serving); !errors.Is(err, errStarting) {
			t.Errorf("before the ports are open: %v", err)
		}
		r.up.Store(true)
		for range 10 {
			if err := r.check(t.Context(), serving); err != nil {
				t.Error(err)
			}
		}
		if n := st.writes.Load(); n != 1 {
			t.Errorf("%d writes for ten questions in a moment, want 1", n)
		}
		st.becomes(func() error { return fmt.Errorf("write: %w: 3 MB are free", call.ErrFull) })
		time.Sleep(readyEvery)
		if err := r.check(t.Context(), serving); !errors.Is(err, call.ErrFull) {
			t.Errorf("full: %v", err)
		}
		st.becomes(func() error { time.Sleep(time.Minute); return nil })
		time.Sleep(readyEvery)
		for range 3 {
			began := time.Now()
			if err := r.check(t.Context(), serving); !errors.Is(err, errStoreStuck) || time.Since(began) != readyWait {
				t.Errorf("stuck: %v after %v", err, time.Since(began))
			}
		}
		time.Sleep(time.Hour)
		st.becomes(func() error { return nil })
		if err := r.check(t.Context(), serving); err != nil {
			t.Errorf("not stuck any more: %v", err)
		}
		stop()
		if err := r.check(t.Context(), serving); !errors.Is(err, errStopping) {
			t.Errorf("stopping: %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestAdminListen: a wrong address is an error that says why, and leaves no socket behind.
func TestAdminListen(t *testing.T) {
	dir := t.TempDir()
	if _, err := openAdmin(dir, "nonsense"); err == nil || !strings.Contains(err.Error(), "--admin-listen") {
		t.Errorf("%v", err)
	}
	a, err := openAdmin(dir, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if host := a.monitor.Addr().String(); !strings.HasPrefix(host, "127.0.0.1:") {
		t.Errorf("listens on %s", host)
	}
}
