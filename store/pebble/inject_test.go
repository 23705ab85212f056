package pebble

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// A trap makes the n-th operation that changes something fail, or all from the
// n-th on.
type trap struct {
	n         int64
	err       error
	forever   bool
	reads     bool // count reading operations instead
	sprung    atomic.Bool
	countdown atomic.Int64
}

func (p *trap) String() string { return "trap" }

// MaybeError implements errorfs.Injector.
func (p *trap) MaybeError(op errorfs.Op) error {
	reading := op.Kind.ReadOrWrite() == errorfs.OpIsRead
	if reading != p.reads || op.Kind == errorfs.OpGetDiskUsage {
		return nil
	}
	switch i := p.countdown.Add(1); {
	case i == p.n, i > p.n && p.forever:
		p.sprung.Store(true)
		return p.err
	}
	return nil
}

// TestEveryFault makes each operation on the file system fail in turn, once and for good. A write
// is then either confirmed and durable, or not confirmed, and the store opens clean afterwards.
func TestEveryFault(t *testing.T) {
	rows := storetest.Rows(40, 200)
	for _, reads := range []bool{false, true} {
		for _, forever := range []bool{false, true} {
			n := int64(1)
			for ; ; n++ {
				p := &trap{n: n, err: syscall.EIO, forever: forever, reads: reads}
				if n > 30 && n%61 != 0 && testing.Short() {
					continue
				}
				if faultOnce(t, p, rows); !p.sprung.Load() || t.Failed() {
					break
				}
			}
			if t.Failed() {
				t.Fatalf("at operation %d, reads %v, for good %v", n, reads, forever)
			}
			t.Logf("%d operations failed in turn, reads %v, for good %v", n-1, reads, forever)
		}
	}
}

func faultOnce(t *testing.T, p *trap, rows []call.Row) {
	disk := vfs.NewCrashableMem()
	var told ledger
	total := 0
	o := testOptions(t, errorfs.Wrap(disk, p))
	o.memTable = 64 << 10
	o.CacheBytes = 1 << 20
	var fatal atomic.Int64
	o.Fatal = func(error) { fatal.Add(1) }
	o.Log = nil
	s, err := Open("store", o)
	if err == nil {
		total = faultWork(t, s, rows, &told)
		closed := s.Close()
		if closed != nil && !p.sprung.Load() {
			t.Errorf("close: %v", closed)
		}
		if f := fatal.Load(); f > 1 || f == 1 != (s.fault.err() != nil) {
			t.Errorf("Fatal was called %d times; the store has failed: %v", f, s.fault.err())
		}
	} else if !p.sprung.Load() {
		t.Errorf("open: %v", err)
	}
	for _, percent := range []int{0, 100} {
		// The disk that a crash right now would leave.
		cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: newRand(uint64(p.n))}
		again, err := Open("store", testOptions(t, disk.CrashClone(cfg)))
		if err != nil {
			t.Errorf("open again with %d %%: %v", percent, err)
			continue
		}
		verifyBatches(t, again, rows, total, told.copy())
		if err := again.Close(); err != nil {
			t.Errorf("close again: %v", err)
		}
	}
}

// faultWork does a little of everything that changes the disk, and notes the confirmed batches.
func faultWork(t *testing.T, s *Store, rows []call.Row, told *ledger) (total int) {
	failed := false
	for ; total < 12; total++ {
		res, err := s.Write(t.Context(), batchOf(rows, total))
		switch {
		case err == nil && failed:
			t.Errorf("batch %d was confirmed after the store has failed", total)
		case err == nil:
			told.ack(total)
		case len(res.Rows) > 0:
			t.Errorf("batch %d: %+v together with %v", total, res, err)
		}
		failed = failed || errors.Is(err, call.ErrClosed)
		if total%5 == 4 && !failed {
			_ = s.Compact(t.Context()) // may fail, and must do no harm
		}
		_, _ = dump(t, s)
	}
	_, _ = s.Trim(t.Context(), call.GUID{5}, time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC))
	return total
}

// TestFaultsOfOpening makes each operation fail in turn while a store opens with logs from a crash.
// Whether it opens or says why not, nothing confirmed is lost, also if the power fails then.
func TestFaultsOfOpening(t *testing.T) {
	rows := storetest.Rows(40, 300)
	left, batches := crashedStore(t, rows)
	for _, fault := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
		n, opened := int64(1), 0
		for ; ; n++ {
			if n > 20 && n%83 != 0 && testing.Short() {
				continue
			}
			p := &trap{n: n, err: &fs.PathError{Op: "test", Path: "some file", Err: fault}}
			if openFaulty(t, p, left.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: newRand(2)}), rows, batches) {
				opened++
			}
			if !p.sprung.Load() || t.Failed() {
				break
			}
		}
		if t.Failed() {
			t.Fatalf("%v at operation %d", fault, n)
		}
		t.Logf("%v at %d operations in turn, of which %d were no hindrance", fault, n-1, opened-1)
	}
}

// crashedStore returns a disk on which everything is in logs and tables that are
// not at rest, and how many batches are on it.
func crashedStore(t *testing.T, rows []call.Row) (left *vfs.MemFS, batches int) {
	t.Helper()
	disk := vfs.NewCrashableMem()
	for range 2 {
		o := testOptions(t, disk)
		o.memTable, o.CacheBytes = 64<<10, 1<<20
		s, err := Open("store", o)
		if err != nil {
			t.Fatal(err)
		}
		for range 30 {
			if _, err := s.Write(t.Context(), batchOf(rows, batches)); err != nil {
				t.Fatal(err)
			}
			batches++
		}
		left = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: newRand(1)})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		disk = left
	}
	return left, batches
}

// openFaulty opens a store on a disk that p lets fail, and reports whether that
// worked. Then the power fails.
func openFaulty(t *testing.T, p *trap, disk *vfs.MemFS, rows []call.Row, batches int) (opened bool) {
	t.Helper()
	o := testOptions(t, errorfs.Wrap(disk, p))
	o.memTable, o.CacheBytes, o.Log, o.Fatal = 64<<10, 1<<20, nil, nil
	s, err := Open("store", o)
	if err != nil && (!p.sprung.Load() || !errors.Is(err, p.err)) {
		t.Errorf("open: %v", err)
	}
	var told ledger
	for i := range batches {
		told.ack(i)
	}
	if err == nil {
		if _, err := s.Write(t.Context(), batchOf(rows, batches)); err == nil {
			told.ack(batches)
		}
	}
	for _, percent := range []int{0, 50, 100} {
		cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: newRand(uint64(p.n))}
		again, err := Open("store", testOptions(t, disk.CrashClone(cfg)))
		if err != nil {
			t.Errorf("open again with %d %%: %v", percent, err)
			continue
		}
		verifyBatches(t, again, rows, batches+1, told.copy())
		if err := again.Close(); err != nil {
			t.Errorf("close again: %v", err)
		}
	}
	if s != nil {
		_ = s.Close()
	}
	return err == nil
}
