package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
	"github.com/trunklog/trunklog/call"
)

// verifyMarks compares the files of dir with its watermark before Pebble trusts them, and returns
// the watermark's statement. With [errNoMarks] there is no statement.
func verifyMarks(fsys vfs.FS, dir string) (statement, error) {
	st, err := readMarks(fsys, dir)
	if err != nil {
		return st, err
	}
	for _, m := range st.logs() {
		if err := verifyLog(fsys, dir, m); err != nil {
			return st, err
		}
	}
	if st.names {
		err = verifyNames(fsys, dir, st.marks)
	}
	return st, err
}

// verifyLog returns a [call.CorruptError] if a log is missing, or unreadable before the end that
// the watermark names.
func verifyLog(fsys vfs.FS, dir string, m mark) error {
	name := m.file()
	good, err := legible(fsys, fsys.PathJoin(dir, name), m)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &call.CorruptError{File: name, Offset: -1, Err: fmt.Errorf("the log is missing; %d bytes of it were written and confirmed, says %s", m.bytes, watermarkName)}
	case err == nil && good < m.bytes:
		return &call.CorruptError{File: name, Offset: good, Err: fmt.Errorf("the log cannot be read from here on; %d bytes of it were written and confirmed, says %s", m.bytes, watermarkName)}
	}
	return err
}

// file returns the name of the file that a mark is about. Pebble does not export the function that
// makes these names.
func (m mark) file() string {
	switch m.kind {
	case logMark:
		return wal.NumWAL(m.number).String() + ".log"
	case manifestMark:
		return manifestName(m.number)
	case optionsMark:
		return fmt.Sprintf("%s%06d", optionsPrefix, m.number)
	case manifestMarker:
		return fmt.Sprintf("%s%06d.%s", manifestPointer, m.number, manifestName(uint64(m.bytes)))
	}
	return fmt.Sprintf("%s%06d.%03d", formatPointer, m.number, m.bytes)
}

const (
	manifestPrefix  = "MANIFEST-"
	optionsPrefix   = "OPTIONS-"
	manifestPointer = "marker.manifest."
	formatPointer   = "marker.format-version."
)

func manifestName(number uint64) string { return fmt.Sprintf("%s%06d", manifestPrefix, number) }

// parseName returns the mark of a file, as far as its name tells; ok is false if watermarks do not
// list such files.
func parseName(name string) (m mark, ok bool) {
	if log, index, ok := wal.ParseLogFilename(name); ok && index == 0 {
		return mark{kind: logMark, number: uint64(log)}, true
	}
	for _, k := range [...]struct {
		kind       markKind
		begin, mid string
	}{
		{manifestMark, manifestPrefix, ""},
		{optionsMark, optionsPrefix, ""},
		{manifestMarker, manifestPointer, manifestPrefix},
		{formatMarker, formatPointer, ""},
	} {
		rest, is := strings.CutPrefix(name, k.begin)
		if !is {
			continue
		}
		number, value, pointer := strings.Cut(rest, "."+k.mid)
		n, err := strconv.ParseUint(number, 10, 64)
		m := mark{kind: k.kind, number: n}
		if err == nil && pointer {
			m.bytes, err = strconv.ParseInt(value, 10, 64)
		}
		return m, err == nil && m.file() == name
	}
	return mark{}, false
}

// newest returns those files of dir that name the tables: the markers that have moved most often,
// which Pebble trusts, the list of tables that they name, and the newest OPTIONS, which Pebble
// compares with its own. It knows file and number of each only.
func newest(fsys vfs.FS, dir string) (found map[markKind]mark, err error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	found = map[markKind]mark{}
	for _, name := range names {
		m, ok := parseName(name)
		if !ok || m.isLog() || m.kind == manifestMark {
			continue
		}
		if old, there := found[m.kind]; !there || old.number < m.number {
			found[m.kind] = m
		}
	}
	if marker, ok := found[manifestMarker]; ok {
		found[manifestMark] = mark{kind: manifestMark, number: uint64(marker.bytes)}
	}
	return found, nil
}

// verifyNames compares the files that name the tables with the watermark. Newer ones are valid too:
// nothing relied on them yet.
func verifyNames(fsys vfs.FS, dir string, marks []mark) error {
	found, err := newest(fsys, dir)
	if err != nil {
		return err
	}
	listed := false
	for _, m := range marks {
		have, there := found[m.kind]
		switch m.kind {
		case manifestMarker, formatMarker:
			if !there || have.number < m.number || have.number == m.number && have != m {
				return &call.CorruptError{File: m.file(), Offset: -1, Err: fmt.Errorf("the file is missing; it was there, says %s", watermarkName)}
			}
		case optionsMark:
			err = verifySum(fsys, dir, m)
		case manifestMark:
			if have.number == m.number {
				listed = true
				err = verifySum(fsys, dir, m)
			}
		}
		if err != nil {
			return err
		}
	}
	if m, there := found[manifestMark]; there && !listed {
		return &call.CorruptError{File: watermarkName, Offset: -1, Err: fmt.Errorf("it does not speak of %s, so it is older than the store", m.file())}
	}
	return nil
}

