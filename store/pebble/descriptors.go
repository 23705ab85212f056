package pebble

import (
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// outOfFiles reports whether err says that this process or the system has too many files open.
// Strangers may cause that by many connections, and it passes: it is no damage, and the caller
// tries again as with a full disk.
func outOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// openTables returns how many tables a process with a file limit (0 if unknown) keeps open: a
// quarter of a low limit, since half may be connections, and logs, merges and backups need some.
func openTables(files uint64) int {
	const most, least = 1_000, 64
	if files == 0 || files/4 > most {
		return most
	}
	return max(int(files/4), least)
}

// How long an operation that changes the store, and one that reads, waits for a free file.
const (
	fileWait  = 30 * time.Second
	readWait  = 2 * time.Second
	filePause = 20 * time.Millisecond
)

// A patient file system waits while the process cannot open a file.
type patient struct {
	vfs.FS
	log *slog.Logger

	mu   sync.Mutex
	said time.Time
}

// Unwrap implements [vfs.FS].
func (p *patient) Unwrap() vfs.FS { return p.FS }

func (p *patient) wait(most time.Duration, open func() error) error {
	began := time.Now()
	for {
		err := open()
		if err == nil || !outOfFiles(err) {
			return err
		}
		p.say(err)
		if time.Since(began) >= most {
			return err
		}
		time.Sleep(filePause)
	}
}

// say logs err, once a minute at most.
func (p *patient) say(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.log == nil || !p.said.IsZero() && time.Since(p.said) < time.Minute {
		return
	}
	p.said = time.Now()
	p.log.Error("no file can be opened, because too many are: what needs one waits", "err", plainError(err))
}

// Create implements [vfs.FS].
func (p *patient) Create(name string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = p.wait(fileWait, func() (err error) { f, err = p.FS.Create(name, c); return err })
	return f, err
}

// Open implements [vfs.FS].
func (p *patient) Open(name string, o ...vfs.OpenOption) (f vfs.File, err error) {
	err = p.wait(readWait, func() (err error) { f, err = p.FS.Open(name, o...); return err })
	return f, err
}

// OpenReadWrite implements [vfs.FS].
func (p *patient) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (f vfs.File, err error) {
	err = p.wait(fileWait, func() (err error) { f, err = p.FS.OpenReadWrite(name, c, o...); return err })
	return f, err
}

// OpenDir implements [vfs.FS].
func (p *patient) OpenDir(name string) (f vfs.File, err error) {
	err = p.wait(fileWait, func() (err error) { f, err = p.FS.OpenDir(name); return err })
	return f, err
}

// ReuseForWrite implements [vfs.FS].
func (p *patient) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = p.wait(fileWait, func() (err error) { f, err = p.FS.ReuseForWrite(from, to, c); return err })
	return f, err
}

// List implements [vfs.FS].
func (p *patient) List(dir string) (names []string, err error) {
	err = p.wait(fileWait, func() (err error) { names, err = p.FS.List(dir); return err })
	return names, err
}
