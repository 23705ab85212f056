package pebble

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestStalledWriters: a disk takes no tables until writers wait for it, and then fails for good.
// The waiting writers get the fault, and the store closes. Pebble goes on trying after that, so the
// test runs in a process of its own.
func TestStalledWriters(t *testing.T) {
	const child = "TRUNKLOG_TEST_STALLED"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStalledWriters$", "-test.v", "-test.timeout=2m")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	stallWriters(t)
	if t.Failed() {
		os.Exit(1)
	}
	os.Exit(0)
}

func stallWriters(t *testing.T) {
	fails := make(chan struct{})
	o := testOptions(t, errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
			<-fails
			return syscall.EIO
		}
		return nil
	})))
	o.memTable, o.CacheBytes, o.Log = 64<<10, 1<<20, nil
	o.Fatal = func(error) {}
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	rows := storetest.Rows(41, 5000)
	written := make(chan struct{}, len(rows))
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for n := 20 * w; n < len(rows); n += 40 {
				if _, err := s.Write(t.Context(), call.Batch{Rows: rows[n : n+20]}); err != nil {
					if !errors.Is(err, call.ErrClosed) || !strings.Contains(err.Error(), "input/output error") {
						t.Error(err)
					}
					return
				}
				written <- struct{}{}
			}
			t.Error("nobody had to wait")
		})
	}
	for waiting := false; !waiting; {
		select {
		case <-written:
		case <-time.After(500 * time.Millisecond):
			waiting = true
		}
	}
	for name, do := range map[string]func() error{
		"compact": func() error { return s.Compact(t.Context()) },
		"backup":  func() error { return s.Backup(t.Context(), "copy") },
		"write nothing new": func() error {
			_, err := s.Write(t.Context(), call.Batch{Rows: rows[:1]})
			return err
		},
	} {
		writers.Go(func() {
			if err := do(); err == nil || !strings.Contains(err.Error(), "input/output error") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond) // so that they wait, too; if not yet, they get the fault at once
	close(fails)
	writers.Wait()
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("close: %v", err)
	}
}
