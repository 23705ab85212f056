package pebble

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// A slowDisk is a disk whose log takes its time for a sync, and counts them.
type slowDisk struct {
	syncs atomic.Int64
	hold  atomic.Pointer[func() error] // called in each sync of the log
}

func (d *slowDisk) fs(inner vfs.FS) vfs.FS {
	return errorfs.Wrap(inner, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !strings.HasSuffix(op.Path, ".log") {
			return nil
		}
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			d.syncs.Add(1)
			if hold := d.hold.Load(); hold != nil {
				return (*hold)()
			}
		}
		return nil
	}))
}

// TestGroupCommit checks that many writers share the syncs of the log.
func TestGroupCommit(t *testing.T) {
	const writers, each = 64, 8
	var disk slowDisk
	s, err := Open("store", testOptions(t, disk.fs(vfs.NewMem())))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	slow := func() error { time.Sleep(40 * time.Millisecond); return nil } // the disk, not a wait for a result
	disk.hold.Store(&slow)
	before := disk.syncs.Load()
	rows := storetest.Rows(80, writers*each)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := s.Write(t.Context(), call.Batch{Rows: rows[w*each+i : w*each+i+1]}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := disk.syncs.Load() - before; n > writers*each/4 || n == 0 {
		t.Errorf("%d writes took %d syncs", writers*each, n)
	}
	verifyCheck(t, s)
}

// TestNothingNewWaits checks that a write that changes nothing does not return before its rows are
// durable: another writer may still wait for the disk with them.
func TestNothingNewWaits(t *testing.T) {
	var disk slowDisk
	o := testOptions(t, disk.fs(vfs.NewMem()))
	o.Fatal = nil
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	rows := storetest.Rows(81, 1)
	entered, release := make(chan struct{}, 100), make(chan struct{})
	hold := func() error { entered <- struct{}{}; <-release; return syscall.EIO }
	disk.hold.Store(&hold)
	results := make(chan error, 2)
	write := func() {
		_, err := s.Write(t.Context(), call.Batch{Rows: rows})
		results <- err
	}
	go write()
	<-entered // the first one is in the log, and its sync has begun
	go write()
	left := 2
	select {
	case err := <-results:
		left--
		t.Errorf("a write was answered before the disk was: %v", err)
	case <-time.After(300 * time.Millisecond): // long enough for one that does not wait
	}
	close(release)
	for range left {
		if err := <-results; !errors.Is(err, call.ErrClosed) {
			t.Errorf("a write whose sync failed: %v", err)
		}
	}
}

// TestFailedSync checks the time after the first failed sync: the store confirms nothing, calls
// Fatal once, goes on with reads, and changes nothing on disk.
func TestFailedSync(t *testing.T) {
	var disk slowDisk
	mem := vfs.NewMem()
	o := testOptions(t, disk.fs(mem))
	var told []error
	o.Fatal = func(err error) { told = append(told, err) }
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	rows := storetest.Rows(82, 20)
	if _, err := s.Write(t.Context(), call.Batch{Rows: rows[:10]}); err != nil {
		t.Fatal(err)
	}
	fail := func() error { return syscall.EIO }
	disk.hold.Store(&fail)
	for range 3 {
		if _, err := s.Write(t.Context(), call.Batch{Rows: rows[10:]}); !errors.Is(err, call.ErrClosed) || !strings.Contains(err.Error(), "input/output error") {
			t.Errorf("write: %v", err)
		}
		disk.hold.Store(nil) // the disk reports success again; the store must not trust it
	}
	if _, err := s.Trim(t.Context(), rows[0].Tenant, time.Now()); !errors.Is(err, call.ErrClosed) {
		t.Errorf("trim: %v", err)
	}
	before := mem.String()
	if _, err := dump(t, s); err != nil {
		t.Errorf("read: %v", err)
	}
	if err := s.Close(); !errors.Is(err, call.ErrClosed) {
		t.Errorf("close: %v", err)
	}
	if now := mem.String(); now != before {
		t.Errorf("the folder has changed from\n%s\nto\n%s", before, now)
	}
	if len(told) != 1 {
		t.Errorf("Fatal was called with %v", told)
	}
	o = testOptions(t, mem)
	if s, err = Open("store", o); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[:10] {
		if _, err := s.Row(t.Context(), r.Tenant, r.ID); err != nil {
			t.Errorf("a row that was confirmed: %v", err)
		}
	}
	verifyCheck(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
