package pebble

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
)

// formatVersion is the version of the data on disk. Open refuses a newer one. Raise it for a change
// of keys or values that an older trunklog would read wrongly.
const formatVersion = 2

// formatNames is the first version whose index has principal names, and shapes of masked numbers.
const formatNames = 2

// Open opens the store in the folder dir, and creates it if there is none.
//
// Errors: [call.ErrInUse] if another process has it open; [call.ErrNewer] if a newer trunklog has
// written it; [call.CorruptError] if a file is damaged; [call.ErrFull] if the disk has no room even
// for opening.
func Open(dir string, o Options) (*Store, error) {
	s, err := open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("pebble: open %s: %w", dir, inWords(err))
	}
	return s, nil
}

func open(dir string, o Options) (*Store, error) {
	o.withDefaults()
	if dir = o.FS.PathJoin(dir); dir == "" {
		return nil, fmt.Errorf("%w: no folder is named", call.ErrInvalid)
	}
	if err := folder(o.FS, dir, o.ReadOnly); err != nil {
		return nil, err
	}
	room := &room{fs: o.FS, dir: dir, reserve: max(o.Reserve, 0), log: o.Log}
	disk := vfs.OnDiskFull(&patient{FS: o.FS, log: o.Log}, room.ranOut)
	lock, err := own(disk, dir, o.ReadOnly)
	if err != nil {
		return nil, err
	}
	if err := checkFormatFile(o.FS, dir); err != nil {
		return nil, firstError(err, lock.Close())
	}
	s := &Store{
		dir: dir, opts: o, lock: lock, room: room, readOnly: o.ReadOnly, turn: make(chan struct{}, 1),
		fault: &fault{log: o.Log, tell: o.Fatal, over: make(chan struct{})},
	}
	s.life.told = s.heads.close
	s.heads.init()
	s.guard = &guard{FS: disk, dir: dir, fault: s.fault}
	s.fs = s.guard
	if err := s.openDB(); err != nil {
		return nil, firstError(err, s.guard.marks.close(), lock.Close())
	}
	err = s.begin()
	s.guard.armed.Store(true)
	s.fault.opened.Store(true)
	if cause := s.fault.cause.Load(); cause != nil {
		err = *cause
	}
	if err != nil {
		err = firstError(err, s.db.Close())
		s.cache.Unref()
		return nil, firstError(err, s.guard.marks.close(), lock.Close())
	}
	return s, nil
}

// folder checks the folder before the store writes to it.
func folder(fsys vfs.FS, dir string, readOnly bool) error {
	info, err := fsys.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("%w: it is a file; a store is a folder", call.ErrInvalid)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case readOnly:
		return fmt.Errorf("there is no such folder: %w", call.ErrNotFound)
	}
	return fsys.MkdirAll(dir, 0o700)
}

// openDB verifies the files and opens Pebble on them.
func (s *Store) openDB() error {
	desc, err := pebble.Peek(s.dir, s.fs)
	if err != nil {
		return err
	}
	if !desc.Exists && s.readOnly {
		return fmt.Errorf("there is no store in the folder: %w", call.ErrNotFound)
	}
	logs, err := s.verify()
	if err != nil {
		return err
	}
	names, err := namesNow(s.guard.FS, s.dir, !s.readOnly)
	if err != nil {
		return err
	}
	s.guard.marks.marks = append(logs, names...)
	if !s.readOnly {
		if err := s.guard.marks.open(s.guard.FS, s.dir); err != nil {
			return err
		}
		if err := breakSeal(s.fs, s.dir); err != nil {
			return err
		}
	}
	s.cache = pebble.NewCache(s.opts.CacheBytes)
	if s.db, err = openPebble(s.dir, s.pebbleOptions()); err != nil {
		s.cache.Unref()
	}
	return err
}

// markFormat notes the marker of Pebble's format in the watermark; it does not move any more. It is
// on the disk, unless opening has failed.
func (s *Store) markFormat() error {
	found, err := newest(s.fs, s.dir)
	if m, there := found[formatMarker]; there && !s.guard.frozen() {
		return s.guard.marks.settle(m)
	}
	return err
}

// verify compares the files with what the store noted of them, before it removes anything: after an
// orderly close with their seal, otherwise with the watermark. It returns the marks of the logs.
func (s *Store) verify() ([]mark, error) {
	sealed := verifySeal(s.fs, s.dir)
	if sealed != nil && !errors.Is(sealed, errNoSeal) {
		return nil, sealed
	}
	if sealed != nil && sealed != errNoSeal { //nolint:errorlint // the bare one is the ordinary case
		s.opts.Log.Warn("the store's files could not be compared with their seal", "dir", s.dir, "err", sealed)
	}
	st, err := verifyMarks(s.fs, s.dir)
	switch {
	case sealed == nil && err != nil:
		return nil, nil //nolint:nilerr // the files are intact, so only the watermark is damaged
	case errors.Is(err, errNoMarks):
		st = statement{}
		if err != errNoMarks { //nolint:errorlint // the bare one is the ordinary case
			s.opts.Log.Warn("the store's files could not be compared with their watermark", "dir", s.dir, "err", err)
		}
	case err != nil:
		return nil, err
	}
	if sealed == nil || st.names {
		return st.logs(), nil
	}
	return st.logs(), s.warnOfList()
}

// warnOfList warns of a list of tables with an unreadable end, if there is no mark of it, as in a
// store of the first release: the cause may be a loss of power, or damage.
func (s *Store) warnOfList() error {
	found, err := newest(s.fs, s.dir)
	m, there := found[manifestMark]
	if err != nil || !there {
		return err
	}
	data, err := readFile(s.fs, s.fs.PathJoin(s.dir, m.file()))
	if err != nil {
		return missing(err, m.file())
	}
	if good, why := legibleList(data); why != nil {
		s.opts.Log.Warn("the list of tables ends in what cannot be read; if there was no loss of power, it is damaged",
			"dir", s.dir, "file", m.file(), "offset", good, "err", why)
	}
	return nil
}

