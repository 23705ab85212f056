package pebble

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
)

// ownerName is the file that names the process that has the folder open. It only informs; the lock
// excludes others.
const ownerName = "owner"

// own locks the folder and notes the owner. A folder without write permission needs no lock: no
// writer can share it with this reader.
func own(fsys vfs.FS, dir string, readOnly bool) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, fsys)
	if err != nil && readOnly && unwritable(err) {
		lock, err = pebble.LockDirectory(dir, lockless{fsys})
	}
	if err != nil {
		return nil, lockError(fsys, dir, err)
	}
	if readOnly {
		return lock, nil
	}
	who := fmt.Sprintf("%s, pid %d\n", filepath.Base(os.Args[0]), os.Getpid())
	if err := writeFile(fsys, dir, ownerName, []byte(who)); err != nil {
		return nil, firstError(fmt.Errorf("%s cannot be written: %w", ownerName, err), lock.Close())
	}
	return lock, nil
}

// unwritable reports whether err says that the lock file cannot be opened for writing, not that
// another process holds the lock.
func unwritable(err error) bool {
	var file *fs.PathError
	return errors.As(err, &file) && (errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission))
}

// A lockless file system grants every lock.
type lockless struct{ vfs.FS }

func (lockless) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func lockError(fsys vfs.FS, dir string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && !errors.Is(err, syscall.EAGAIN) {
		return err // the lock file cannot be created
	}
	who := "unknown"
	if b, err := readFile(fsys, fsys.PathJoin(dir, ownerName)); err == nil && len(b) < 200 {
		who = strings.TrimSpace(string(b))
	}
	return fmt.Errorf("%w (%s): stop that one first, or ask it for what you need", call.ErrInUse, who)
}

// disown removes the note.
func disown(fsys vfs.FS, dir string) {
	_ = fsys.Remove(fsys.PathJoin(dir, ownerName)) // a stale note does no harm
}
