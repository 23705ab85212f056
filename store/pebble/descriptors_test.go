package pebble

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestOutOfFiles: while the process cannot open files, because strangers have taken them all,
// writes wait and the store does not end; when there are files again all goes on, and confirmed
// writes survive another start.
func TestOutOfFiles(t *testing.T) {
	for name, errno := range map[string]syscall.Errno{"of the process": syscall.EMFILE, "of the machine": syscall.ENFILE} {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewMem()
			var out atomic.Bool
			var refused atomic.Int64
			o := testOptions(t, errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
				switch op.Kind {
				case errorfs.OpCreate, errorfs.OpOpen, errorfs.OpOpenDir, errorfs.OpReuseForWrite, errorfs.OpList:
					if out.Load() {
						refused.Add(1)
						return errno
					}
				}
				return nil
			})))
			o.memTable = 64 << 10
			o.Log = nil
			o.Fatal = func(err error) { t.Errorf("the store has ended: %v", err) }
			s, err := Open("store", o)
			if err != nil {
				t.Fatal(err)
			}
			rows := storetest.Rows(7, 2_000)
			done := make(chan error, 1)
			go func() {
				for len(rows) > 0 {
					n := min(len(rows), 50)
					if _, err := s.Write(t.Context(), call.Batch{Rows: rows[:n]}); err != nil {
						done <- err
						return
					}
					rows = rows[n:]
				}
				done <- nil
			}()
			for range 3 {
				out.Store(true)
				for before := refused.Load(); refused.Load() < before+3; {
					select {
					case err := <-done:
						t.Fatalf("all was written before any file was needed: %v", err)
					case <-time.After(time.Millisecond):
					}
				}
				out.Store(false)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			o.FS = disk
			if s, err = Open("store", o); err != nil {
				t.Fatal(err)
			}
			st, err := s.Stats(t.Context())
			if err := errors.Join(err, s.Close()); err != nil || st.Rows != 2_000 {
				t.Errorf("%d rows, %v", st.Rows, err)
			}
		})
	}
}

// TestOutOfFilesReading: a reader meanwhile gets an error that says to try again.
func TestOutOfFilesReading(t *testing.T) {
	s := &Store{}
	if err := s.translate(&vfsError{syscall.EMFILE}); !errors.Is(err, call.ErrFull) || !errors.Is(err, syscall.EMFILE) {
		t.Error(err)
	}
	if err := s.translate(&vfsError{syscall.EIO}); errors.Is(err, call.ErrFull) {
		t.Error(err)
	}
}

type vfsError struct{ errno syscall.Errno }

func (e *vfsError) Error() string { return e.errno.Error() }
func (e *vfsError) Unwrap() error { return e.errno }

// TestOpenTables: with few files, tables leave some to all else.
func TestOpenTables(t *testing.T) {
	for files, want := range map[uint64]int{0: 1000, 64: 64, 256: 64, 1024: 256, 4096: 1000, 1 << 40: 1000} {
		if got := openTables(files); got != want {
			t.Errorf("of %d files %d are tables, want %d", files, got, want)
		}
	}
}