// verifySum compares a file with its mark: a list of tables up to the marked length, OPTIONS as a
// whole.
func verifySum(fsys vfs.FS, dir string, m mark) error {
	name := m.file()
	data, err := readFile(fsys, fsys.PathJoin(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return &call.CorruptError{File: name, Offset: -1, Err: errMissing}
	}
	if err != nil {
		return err
	}
	c := &call.CorruptError{File: name, Offset: -1}
	switch {
	case int64(len(data)) < m.bytes, m.kind == optionsMark && int64(len(data)) > m.bytes:
		c.Err = fmt.Errorf("the file has %d bytes and was written with %d, says %s", len(data), m.bytes, watermarkName)
	case crc32.Checksum(data[:m.bytes], castagnoli()) != m.sum:
		if m.kind == manifestMark {
			if good, why := legibleList(data[:m.bytes]); why != nil {
				c.Offset = good
			}
		}
		c.Err = fmt.Errorf("the file is not as it was written: its checksum is not what %s says", watermarkName)
	default:
		return nil
	}
	return c
}

// legibleList returns how much of a list of tables Pebble can read, and why no more; nil if that is
// all, or all but an end that a crash has torn.
func legibleList(data []byte) (good int64, why error) {
	r := record.NewReader(bytes.NewReader(data), 0)
	for {
		rec, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, rec)
		}
		switch {
		case err == nil:
			good = r.Offset()
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, record.ErrUnexpectedEOF):
			return good, nil
		default:
			return good, errors.New(plainText(err))
		}
	}
}

// namesNow returns the present marks of the files that name the tables, for a store whose files are
// verified: of a list of tables, the part that Pebble reads. Pebble adds nothing to that part; but
// the end may not be on the disk yet if a process was killed, so durably makes it sync. (OPTIONS
// are on the disk before they have their name.)
//
// A folder with a FORMAT of ours has been opened once, so both markers were there: without them
// Pebble would begin a new store beside the tables.
func namesNow(fsys vfs.FS, dir string, durably bool) (marks []mark, err error) {
	found, err := newest(fsys, dir)
	if err != nil {
		return nil, err
	}
	if _, err := fsys.Stat(fsys.PathJoin(dir, formatName)); err == nil {
		for kind, name := range map[markKind]string{manifestMarker: manifestPointer, formatMarker: formatPointer} {
			if _, there := found[kind]; !there {
				return nil, &call.CorruptError{File: strings.TrimSuffix(name, "."), Offset: -1, Err: errMissing}
			}
		}
	}
	for kind := logMark; kind <= formatMarker; kind++ {
		m, there := found[kind]
		if !there {
			continue
		}
		if kind == manifestMark || kind == optionsMark {
			if m, err = summed(fsys, dir, m, durably && kind == manifestMark); err != nil {
				return nil, err
			}
		}
		marks = append(marks, m)
	}
	if durably {
		err = syncDir(fsys, dir)
	}
	return marks, err
}

// summed fills in the present size and checksum of a file.
func summed(fsys vfs.FS, dir string, m mark, durably bool) (mark, error) {
	path := fsys.PathJoin(dir, m.file())
	if durably {
		if err := syncFile(fsys, path); err != nil {
			return m, missing(err, m.file())
		}
	}
	data, err := readFile(fsys, path)
	if m.kind == manifestMark {
		good, _ := legibleList(data)
		data = data[:good]
	}
	m.bytes, m.sum = int64(len(data)), crc32.Checksum(data, castagnoli())
	return m, missing(err, m.file())
}

// missing turns the absence of a file into damage.
func missing(err error, name string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &call.CorruptError{File: name, Offset: -1, Err: errMissing}
	}
	return err
}

const (
	logBlock = 32 << 10 // the size of the blocks of a log
	logChunk = 19       // with fewer bytes left in a block no chunk begins there
	logEnd   = 11       // the size of the empty chunk at the end of a closed log
)

// legible returns how much of a log Pebble can read, or m.bytes if that is enough. It looks at
// chunks, not at records: the end of a record may have been unfinished at the sync of what came
// before.
func legible(fsys vfs.FS, path string, m mark) (good int64, err error) {
	f, err := fsys.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return 0, err
	}
	defer func() { err = firstError(err, f.Close()) }()
	r := newReader(record.NewReader, f, m.number)
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

// newReader calls make, whose number has an unexported type.
func newReader[N ~uint64](make func(io.Reader, N) *record.Reader, r io.Reader, n uint64) *record.Reader {
	return make(r, N(n))
}
