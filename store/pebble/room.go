package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
)

// ballastName is the file that holds room in reserve.
const ballastName = "ballast"

// A room watches how much space the disk has. There are two lines of defence:
//
// Every write first asks how much is free, which costs a microsecond; with less than the reserve
// the store refuses it. So the store stops while there is still room for work behind the last
// write: the log's tail, tables from memory, compactions that give space back, and the removal of
// old rows.
//
// Other programs may fill the disk between that question and the write. For this there is a
// ballast, a file of a quarter of the reserve: when an operation finds no space, room removes the
// file and Pebble repeats the operation (vfs.OnDiskFull). Then the store writes nothing until there
// is room for the file again. A store that was closed in order has all in its tables, and keeps
// only as much ballast as the next opening needs (rest).
type room struct {
	fs      vfs.FS // beneath OnDiskFull
	dir     string
	reserve int64 // 0 is no watching
	log     *slog.Logger

	gone atomic.Bool // the ballast has been given up
	mu   sync.Mutex
	full bool // the store refuses writes
}

func (r *room) ballast() string { return r.fs.PathJoin(r.dir, ballastName) }

// free returns the free space for this user in bytes; ok is false if the file system does not say.
func (r *room) free() (bytes int64, ok bool) {
	u, err := r.fs.GetDiskUsage(r.dir)
	return int64(min(u.AvailBytes, 1<<62)), err == nil
}

// forWrite returns [call.ErrFull] while there is no room for a write.
func (r *room) forWrite() error { return r.check(r.reserve) }

// forTrim is forWrite for a deletion, which may use half of the reserve because it makes room.
func (r *room) forTrim() error { return r.check(r.reserve / 2) }

func (r *room) check(need int64) error {
	if r.reserve == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	free, ok := r.free()
	if r.gone.Load() && (!ok || free >= r.reserve+r.reserve/4) {
		r.gone.Store(r.lay(r.reserve/4) != nil)
	}
	full := r.gone.Load() || ok && free < need
	if full && !r.full {
		r.log.Error("no space left: writes are refused until there is", "dir", r.dir, "free", free, "reserve", r.reserve)
	}
	if !full && r.full && need == r.reserve {
		r.log.Info("there is space again: writes go on", "dir", r.dir, "free", free)
	}
	if need == r.reserve {
		r.full = full
	}
	if full {
		return fmt.Errorf("%w: %d MB are free in %s and %d MB are kept in reserve", call.ErrFull, free>>20, r.dir, r.reserve>>20)
	}
	return nil
}

// ranOut is called when an operation found no space. It must be quick and use the inner file
// system.
func (r *room) ranOut() {
	_ = r.fs.Remove(r.ballast()) // nothing to give up is no help, and no harm
	r.gone.Store(true)
}

// restingBallast is the ballast's size while the store is closed: many times what opening writes
// before it has read anything.
const restingBallast = 1 << 20

// rest gives back the space that only a store with writes needs.
func (r *room) rest() {
	if r.reserve > 0 && !r.gone.Load() {
		_ = r.lay(min(r.reserve/4, restingBallast)) // without any, the store may not open on a full disk
	}
}

// lay makes the ballast anew. It must really take the space: where the file system cannot reserve
// it, lay writes zeros.
func (r *room) lay(size int64) (err error) {
	f, err := r.fs.Create(r.ballast(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() {
		if err = firstError(err, f.Close()); err != nil {
			_ = r.fs.Remove(r.ballast())
		}
	}()
	if err := f.Preallocate(0, size); err == nil || errors.Is(err, syscall.ENOSPC) {
		return err
	}
	zeros := make([]byte, min(size, 1<<20))
	for ; size > 0; size -= int64(len(zeros)) {
		if _, err := f.Write(zeros[:min(size, int64(len(zeros)))]); err != nil {
			return err
		}
	}
	return f.Sync()
}
