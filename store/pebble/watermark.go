package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
)

// watermarkName is the file that says what must be in the folder: how many
// bytes of each log are on the disk, and which files name the tables and what
// is in them. Pebble takes what it cannot read at the end of its newest log or
// of its list of tables for the torn end that a crash leaves, and would go on
// without the rows; and it does not miss a log that is gone, nor a marker.
//
// It is never ahead of what it speaks of: a statement is written after the sync
// that it tells of has worked. And where it is behind, nothing was done yet
// that relies on what it does not know of:
//
//   - Of a log it is not synced itself. What a loss of power leaves of it is
//     older than the truth, not wrong.
//   - Of the list of tables (MANIFEST), its marker and OPTIONS it is synced
//     before Pebble is told that its own sync has worked. Only then may Pebble
//     remove or write over the logs and tables that the new list no longer
//     needs. So a list that ends before what is not stated yet is whole.
//   - A log is taken out, and that is synced, before it is removed or written
//     over; so one that is listed must be there.
//
// It holds two slots, written in turn, so that one is whole when the other is
// torn. What is synced is written to both. A slot is, little endian: version (8
// bytes), how many statements there were before (8), number of marks (8), the
// marks, and a checksum of all that (4). A mark is, in version 2: kind (4),
// checksum (4), number (8), bytes (8). In version 1, which the first release
// wrote, all are of logs: number (8), bytes (8).
const watermarkName = "WATERMARK"

const (
	slotVersion = 2
	slotSize    = 4096
	slotHeader  = 24
	markSize    = 24
	slotMarks   = (slotSize - slotHeader - 4) / markSize // many times what there is; a log that has no place is not listed
)

// A markKind says what a mark speaks of, and what its fields are.
type markKind uint32

const (
	// logMark: the log's number, and how much of it is on the disk.
	logMark markKind = 1 + iota
	// manifestMark: the list's number, how much of it is on the disk, and the
	// checksum of that.
	manifestMark
	// optionsMark: the number of the newest OPTIONS, its size and checksum.
	optionsMark
	// manifestMarker: how often the marker has moved, and the number of the list
	// that it names.
	manifestMarker
	// formatMarker: how often the marker has moved, and the version that it names.
	formatMarker
)

// A mark says what must be there.
type mark struct {
	kind   markKind
	number uint64
	bytes  int64
	sum    uint32
}

func (m mark) isLog() bool { return m.kind == logMark }

// A watermark is the open file. The zero value notes nothing.
type watermark struct {
	mu    sync.Mutex
	file  vfs.File // nil of a store that is only read
	seq   uint64
	marks []mark // all that the file may list
	buf   []byte
	// failed is the first error of the file. From then on nothing is noted, and
	// what may be listed stays in the folder.
	failed error
}

// appendSlot appends a slot.
func appendSlot(b []byte, seq uint64, marks []mark) []byte {
	from := len(b)
	b = binary.LittleEndian.AppendUint64(b, slotVersion)
	b = binary.LittleEndian.AppendUint64(b, seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(marks)))
	for _, m := range marks {
		b = binary.LittleEndian.AppendUint32(b, uint32(m.kind))
		b = binary.LittleEndian.AppendUint32(b, m.sum)
		b = binary.LittleEndian.AppendUint64(b, m.number)
		b = binary.LittleEndian.AppendUint64(b, uint64(m.bytes))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli()))
}

// A statement is what a slot says.
type statement struct {
	seq   uint64
	names bool // it speaks of what names the tables
	marks []mark
}

// logs returns the marks of logs.
func (st statement) logs() (logs []mark) {
	for _, m := range st.marks {
		if m.isLog() {
			logs = append(logs, m)
		}
	}
	return logs
}

// parseSlot returns what a slot says; ok is false if it is not whole.
func parseSlot(b []byte) (st statement, ok bool) {
	if len(b) < slotHeader {
		return st, false
	}
	size, read := markSize, func(m []byte) mark {
		return mark{
			markKind(binary.LittleEndian.Uint32(m)), binary.LittleEndian.Uint64(m[8:]),
			int64(binary.LittleEndian.Uint64(m[16:])), binary.LittleEndian.Uint32(m[4:]),
		}
	}
	switch binary.LittleEndian.Uint64(b) {
	case slotVersion:
		st.names = true
	case 1:
		size, read = 16, func(m []byte) mark {
			return mark{logMark, binary.LittleEndian.Uint64(m), int64(binary.LittleEndian.Uint64(m[8:])), 0}
		}
	default:
		return st, false
	}
	n := binary.LittleEndian.Uint64(b[16:])
	if n > uint64(len(b)-slotHeader)/uint64(size) || len(b) < slotHeader+int(n)*size+4 {
		return st, false
	}
	for i := range int(n) {
		st.marks = append(st.marks, read(b[slotHeader+i*size:]))
	}
	end := slotHeader + int(n)*size
	st.seq = binary.LittleEndian.Uint64(b[8:])
	return st, binary.LittleEndian.Uint32(b[end:]) == crc32.Checksum(b[:end], castagnoli())
}

