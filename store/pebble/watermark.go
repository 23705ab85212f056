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

// watermarkName is the file with a statement of what must be in the folder: how many bytes of each
// log are on the disk, and which files name the tables, with their contents. Pebble takes an
// unreadable end of its newest log or of its list of tables for the trace of a crash, and would go
// on without the rows; and it does not miss a log that is gone, nor a marker.
//
// The statement is never ahead of the files: the store writes it after the sync that it is about.
// And where it is behind, nothing yet relies on the difference:
//
//   - For a log, the store does not sync the statement itself. What a loss of power leaves of it is
//     older than the truth, not wrong.
//   - For the list of tables (MANIFEST), its marker and OPTIONS, the store syncs the statement
//     before Pebble learns that its own sync has worked. Only then may Pebble remove or overwrite
//     the logs and tables that the new list no longer needs. So a list that ends before an
//     addition without a statement is complete.
//   - The store takes a log out of the statement, and syncs that, before Pebble removes or
//     overwrites the log; so a listed log must be there.
//
// The file holds two slots, written in turn, so that one is intact when the other is torn. A synced
// statement is in both. A slot is, little endian: version (8 bytes), how many statements there were
// before (8), number of marks (8), the marks, and a checksum of all that (4). A mark is, in version
// 2: kind (4), checksum (4), number (8), bytes (8). In version 1, which the first release wrote,
// all are of logs: number (8), bytes (8).
const watermarkName = "WATERMARK"

const (
	slotVersion = 2
	slotSize    = 4096
	slotHeader  = 24
	markSize    = 24
	slotMarks   = (slotSize - slotHeader - 4) / markSize // far more than there are; a log without a place is not listed
)

// A markKind is the kind of file of a mark, and gives its fields their meaning.
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

// A mark describes a file that must be there.
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
	file  vfs.File // nil for a read-only store
	seq   uint64
	marks []mark // the present statement
	buf   []byte
	// failed is the first error of the file. From then on the watermark notes nothing, and listed
	// files stay in the folder.
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

// A statement is the contents of a slot.
type statement struct {
	seq   uint64
	names bool // it covers the files that name the tables
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

// parseSlot returns the statement of a slot; ok is false if the slot is torn.
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

// errNoMarks says that there is no readable watermark.
var errNoMarks = errors.New("no watermark")

// readMarks returns the last statement of the file in dir.
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

// open creates the file with the statement in marks. Its size does not change any more, so that a
// full disk does not matter.
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

// write writes the next slot. The caller holds mu.
func (w *watermark) write() error {
	if w.failed == nil {
		w.buf = appendSlot(w.buf[:0], w.seq+1, w.marks)
		_, w.failed = w.file.WriteAt(w.buf, int64(w.seq%2)*slotSize)
		w.seq++
	}
	return w.failed
}

// note notes that bytes of a log are on the disk. If writing that fails, an older statement stays,
// which is true, too.
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

// spareMarks are the places reserved for the files that name the tables.
const spareMarks = 8

// settle durably notes a file that names the tables, in the place of another one of its kind. Until
// it has returned nil, the files that this one made needless must stay as they are.
//
// Until the marker has moved, a new list of tables stands beside the one that the marker names:
// whichever it names after a crash is listed.
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

// forget durably removes logs from the statement. Until it has returned nil they must stay as they
// are.
func (w *watermark) forget(gone func(log uint64) bool) error {
	return w.change(func(marks []mark) []mark {
		return slices.DeleteFunc(marks, func(m mark) bool { return m.isLog() && gone(m.number) })
	})
}

// change applies do to the marks, writes them to both slots, so that neither brings back the old
// statement, and syncs them.
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

// list returns the marks.
func (w *watermark) list() []mark {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.marks)
}

// verify returns a [call.CorruptError] if the open file has left the folder, or does not hold the
// last statement.
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
