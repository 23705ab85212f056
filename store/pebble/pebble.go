// Package pebble keeps rows in one folder of the local disk, in the embedded engine Pebble. It is
// the default engine: one process owns the folder, and there is nothing to install.
//
// It knows the contract of [call.Store] and the format on disk (keys.go). It does not know where
// rows come from or who asks for them.
package pebble

import (
	"context"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
	"github.com/trunklog/trunklog/call"
)

// A Store is a [call.Store] and a [call.Keeper] in a folder.
type Store struct {
	db       *pebble.DB
	dir      string
	fs       vfs.FS // the file system for Pebble
	opts     Options
	lock     *pebble.Lock
	cache    *pebble.Cache
	readOnly bool
	cells    bool // the cells are complete
	format   int  // version of the format on disk
	old      bool // an upgrade is missing or unfinished

	life  life
	room  *room
	fault *fault
	guard *guard

	// turn lets one writer at a time read the present state and hand its batch to the log.
	turn    chan struct{}
	applied uint64        // batches handed to the log
	durable atomic.Uint64 // how many of them are on the disk
	heads   heads
	recent  recent
	stuck   atomic.Bool // a call of Pebble never returns; see untilFault

	troubles troubles
}

var (
	_ call.Store  = (*Store)(nil)
	_ call.Keeper = (*Store)(nil)
)

// Options are the settings of a store. The zero value is good for a server.
type Options struct {
	// FS is the file system; nil is the machine's own.
	FS vfs.FS
	// Log receives what an operator should know; nil is no log.
	Log *slog.Logger
	// CacheBytes is the memory for blocks read from tables and for rows that are not in tables yet;
	// 0 is 160 MiB, and 128 MiB with Bulk.
	CacheBytes int64
	// Fatal is called once, from any goroutine, when the store has failed in a way that only a new
	// start can mend, such as a failed sync. It must not call the store; it is for ending the
	// process. Until then reads go on and writes return [call.ErrClosed].
	Fatal func(error)
	// Reserve is how many bytes to keep free on the disk; with less, writes return [call.ErrFull].
	// 0 is 256 MiB; a negative number is none.
	Reserve int64
	// ReadOnly opens an existing store and changes nothing. The folder may lack write permission;
	// then other processes may open it too.
	ReadOnly bool
	// Upgrade allows the upgrade of a store of an older format, and receives its progress in steps
	// of work. If it returns an error, the upgrade stops there and goes on when the store is opened
	// the next time. Without it, and without AsItIs, Open refuses such a store with [call.ErrOld].
	Upgrade func(done, total int64) error
	// AsItIs opens a store of an older format without an upgrade, for a copy. Readers can use it as
	// far as the format goes; it accepts no writes.
	AsItIs bool
	// Bulk is for many writes and few reads before the store is closed. Twice as many tables may
	// lie upon each other before Pebble merges them, and each query reads all of these: an import
	// takes a tenth less processor time. The next process that opens the store does the remaining
	// merges.
	Bulk bool
	// Now returns the time, to limit repeated log lines; nil is [time.Now].
	Now func() time.Time

	memTable  uint64 // bytes; 0 is 32 MiB
	trimChunk int    // rows; 0 is 20,000
	upgradeBy int    // rows; 0 is upgradeChunk
	keepLog   bool   // Close leaves the contents of the log there
}

func (o *Options) withDefaults() {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 160 << 20
		if o.Bulk {
			o.CacheBytes = 128 << 20
		}
	}
	if o.Reserve == 0 {
		o.Reserve = 256 << 20
	}
	if o.ReadOnly {
		o.Reserve = -1
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.trimChunk == 0 {
		o.trimChunk = trimChunk
	}
	if o.upgradeBy == 0 {
		o.upgradeBy = upgradeChunk
	}
	if o.memTable == 0 {
		o.memTable = 32 << 20
	}
}

// State implements [call.StateReader].
func (s *Store) State(ctx context.Context, prefix string) iter.Seq2[call.Named, error] {
	return func(yield func(call.Named, error) bool) {
		more := true
		err := s.eachNamed(ctx, prefix, func(v call.Named) bool {
			more = yield(v, nil)
			return more
		})
		if err != nil && more {
			yield(call.Named{}, s.readError("state", err))
		}
	}
}

// Close implements [call.Store]. It writes the contents of the logs to tables, so that the next
// start is quick, gives the logs' space back and seals the folder.
func (s *Store) Close() error {
	if !s.life.end() {
		return s.readError("close", call.ErrClosed)
	}
	failed := s.fault.err()
	flushed := failed == nil && !s.readOnly && !s.opts.keepLog && s.flush()
	if s.stuck.Load() {
		return s.readError("close", firstError(s.fault.err(), s.lock.Close())) // Pebble would wait for the stuck call
	}
	used, _ := s.tables() // without the list, seal syncs all once more
	err := s.db.Close()
	s.cache.Unref()
	failed = firstError(failed, s.fault.err())
	if failed == nil && err == nil && !s.readOnly {
		err = s.leave(flushed, used)
	}
	err = firstError(failed, err, s.fault.err(), s.guard.marks.close(), s.lock.Close())
	if err != nil {
		return s.readError("close", err)
	}
	return nil
}

// leave seals the folder of a store that was closed without a fault, and gives back what only an
// open one needs. It does not seal files that were damaged meanwhile, and the watermark stays and
// reveals the damage at the next start.
func (s *Store) leave(flushed bool, used []string) error {
	forgotten := flushed && s.guard.marks.forget(func(uint64) bool { return true }) == nil
	if err := s.verifyListed(func(problem error) error { return problem }); err != nil {
		return err
	}
	if forgotten {
		dropLogs(s.fs, s.dir)
		_ = s.guard.marks.close() // its statement is on the disk
		_ = s.fs.Remove(s.fs.PathJoin(s.dir, watermarkName))
		s.room.rest()
	}
	err := seal(s.fs, s.dir, used)
	disown(s.fs, s.dir)
	return err
}

// flush writes the memory to tables and reports whether all of it is there now. If not, for want of
// space say, the logs still have everything.
func (s *Store) flush() (done bool) {
	trouble, forget := s.troubles.watch()
	defer forget()
	var flushed <-chan struct{}
	err := s.untilFault(func() (err error) {
		flushed, err = s.db.AsyncFlush()
		return err
	})
	if err != nil {
		return false
	}
	select {
	case <-flushed:
		return true
	case <-trouble: //nolint:errcheck // the next writer gets the error
	case <-s.fault.over:
	}
	return false
}

// dropLogs removes the logs of a store that was flushed after its last write and closed without a
// fault. Pebble keeps up to four old ones to overwrite, which makes syncs quicker, and releases
// them only at the next opening.
//
// No row is lost: the flush began a new log and ended when the list of tables, which is on the disk
// by then, said that no older one is needed; and since no write came after it, the new one is
// empty. So it does not matter which of them a loss of power brings back. A log that cannot be
// removed does no harm.
func dropLogs(fsys vfs.FS, dir string) {
	names, err := fsys.List(dir)
	if err != nil {
		return
	}
	for _, name := range names {
		if _, _, ours := wal.ParseLogFilename(name); ours {
			_ = fsys.Remove(fsys.PathJoin(dir, name))
		}
	}
}