// errNoMarks says that there is no watermark that can be read.
var errNoMarks = errors.New("no watermark")

// readMarks returns what the file in dir says last.
func readMarks(fsys vfs.FS, dir string) (last statement, err error) {
	data, err := readFile(fsys, fsys.PathJoin(dir, watermarkName))
	if errors.Is(err, fs.ErrNotExist) {
		return last, errNoMarks
	}
	if err != nil {
		return last, err
	}
	found := false
	for at := 0; at < min(len(data), 2*slotSize); at += slotSize {
		if st, ok := parseSlot(data[at:min(at+slotSize, len(data))]); ok && (!found || st.seq >= last.seq) {
			found, last = true, st
		}
	}
	if !found {
		return last, fmt.Errorf("%w: %s is damaged", errNoMarks, watermarkName)
	}
	return last, nil
}

// open puts a new file in place that says what is known, which is in marks. Its
// size does not change any more, so that a full disk does not matter.
func (w *watermark) open(fsys vfs.FS, dir string) (err error) {
	data := make([]byte, 2*slotSize)
	copy(data, appendSlot(nil, 1, w.marks))
	copy(data[slotSize:], appendSlot(nil, 2, w.marks))
	if err := writeFile(fsys, dir, watermarkName, data); err != nil {
		return err
	}
	w.seq = 2
	w.file, err = fsys.OpenReadWrite(fsys.PathJoin(dir, watermarkName), vfs.WriteCategoryUnspecified)
	return err
}

// write writes the next slot. mu is held.
func (w *watermark) write() error {
	if w.failed == nil {
		w.buf = appendSlot(w.buf[:0], w.seq+1, w.marks)
		_, w.failed = w.file.WriteAt(w.buf, int64(w.seq%2)*slotSize)
		w.seq++
	}
	return w.failed
}

// note says that so many bytes of a log are on the disk. If it cannot be
// written, an older statement stays, which is true, too.
func (w *watermark) note(log uint64, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil || w.failed != nil {
		return
	}
	i := slices.IndexFunc(w.marks, func(m mark) bool { return m.isLog() && m.number == log })
	switch {
	case i < 0 && len(w.marks) < slotMarks-spareMarks:
		w.marks = append(w.marks, mark{kind: logMark, number: log, bytes: bytes})
	case i >= 0 && w.marks[i].bytes < bytes:
		w.marks[i].bytes = bytes
	default:
		return
	}
	_ = w.write()
}

// spareMarks is the place that logs leave to what names the tables.
const spareMarks = 8

// settle says, for good, what is on the disk of a file that names the tables;
// it takes the place of what was said of another one of the kind. Until it has
// returned nil, what that file made needless must be left as it is.
//
// A list of tables is said of beside the one that the marker names, until the
// marker has moved: whichever it names after a crash is listed.
func (w *watermark) settle(m mark) error {
	return w.change(func(marks []mark) []mark {
		if slices.Contains(marks, m) {
			return marks
		}
		return append(slices.DeleteFunc(marks, func(old mark) bool {
			switch m.kind {
			case manifestMark:
				return old.kind == manifestMark && old.number == m.number
			case manifestMarker:
				return old.kind == manifestMarker || old.kind == manifestMark && old.number != uint64(m.bytes)
			}
			return old.kind == m.kind
		}), m)
	})
}

// forget takes logs out, for good. Until it has returned nil they must be left
// as they are.
func (w *watermark) forget(gone func(log uint64) bool) error {
	return w.change(func(marks []mark) []mark {
		return slices.DeleteFunc(marks, func(m mark) bool { return m.isLog() && gone(m.number) })
	})
}

// change writes what do makes of the marks to both slots, so that neither
// brings back what was said before, and syncs it.
func (w *watermark) change(do func([]mark) []mark) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	marks := do(slices.Clone(w.marks))
	if w.file == nil || slices.Equal(marks, w.marks) {
		return nil
	}
	before := w.marks
	w.marks = marks
	if firstError(w.write(), w.write()) == nil {
		w.failed = w.file.SyncData()
	}
	if w.failed != nil {
		w.marks = before
	}
	return w.failed
}

// list returns what is said.
func (w *watermark) list() []mark {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.marks)
}

// verify returns a [call.CorruptError] if the file that was opened is not in
// the folder any more, or does not say what was written to it.
func (w *watermark) verify(fsys vfs.FS, dir string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil || w.failed != nil {
		return nil
	}
	st, err := readMarks(fsys, dir)
	switch {
	case errors.Is(err, errNoMarks), err == nil && (st.seq != w.seq || !slices.Equal(st.marks, w.marks)):
		return &call.CorruptError{File: watermarkName, Offset: -1, Err: errors.New("the file is missing, or does not hold what was written to it")}
	}
	return err
}

func (w *watermark) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return err
}
