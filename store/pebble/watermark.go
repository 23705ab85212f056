package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
	"github.com/trunklog/trunklog/call"
)

// watermarkName is the file that says of each log how many of its bytes are on
// the disk. Pebble takes what it cannot read in its newest log for the torn end
// that a crash leaves, and would go on without the rows; and it does not miss a
// log that is gone.
//
// What it says is a lower bound, whatever happens: it is written after a sync of
// the log has worked, and is not synced itself. What a loss of power leaves of
// it is older than the truth, not wrong. A log is taken out, and that is synced,
// before it is removed or written over; so one that is listed must be there.
//
// It holds two slots, written in turn, so that one is whole when the other is
// torn. A slot is, little endian: version (8 bytes), how many statements there
// were before (8), number of logs (8), for each log its number (8) and its
// bytes (8), and a checksum of all that (4).
const watermarkName = "WATERMARK"

const (
	slotVersion = 1
	slotSize    = 4096
	slotHeader  = 24
	slotLogs    = (slotSize - slotHeader - 4) / 16 // more than Pebble ever has; one that has no place is not listed
)

// A mark says that so many bytes of a log are on the disk.
type mark struct {
	log   wal.NumWAL
	bytes int64
}

// A watermark is the open file. The zero value notes nothing.
type watermark struct {
	mu    sync.Mutex
	file  vfs.File
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
		b = binary.LittleEndian.AppendUint64(b, uint64(m.log))
		b = binary.LittleEndian.AppendUint64(b, uint64(m.bytes))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli()))
}

// parseSlot returns what a slot says; ok is false if it is not whole.
func parseSlot(b []byte) (seq uint64, marks []mark, ok bool) {
	if len(b) < slotHeader || binary.LittleEndian.Uint64(b) != slotVersion {
		return 0, nil, false
	}
	n := binary.LittleEndian.Uint64(b[16:])
	if n > slotLogs || len(b) < slotHeader+int(n)*16+4 {
		return 0, nil, false
	}
	for i := range int(n) {
		m := b[slotHeader+i*16:]
		marks = append(marks, mark{wal.NumWAL(binary.LittleEndian.Uint64(m)), int64(binary.LittleEndian.Uint64(m[8:]))})
	}
	end := slotHeader + int(n)*16
	return binary.LittleEndian.Uint64(b[8:]), marks, binary.LittleEndian.Uint32(b[end:]) == crc32.Checksum(b[:end], castagnoli())
}

// readMarks returns what the file in dir says last; nothing if there is none or
// both slots are torn.
func readMarks(fsys vfs.FS, dir string) (last []mark, err error) {
	data, err := readFile(fsys, fsys.PathJoin(dir, watermarkName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var newest uint64
	for at := 0; at < min(len(data), 2*slotSize); at += slotSize {
		if seq, marks, ok := parseSlot(data[at:min(at+slotSize, len(data))]); ok && seq >= newest {
			newest, last = seq, marks
		}
	}
	return last, err
}

// verifyLogs returns what is known of the logs in dir, and a
// [call.CorruptError] if a log is missing or cannot be read as far as it must
// be.
func verifyLogs(fsys vfs.FS, dir string) ([]mark, error) {
	marks, err := readMarks(fsys, dir)
	if err != nil {
		return nil, err
	}
	for _, m := range marks {
		name := logName(m.log)
		good, err := legible(fsys, fsys.PathJoin(dir, name), m)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, &call.CorruptError{File: name, Offset: -1, Err: fmt.Errorf("the log is missing; %d bytes of it were written and confirmed", m.bytes)}
		case err != nil:
			return nil, err
		case good < m.bytes:
			return nil, &call.CorruptError{File: name, Offset: good, Err: fmt.Errorf("the log cannot be read from here on; %d bytes of it were written and confirmed", m.bytes)}
		}
	}
	return marks, nil
}

// logName is wal's, which does not export it.
func logName(n wal.NumWAL) string { return n.String() + ".log" }

const (
	logBlock = 32 << 10 // what a log is divided into
	logChunk = 19       // with fewer bytes left in a block no chunk begins there
	logEnd   = 11       // ends a log that was closed, and holds nothing
)

// legible returns how much of a log Pebble can read, or m.bytes if that is
// enough. It looks at chunks, not at records: the end of a record may have been
// on its way when what came before was synced.
func legible(fsys vfs.FS, path string, m mark) (good int64, err error) {
	f, err := fsys.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return 0, err
	}
	defer func() { err = firstError(err, f.Close()) }()
	r := newReader(record.NewReader, f, m.log)
	buf := make([]byte, logBlock)
	enough := func() bool {
		if good = r.Offset(); logBlock-good%logBlock < logChunk {
			good += logBlock - good%logBlock
		}
		return good+logEnd >= m.bytes
	}
	for !enough() {
		rec, err := r.Next()
		for err == nil && !enough() {
			_, err = rec.Read(buf) // a chunk
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && rec != nil: // the end of the record
		case errors.Is(err, io.EOF), errors.Is(err, record.ErrZeroedChunk), errors.Is(err, record.ErrInvalidChunk), errors.Is(err, record.ErrUnexpectedEOF):
			return good, nil
		default:
			return 0, err
		}
	}
	return m.bytes, nil
}

// newReader calls make, which wants the number in a type that has no public
// name.
func newReader[N ~uint64](make func(io.Reader, N) *record.Reader, r io.Reader, n wal.NumWAL) *record.Reader {
	return make(r, N(n))
}

// open puts a new file in place that says what is known. Its size does not
// change any more, so that a full disk does not matter.
func (w *watermark) open(fsys vfs.FS, dir string, marks []mark) (err error) {
	data := make([]byte, 2*slotSize)
	copy(data, appendSlot(nil, 1, marks))
	copy(data[slotSize:], appendSlot(nil, 2, marks))
	if err := writeFile(fsys, dir, watermarkName, data); err != nil {
		return err
	}
	w.seq, w.marks = 2, marks
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
func (w *watermark) note(log wal.NumWAL, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil || w.failed != nil {
		return
	}
	i := slices.IndexFunc(w.marks, func(m mark) bool { return m.log == log })
	switch {
	case i < 0 && len(w.marks) < slotLogs:
		w.marks = append(w.marks, mark{log, bytes})
	case i >= 0 && w.marks[i].bytes < bytes:
		w.marks[i].bytes = bytes
	default:
		return
	}
	_ = w.write()
}

// forget takes logs out, for good. Until it has returned nil they must be left
// as they are.
func (w *watermark) forget(gone func(wal.NumWAL) bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := slices.Clone(w.marks)
	w.marks = slices.DeleteFunc(w.marks, func(m mark) bool { return gone(m.log) })
	if len(w.marks) == len(before) {
		return nil
	}
	if firstError(w.write(), w.write()) == nil { // no slot must bring them back
		w.failed = w.file.SyncData()
	}
	if w.failed != nil {
		w.marks = before
	}
	return w.failed
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
