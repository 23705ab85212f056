package teams

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// The limits within which an archive is opened. A real one of 150 days has
// three files, and its text is ten to thirty times as large as its bytes.
const (
	maxArchive   = 1 << 30  // bytes of an archive that must be copied to be read
	maxDirectory = 1 << 20  // bytes of the directory of an archive
	maxEntries   = 1000     // files in an archive
	freeText     = 16 << 20 // bytes of text for which no ratio is asked
	maxRatio     = 200      // of text to bytes, beyond that
)

// decodeZip decodes the calls in an archive. Of an archive that is broken or
// that means harm it yields what is good before that shows.
func decodeZip(r io.Reader, text call.Decoder, note func(string), yield func(call.Event, error) bool) {
	file, size, ok := sized(r)
	if !ok {
		s, err := spool(r)
		if err != nil {
			yield(call.Event{}, err)
			return
		}
		defer s.close()
		// The section keeps offsets that lie outside of the archive from the
		// file, whose error would name a temporary folder.
		file, size = io.NewSectionReader(s.f, 0, s.size), s.size
	}
	a, err := openArchive(file, size)
	if err != nil {
		yield(call.Event{}, err)
		return
	}
	for _, f := range a.calls {
		if !a.decode(f, text, yield) {
			return
		}
	}
	for _, f := range a.plans {
		n, err := a.countLines(f)
		if err != nil {
			yield(call.Event{}, err)
			return
		}
		note(fmt.Sprintf("%s: %d lines with calls of Calling Plans were left out: those did not use your trunks", path.Base(f.Name), max(0, n-1)))
	}
}

// An archive is an opened zip.
type archive struct {
	size  int64 // of the archive
	text  int64 // that was read from it
	calls []*zip.File
	plans []*zip.File // calls of Calling Plans
}

