package pebble

import (
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/trunklog/trunklog/call"
)

// A stress is a store under several writers, on a disk that may lose power at
// any moment, be full, or fail.
type stress struct {
	disk    *vfs.MemFS
	cloning sync.RWMutex
	rows    []call.Row
	told    ledger
	next    atomic.Int64 // batches
	fail    func(op errorfs.Op) error
	reused  atomic.Int64
	tripped atomic.Bool
}

// MaybeError implements [errorfs.Injector].
func (x *stress) MaybeError(op errorfs.Op) error {
	if op.Kind == errorfs.OpReuseForWrite {
		x.reused.Add(1)
	}
	if x.fail == nil || op.Kind.ReadOrWrite() == errorfs.OpIsRead || op.Kind == errorfs.OpGetDiskUsage {
		return nil
	}
	err := x.fail(op)
	if err != nil {
		x.tripped.Store(true)
	}
	return err
}

func (x *stress) String() string { return "stress" }

// run opens the store and writes, calling meanwhile again and again until that is over. It then
// closes the store if x says so.
func (x *stress) run(t *testing.T, writers, each int, meanwhile func()) {
	t.Helper()
	o := testOptions(t, errorfs.Wrap(&unlocked{x.disk, &x.cloning}, x))
	o.memTable, o.CacheBytes = 64<<10, 1<<20 // so that there are many logs
	if x.fail != nil {
		o.Fatal, o.Log = nil, nil
		// A writer that waits for room in memory would wait for ever once the store
		// has failed: nothing ends this process then, as [Options.Fatal] should.
		o.memTable = 256 << 10
	}
	s, err := Open("store", o)
	if err != nil {
		var corrupt *call.CorruptError
		if !x.tripped.Load() || errors.As(err, &corrupt) {
			t.Errorf("open: %v", err)
		}
		return
	}
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				n := int(x.next.Add(1)) - 1
				if _, err := s.Write(t.Context(), batchOf(x.rows, n)); err != nil {
					if !x.tripped.Load() {
						t.Errorf("batch %d: %v", n, err)
					}
					return
				}
				x.told.ack(n)
			}
		})
	}
	over := make(chan struct{})
	go func() { wg.Wait(); close(over) }()
	for done := false; !done && !t.Failed(); {
		select {
		case <-over:
			done = true
		default:
		}
		meanwhile()
	}
	wg.Wait()
	closing := make(chan error, 1)
	go func() { closing <- s.Close() }()
	for done := false; !done; {
		select {
		case err := <-closing:
			if err != nil && !x.tripped.Load() {
				t.Errorf("close: %v", err)
			}
			done = true
		default:
			if !t.Failed() {
				meanwhile()
			}
		}
	}
}

// An unlocked is a disk on which what takes a lock of the disk twice does not
// meet a clone that is being made.
type unlocked struct {
	vfs.FS
	cloning *sync.RWMutex
}

func (u *unlocked) Link(from, to string) error {
	u.cloning.RLock()
	defer u.cloning.RUnlock()
	return u.FS.Link(from, to)
}

func (u *unlocked) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	u.cloning.RLock()
	defer u.cloning.RUnlock()
	return u.FS.ReuseForWrite(from, to, c)
}

// crash returns the disk after a loss of power, with percent of the unsynced data. 100 is the end
// of the process alone.
func (x *stress) crash(rng *rand.Rand, percent int) *vfs.MemFS {
	x.cloning.Lock()
	defer x.cloning.Unlock()
	return x.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
}

// failing returns which operations fail: in every second round none.
func failing(round int, rng *rand.Rand) func(op errorfs.Op) error {
	var n atomic.Int64
	at := int64(rng.IntN(600))
	var only string
	var err error = syscall.EIO
	from, until := at, at+1
	switch round % 12 {
	case 1: // the disk is full for a while
		err, until = syscall.ENOSPC, at+int64(rng.IntN(20))
	case 3: // or for long
		err, until = syscall.ENOSPC, at+200
	case 5: // the watermark alone
		only, from, until = watermarkName, at/4, at/4+1
	case 7:
		only, from, until = watermarkName, at/4, 1<<62
		err = syscall.ENOSPC
	case 9: // any operation, once
	case 11:
		only = ".log"
	default:
		return nil
	}
	return func(op errorfs.Op) error {
		if only != "" && !strings.HasSuffix(op.Path, only) {
			return nil
		}
		if i := n.Add(1); i < from || i >= until {
			return nil
		}
		return &os.PathError{Op: "test", Path: op.Path, Err: err}
	}
}

// tearSlot leaves a slot half written.
func tearSlot(t *testing.T, disk vfs.FS, rng *rand.Rand) {
	t.Helper()
	f, err := disk.OpenReadWrite("store/"+watermarkName, vfs.WriteCategoryUnspecified)
	if err != nil {
		return // there is none yet
	}
	if info, err := f.Stat(); err != nil || info.Size() < 2*slotSize {
		_ = f.Close()
		return
	}
	junk := make([]byte, 1+rng.IntN(100))
	for i := range junk {
		junk[i] = byte(rng.Uint32())
	}
	_, err = f.WriteAt(junk, int64(rng.IntN(2)*slotSize+rng.IntN(60)))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}
