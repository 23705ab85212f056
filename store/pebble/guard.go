package pebble

import (
	"errors"
	"hash/crc32"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A guard stands between Pebble and the file system. Pebble answers a failed write with a panic
// here and with another try there; the guard makes a [fault] of it. Pebble may try again only when
// a table finds no space, since the log still holds the table's contents.
//
// From the first fault on nothing changes on disk any more. The guard answers operations on the log
// and the folder as if they had worked. That keeps Pebble from panicking with its locks held, and
// does no harm, because the store confirms no write any more. All other changes fail.
//
// While the store is being opened any failure is a fault, and the guard answers every operation as
// if it had worked. On a failure Pebble would otherwise try again without end, go on with a list of
// tables that no start will find, or give up while its own compactions run. So opening comes to its
// end, and [Open] returns the fault. Pebble tries again only for a table that finds no space.
//
// The guard notes each file that names the tables in the watermark before Pebble learns that it is
// on the disk, and removes a log from it before the log goes; see [watermarkName].
//
// The guard ignores files elsewhere, those of a backup.
type guard struct {
	vfs.FS
	dir   string
	fault *fault
	armed atomic.Bool // false while the store is being opened
	marks watermark
}

var errFrozen = errors.New("the folder is left as it is since the store has failed")

// A role is what a file is to the guard.
type role uint8

const (
	plainFile role = iota
	table
	vital // a log, or the folder
)

func roleOf(name string) role {
	switch {
	case strings.HasSuffix(name, ".log"):
		return vital
	case strings.HasSuffix(name, ".sst"):
		return table
	}
	return plainFile
}

// frozen reports whether nothing may change on disk any more.
func (g *guard) frozen() bool { return g.fault.cause.Load() != nil }

// mine reports whether the file belongs to the store.
func (g *guard) mine(name string) bool { return g.FS.PathDir(name) == g.dir }

// failed makes a fault of err, and reports whether it did.
func (g *guard) failed(err error, r role) bool {
	if err == nil || (errors.Is(err, syscall.ENOSPC) || outOfFiles(err)) && (r == table || r == plainFile && g.armed.Load()) {
		return false
	}
	_ = g.fault.set(err)
	return true
}

// pretends reports whether the guard answers a change of a file as if it had worked although the
// folder is frozen.
func (g *guard) pretends(r role) bool { return r == vital || !g.armed.Load() }

// Create implements [vfs.FS]. It syncs a marker, which names the list of tables, after the list and
// before Pebble removes the old marker: file systems may reorder the changes of a folder.
func (g *guard) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) {
		if !strings.HasPrefix(g.FS.PathBase(name), "marker.") {
			return g.FS.Create(name, c)
		}
		if err := syncDir(g.FS, g.dir); err != nil {
			return nil, err
		}
		f, err := g.FS.Create(name, c)
		if err != nil {
			return nil, err
		}
		err = syncDir(g.FS, g.dir)
		// The marker of Pebble's format moves eight times in a new store; markFormat notes it when
		// that is over.
		if m, ok := parseName(g.FS.PathBase(name)); ok && m.kind == manifestMarker && err == nil && g.mine(name) {
			err = g.marks.settle(m)
		}
		if err != nil {
			return nil, firstError(err, f.Close())
		}
		return f, nil
	})
}

// ReuseForWrite implements [vfs.FS].
func (g *guard) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create(to, func() (vfs.File, error) {
		if g.forget(from) != nil { // it stays
			return g.FS.Create(to, c)
		}
		return g.FS.ReuseForWrite(from, to, c)
	})
}

// forget removes a log, if it is one, from the watermark.
func (g *guard) forget(name string) error {
	m, ok := parseName(g.FS.PathBase(name))
	if !ok || !m.isLog() || !g.mine(name) {
		return nil
	}
	return g.marks.forget(func(log uint64) bool { return log == m.number })
}

func (g *guard) create(name string, create func() (vfs.File, error)) (vfs.File, error) {
	if !g.mine(name) {
		return create()
	}
	r := roleOf(name)
	if !g.frozen() {
		f, err := create()
		if err == nil {
			m, _ := parseName(g.FS.PathBase(name))
			return &guardedFile{File: f, guard: g, role: r, kind: m.kind, number: m.number}, nil
		}
		if !g.failed(err, r) || !g.pretends(r) {
			return nil, err
		}
	}
	if g.pretends(r) {
		return &guardedFile{File: vfs.NewMemFile(nil), guard: g, role: r}, nil
	}
	return nil, errFrozen
}

