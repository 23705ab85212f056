package archive

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/trunklog/trunklog/call"
)

const (
	maxSpool     = 1 << 30 // bytes of a zip that must be copied first
	maxDirectory = 1 << 20 // bytes of the directory of a zip
)

// zip calls each for the files in a zip. If the zip is broken or malicious, the files before that
// point have been read.
func (w *walk) zip(f File, depth int) error {
	file, size, ok := sized(f.Reader)
	if !ok {
		s, err := spool(f.Reader)
		if err != nil {
			return err
		}
		defer s.close()
		// The section stops offsets outside of the archive before the file does, whose error would
		// name a temporary folder.
		file, size = io.NewSectionReader(s.f, 0, s.size), s.size
	}
	z, err := directory(file, size)
	if err != nil {
		return err
	}
	if isDocument(z) {
		f.Reader, f.Document = nil, &Document{walk: w, z: z}
		return w.each(f)
	}
	files := slices.DeleteFunc(z.File, isNothing)
	if w.files += len(files); w.files > maxFiles {
		return errMany()
	}
	for _, in := range files {
		r, err := w.openZipped(in)
		if err != nil {
			return err
		}
		err = w.open(File{Name: path.Join(f.Name, slashed(in.Name)), Among: len(files), Reader: r}, depth)
		_ = r.Close() // it was only read
		if err != nil {
			return err
		}
	}
	if len(files) == 0 {
		return fmt.Errorf("%w: the zip is empty", call.ErrInvalid)
	}
	return nil
}

func errMany() error { return broken("the zip has more than %d files in it", maxFiles) }

// directory reads the directory of a zip. It limits reading meanwhile: a directory may claim few
// entries and have millions.
func directory(file io.ReaderAt, size int64) (*zip.Reader, error) {
	m := &meter{ReaderAt: file, left: maxDirectory, on: true}
	z, err := zip.NewReader(m, size)
	m.on = false
	switch {
	case errors.Is(err, errDirectory) || err == nil && len(z.File) > maxFiles:
		return nil, errMany()
	case errors.Is(err, zip.ErrFormat):
		return nil, broken("the zip is damaged, or cut off before its end: get it again")
	case err != nil && !errors.Is(err, zip.ErrInsecurePath):
		return nil, fmt.Errorf("open the zip: %w", err)
	}
	return z, nil
}

// slashed returns a name in a zip with slashes; some programs write backslashes.
func slashed(name string) string { return strings.ReplaceAll(name, `\`, "/") }

// isNothing reports whether an entry is no user's file: a folder, or a file that an operating
// system leaves there.
func isNothing(f *zip.File) bool {
	name := slashed(f.Name)
	return strings.HasSuffix(name, "/") || strings.HasPrefix(name, "__MACOSX/") || path.Base(name) == ".DS_Store"
}

// openZipped opens a file in a zip and unpacks it as a stream.
func (w *walk) openZipped(f *zip.File) (io.ReadCloser, error) {
	const encrypted = 1
	name := path.Base(slashed(f.Name))
	if f.Flags&encrypted != 0 {
		return nil, broken("%s in the zip is encrypted: unpack it, and import what is in it", name)
	}
	r, err := f.Open()
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		return nil, broken("%s in the zip is compressed by method %d, which is not known here: unpack it, and import what is in it", name, f.Method)
	case err != nil:
		return nil, broken("the zip is damaged at %s: %w", name, err)
	}
	return zipped{&unpacked{walk: w, r: damage{r, name}, kind: "zip", size: int64(max(f.CompressedSize64, 1))}, r}, nil
}

type zipped struct {
	io.Reader
	io.Closer
}

// A damage reader adds to errors where a zip is damaged.
type damage struct {
	io.Reader
	name string
}

func (d damage) Read(b []byte) (int, error) {
	n, err := d.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = broken("the zip is damaged at %s: %w", d.name, err)
	}
	return n, err
}

// A Document is a zip that its author sees as one file: of Office Open XML, or of OpenDocument.
type Document struct {
	walk *walk
	z    *zip.Reader
}

// isDocument reports whether a zip has the part that every document has (ISO/IEC
// 29500-2, Open Packaging Conventions; ISO/IEC 26300-3, OpenDocument packages).
func isDocument(z *zip.Reader) bool {
	return slices.ContainsFunc(z.File, func(f *zip.File) bool {
		return f.Name == "[Content_Types].xml" || f.Name == "META-INF/manifest.xml"
	})
}

// Open opens the part with the given name, in any case; the error is [fs.ErrNotExist] if there is
// none.
func (d *Document) Open(name string) (io.ReadCloser, error) {
	for _, f := range d.z.File {
		if strings.EqualFold(slashed(f.Name), name) {
			return d.walk.openZipped(f)
		}
	}
	return nil, fs.ErrNotExist
}

// A meter, while it is on, stops reading after a number of bytes.
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

// A spooled archive is a copy of an input without random access. A zip needs that, because its
// directory is at the end.
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
	s.size, err = io.Copy(f, io.LimitReader(r, maxSpool+1))
	if err == nil && s.size > maxSpool {
		err = fmt.Errorf("%w: it has more than %d bytes: name it as a file instead of piping it", call.ErrInvalid, maxSpool)
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