// openPebble is pebble.Open, which panics if a sync fails on the way.
func openPebble(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			panic(p)
		case error:
			err = p
		default:
			panic(p)
		}
	}()
	return pebble.Open(dir, o)
}

// begin reads the format version, or writes it to a new store.
func (s *Store) begin() error {
	found, closer, err := s.db.Get([]byte{kindFormat})
	switch {
	case err == nil:
		version := string(found)
		if err := closer.Close(); err != nil {
			return err
		}
		if err := checkVersion(version); err != nil {
			return err
		}
		s.format, _ = strconv.Atoi(version) // it is a number
	case !errors.Is(err, pebble.ErrNotFound):
		return err
	default:
		if err := s.makeNew(); err != nil {
			return err
		}
		s.format = formatVersion
	}
	if err := s.upToDate(); err != nil {
		return err
	}
	if !s.readOnly {
		if err := firstError(s.markFormat(), keepFormatFile(s.fs, s.dir, s.format)); err != nil {
			return err
		}
	}
	if s.room.reserve > 0 {
		s.room.gone.Store(true) // until there is room for it
		if err := s.room.forWrite(); err != nil && !errors.Is(err, call.ErrFull) {
			return err
		}
	}
	return nil
}

// upToDate upgrades a store of an older format, if it may, and reads the heads and other state of a
// present one.
func (s *Store) upToDate() error {
	step, _, err := upgradeStep(s.db)
	if err != nil {
		return err
	}
	if s.old = s.format < formatVersion || step != 0; s.old {
		switch {
		case s.opts.AsItIs, s.readOnly && step == 0:
			return nil
		case s.readOnly || s.opts.Upgrade == nil:
			return errOld
		}
		if err := s.upgrade(s.opts.Upgrade); err != nil {
			return fmt.Errorf("upgrade to format %d: %w", formatVersion, err)
		}
		s.old = false
		return nil
	}
	if err := s.loadHeads(); err != nil {
		return err
	}
	s.cells, err = haveCells(s.db)
	return err
}

func checkVersion(found string) error {
	switch n, err := strconv.Atoi(found); {
	case err != nil:
		return &call.CorruptError{Offset: -1, Err: errors.New("the format version is not a number")}
	case n > formatVersion:
		return fmt.Errorf("the store has format %d, and this trunklog knows formats up to %d: %w; use that version, or restore a backup that is older",
			n, formatVersion, call.ErrNewer)
	case n < 1:
		return fmt.Errorf("%w: the store has format %d, which there never was", call.ErrInvalid, n)
	}
	return nil
}

// makeNew writes the format version to a new, empty store.
func (s *Store) makeNew() error {
	it, err := s.db.NewIter(wholeStore())
	if err != nil {
		return err
	}
	strange := it.First()
	if err := firstError(it.Error(), it.Close()); err != nil {
		return err
	}
	if strange || s.readOnly {
		return errStrange
	}
	b := s.db.NewBatch()
	err = firstError(b.Set([]byte{kindFormat}, []byte(strconv.Itoa(formatVersion)), nil), b.Set([]byte{kindEpoch}, newEpoch(), nil), setHaveCells(b))
	if err != nil {
		return err
	}
	return firstError(b.Commit(pebble.Sync), b.Close())
}

var errStrange = fmt.Errorf("%w: the folder holds a database of another program; name an empty or a new folder", call.ErrInvalid)

// formatName is the file with the format version. trunklog reads it before it opens Pebble, which
// writes to the folder at once. The version in the store itself has the last word.
const formatName = "FORMAT"

// formatText returns the contents of the file: a line, and its checksum.
func formatText(version int) string {
	line := fmt.Sprintf("trunklog %d\n", version)
	return line + fmt.Sprintf("%08x\n", crc32.Checksum([]byte(line), castagnoli()))
}

func checkFormatFile(fsys vfs.FS, dir string) error {
	data, err := readFile(fsys, fsys.PathJoin(dir, formatName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	version, err := strconv.Atoi(strings.TrimPrefix(line, "trunklog "))
	if err != nil || string(data) != formatText(version) {
		return nil //nolint:nilerr // damaged; a seal reports that, and without one it does no harm
	}
	return checkVersion(strconv.Itoa(version))
}

// keepFormatFile writes the file if it is missing or wrong.
func keepFormatFile(fsys vfs.FS, dir string, version int) error {
	data, err := readFile(fsys, fsys.PathJoin(dir, formatName))
	if err == nil && string(data) == formatText(version) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeFile(fsys, dir, formatName, []byte(formatText(version)))
}

// inWords adds to an error of opening what an operator can do about it.
func inWords(err error) error {
	switch text := err.Error(); {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("the disk is full; make some room and start again: %w: %w", call.ErrFull, plainError(err))
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the folder cannot be written; give it to the user that runs trunklog, or name another one: %w", plainError(err))
	case strings.Contains(text, "written in unknown format major version"), strings.Contains(text, "unknown to this Pebble"):
		return fmt.Errorf("%w: %w; use that version, or restore a backup that is older", call.ErrNewer, plainError(err))
	case strings.Contains(text, "merger name from file"), strings.Contains(text, "comparer name from file"):
		return errStrange
	case pebble.IsCorruptionError(err), damagedTable(text) != nil:
		return corruption(err)
	}
	return plainError(err)
}