func openArchive(file io.ReaderAt, size int64) (*archive, error) {
	// While the directory is read, reading is limited: a directory may claim
	// few entries and have millions.
	m := &meter{ReaderAt: file, left: maxDirectory, on: true}
	z, err := zip.NewReader(m, size)
	m.on = false
	switch {
	case errors.Is(err, errDirectory) || err == nil && len(z.File) > maxEntries:
		return nil, fmt.Errorf("%w: the zip has more than %d files in it; an export has three", call.ErrInvalid, maxEntries)
	case errors.Is(err, zip.ErrFormat):
		return nil, fmt.Errorf("%w: the zip is damaged, or cut off before its end: export it again", call.ErrInvalid)
	case err != nil:
		return nil, fmt.Errorf("open the zip: %w", err)
	}
	a := &archive{size: size}
	var others []string
	for _, f := range z.File {
		switch name := strings.ToLower(path.Base(strings.ReplaceAll(f.Name, `\`, "/"))); {
		case !strings.HasSuffix(name, ".csv"):
			others = append(others, fmt.Sprintf("%.60q", f.Name))
		case strings.HasPrefix(name, "directrouting.calls"):
			a.calls = append(a.calls, f)
		case strings.HasPrefix(name, "pstn.calls"):
			a.plans = append(a.plans, f)
		default:
			others = append(others, fmt.Sprintf("%.60q", f.Name))
		}
	}
	if len(a.calls) == 0 {
		return nil, a.nothing(others)
	}
	return a, nil
}

// nothing says what an archive without calls has instead.
func (a *archive) nothing(others []string) error {
	const most = 10
	what := "it is empty"
	switch {
	case len(a.plans) > 0:
		what = "its " + path.Base(a.plans[0].Name) + " is about calls of Calling Plans, which Graph has in getPstnCalls"
	case len(others) > most:
		what = fmt.Sprintf("it has %s and %d more", strings.Join(others[:most], ", "), len(others)-most)
	case len(others) > 0:
		what = "it has " + strings.Join(others, ", ")
	}
	return fmt.Errorf("%w: no DirectRouting.calls.*.csv is in the zip: %s", call.ErrInvalid, what)
}

// decode decodes the calls in one file of the archive, and reports whether to
// go on.
func (a *archive) decode(f *zip.File, text call.Decoder, yield func(call.Event, error) bool) bool {
	r, err := a.open(f)
	if err != nil {
		yield(call.Event{}, err)
		return false
	}
	defer r.close()
	for e, err := range text(r) {
		var syntax *call.SyntaxError
		switch {
		case err == nil:
		case errors.As(err, &syntax):
			if len(a.calls) > 1 { // whose line it is
				syntax.Err = fmt.Errorf("%s: %w", path.Base(f.Name), syntax.Err)
			}
		default:
			yield(e, fmt.Errorf("%s: %w", path.Base(f.Name), err))
			return false
		}
		if !yield(e, err) {
			return false
		}
	}
	return true
}

// countLines returns how many lines a file of the archive has.
func (a *archive) countLines(f *zip.File) (n int, err error) {
	r, err := a.open(f)
	if err != nil {
		return 0, err
	}
	defer r.close()
	buf := make([]byte, 32<<10)
	for {
		m, err := r.Read(buf)
		n += bytes.Count(buf[:m], []byte{'\n'})
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("%s: %w", path.Base(f.Name), err)
		}
	}
}

// open opens a file of the archive. The text is unpacked as it is read.
func (a *archive) open(f *zip.File) (*textReader, error) {
	const encrypted = 1
	if f.Flags&encrypted != 0 {
		return nil, fmt.Errorf("%w: %s in the zip is encrypted: unpack it, and import the CSV", call.ErrInvalid, path.Base(f.Name))
	}
	r, err := f.Open()
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		return nil, fmt.Errorf("%w: %s in the zip is compressed by method %d, which is not known here: unpack it, and import the CSV", call.ErrInvalid, path.Base(f.Name), f.Method)
	case err != nil:
		return nil, damaged(f, err)
	}
	return &textReader{archive: a, f: f, r: r}, nil
}

func damaged(f *zip.File, err error) error {
	return fmt.Errorf("%w: the zip is damaged at %s: %w", call.ErrInvalid, path.Base(f.Name), err)
}

// A textReader reads a file of an archive and refuses a bomb: text that is
// much larger than the file that it comes from, or all text together than the
// archive, because files in an archive may share their bytes.
type textReader struct {
	archive *archive
	f       *zip.File
	r       io.ReadCloser
	n       int64
}

func (t *textReader) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	t.n += int64(n)
	t.archive.text += int64(n)
	if tooMuch(t.n, t.f.CompressedSize64) || tooMuch(t.archive.text, uint64(t.archive.size)) {
		return 0, fmt.Errorf("%w: the zip unpacks to more than %d times its size: it is no export", call.ErrInvalid, maxRatio)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = damaged(t.f, err)
	}
	return n, err
}

func tooMuch(text int64, packed uint64) bool {
	return text > freeText && uint64(text)/maxRatio > packed
}

func (t *textReader) close() { _ = t.r.Close() } // it was only read

// A meter stops reading after so many bytes while it is on.
type meter struct {
	io.ReaderAt
	left int64
	on   bool
}

var errDirectory = errors.New("the directory is too large")

func (m *meter) ReadAt(b []byte, off int64) (int, error) {
	if m.on {
		if m.left -= int64(len(b)); m.left < 0 {
			return 0, errDirectory
		}
	}
	return m.ReaderAt.ReadAt(b, off)
}

// A spooled archive is a copy of one that could only be read from its
// beginning to its end, while a zip's directory is at the end.
type spooled struct {
	f    *os.File
	size int64
}

func spool(r io.Reader) (*spooled, error) {
	f, err := os.CreateTemp("", "trunklog-*.zip")
	if err != nil {
		return nil, fmt.Errorf("copy the zip: %w", err)
	}
	s := &spooled{f: f}
	s.size, err = io.Copy(f, io.LimitReader(r, maxArchive+1))
	if err == nil && s.size > maxArchive {
		err = fmt.Errorf("%w: it has more than %d bytes: name it as a file instead of piping it", call.ErrInvalid, maxArchive)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("copy the zip: %w", err)
	}
	return s, nil
}

func (s *spooled) close() {
	_ = s.f.Close()
	_ = os.Remove(s.f.Name())
}