// OpenReadWrite implements [vfs.FS].
func (g *guard) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, o...) })
}

// OpenDir implements [vfs.FS].
func (g *guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil || name != g.dir {
		return f, err
	}
	return &guardedFile{File: f, guard: g, role: vital}, nil
}

// change runs a change of the folder, unless it is frozen.
func (g *guard) change(name string, do func() error) error {
	switch {
	case !g.mine(name) || !g.frozen():
		return do()
	case g.pretends(plainFile):
		return nil
	}
	return errFrozen
}

// place is change for an operation that puts a file in its place.
func (g *guard) place(name string, do func() error) error {
	err := g.change(name, do)
	if !g.armed.Load() && g.mine(name) && g.failed(err, plainFile) {
		return nil
	}
	return err
}

// Link implements [vfs.FS].
func (g *guard) Link(from, to string) error {
	return g.place(to, func() error { return g.FS.Link(from, to) })
}

// Remove implements [vfs.FS].
func (g *guard) Remove(name string) error {
	return g.change(name, func() error {
		if err := g.forget(name); err != nil {
			return err
		}
		return g.FS.Remove(name)
	})
}

// RemoveAll implements [vfs.FS].
func (g *guard) RemoveAll(name string) error {
	return g.change(name, func() error { return g.FS.RemoveAll(name) })
}

// Rename implements [vfs.FS]. OPTIONS gets its name by it.
func (g *guard) Rename(from, to string) error {
	return g.place(to, func() error {
		if err := g.FS.Rename(from, to); err != nil {
			return err
		}
		m, ok := parseName(g.FS.PathBase(to))
		if !ok || m.kind != optionsMark || !g.mine(to) {
			return nil
		}
		m, err := summed(g.FS, g.dir, m, false) // Pebble has synced it
		if err = firstError(err, syncDir(g.FS, g.dir)); err != nil {
			return err
		}
		return g.marks.settle(m)
	})
}

// Unwrap implements [vfs.FS].
func (g *guard) Unwrap() vfs.FS { return g.FS }

// A guardedFile is a file open for writing, or a folder.
type guardedFile struct {
	vfs.File
	guard *guard
	role  role

	kind    markKind     // of a log or a list of tables; otherwise another
	number  uint64       // of the same
	written atomic.Int64 // bytes, from its beginning on
	sum     uint32       // of the bytes written to a list of tables, by one goroutine at a time
}

// change runs a change of the file. For a log it always succeeds.
func (f *guardedFile) change(do func() error) error {
	if f.guard.frozen() {
		if f.guard.pretends(f.role) {
			return nil
		}
		return errFrozen
	}
	err := do()
	if f.guard.failed(err, f.role) && f.guard.pretends(f.role) {
		return nil
	}
	return err
}

// Write implements [vfs.File].
func (f *guardedFile) Write(p []byte) (n int, err error) {
	n = len(p)
	err = f.change(func() (err error) {
		if f.kind == manifestMark { // the file may change p
			f.sum = crc32.Update(f.sum, castagnoli(), p)
		}
		n, err = f.File.Write(p)
		f.written.Add(int64(n))
		return err
	})
	if err == nil {
		n = len(p)
	}
	return n, err
}

// WriteAt implements [vfs.File].
func (f *guardedFile) WriteAt(p []byte, at int64) (n int, err error) {
	err = f.change(func() (err error) { n, err = f.File.WriteAt(p, at); return err })
	if err == nil {
		n = len(p)
	}
	return n, err
}

// Preallocate implements [vfs.File].
func (f *guardedFile) Preallocate(offset, length int64) error {
	return f.change(func() error { return f.File.Preallocate(offset, length) })
}

// Sync implements [vfs.File].
func (f *guardedFile) Sync() error { return f.sync(f.File.Sync) }

// SyncData implements [vfs.File].
func (f *guardedFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *guardedFile) sync(sync func() error) error {
	return f.change(func() error {
		written := f.written.Load()
		if err := sync(); err != nil {
			return err
		}
		switch f.kind {
		case logMark:
			f.guard.marks.note(f.number, written)
		case manifestMark:
			return f.guard.marks.settle(mark{manifestMark, f.number, written, f.sum})
		}
		return nil
	})
}

// SyncTo implements [vfs.File].
func (f *guardedFile) SyncTo(length int64) (full bool, err error) {
	err = f.change(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// Close implements [vfs.File]. It closes the file whatever has happened.
func (f *guardedFile) Close() error {
	err := f.File.Close()
	if f.guard.frozen() || f.guard.failed(err, f.role) {
		return nil
	}
	return err
}
