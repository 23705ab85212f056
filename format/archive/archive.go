// Package archive takes the files out of what files are packed in: gzip,
// Zstandard and zip, one in another. What it is given it tells by its first
// bytes, never by its name.
//
// An archive is a file of anybody's. What it unpacks to is bounded by its size,
// in depth, in number and in all, and is read as a stream; memory does not grow
// with it. It knows nothing of calls.
package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/trunklog/trunklog/call"
)

// The limits within which archives are opened. The text of an export is ten to
// thirty times as large as its bytes.
const (
	maxDepth  = 4        // archives in one another
	maxFiles  = 1000     // in all archives together
	maxRatio  = 200      // of what is unpacked to what it is unpacked from
	freeText  = 16 << 20 // bytes for which no ratio is asked
	maxText   = 1 << 40  // bytes that are unpacked in all
	maxWindow = 64 << 20 // bytes that Zstandard may look back
)

// A File is a file that is no archive.
type File struct {
	// Name is its path within the archives that it was in, with slashes; empty if
	// it was in none that names its files.
	Name string
	// Among is how many files were in the same archive, itself included.
	Among int
	// Reader gives what it holds. It is nil if Document is not.
	io.Reader
	// Refused says why it cannot be read: it is of a kind that is known by its first
	// bytes and that nothing here reads. It wraps [call.ErrInvalid].
	Refused error
	// Document is a file that is a zip and yet no archive, such as a workbook.
	Document *Document
}

// A BrokenError says that an archive cannot be read on, or means harm. It wraps
// [call.ErrInvalid].
type BrokenError struct{ err error }

func (e *BrokenError) Error() string { return e.err.Error() }
func (e *BrokenError) Unwrap() error { return e.err }

// broken returns a BrokenError.
func broken(format string, args ...any) error {
	return &BrokenError{fmt.Errorf("%w: "+format, append([]any{call.ErrInvalid}, args...)...)}
}

// Walk calls each for each file in r, in their order: for r itself if it is no
// archive. An error of each ends it and is returned. Its own errors wrap
// [call.ErrInvalid] or are the reader's; those of the readers that each is given
// are [*BrokenError] if an archive is to blame.
func Walk(r io.Reader, each func(File) error) error {
	w := &walk{each: each}
	if _, size, ok := sized(r); ok {
		w.packed = size
	} else {
		r = &counted{r, &w.packed}
	}
	return w.open(File{Reader: r, Among: 1}, 0)
}

// A walk is what Walk knows while it goes on.
type walk struct {
	each   func(File) error
	packed int64 // bytes of what was given, or of it that were read
	text   int64 // bytes that were unpacked
	files  int
}

// refused are the beginnings of files that nobody can read here, and what to do.
var refused = []struct{ begin, what, remedy string }{
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook that is protected by a password, or of the old kind (.xls)", "open it, and save it as .xlsx without a password, or as CSV"},
	{"\xfd7zXZ\x00", "compressed with xz", "unpack it first, by unxz"},
	{"BZh", "compressed with bzip2", "unpack it first, by bunzip2"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"},
	{"Rar!\x1a\x07", "a RAR archive", "unpack it first"},
	{"%PDF-", "a PDF", "get the calls as CSV or .xlsx"},
}

// open calls each for f, or for each file in it.
func (w *walk) open(f File, depth int) error {
	r, magic, err := peek(f.Reader)
	if err != nil {
		return err
	}
	f.Reader = r
	begins := func(s string) bool { return bytes.HasPrefix(magic, []byte(s)) }
	for _, no := range refused {
		if begins(no.begin) {
			f.Refused = fmt.Errorf("%w: the file is %s: %s", call.ErrInvalid, no.what, no.remedy)
			return w.each(f)
		}
	}
	var kind func(File, int) error
	switch {
	case begins("\x1f\x8b"):
		kind = w.gzip
	case begins("\x28\xb5\x2f\xfd"):
		kind = w.zstd
	case begins("PK\x03\x04"), begins("PK\x05\x06"): // a file, or an empty directory
		kind = w.zip
	default:
		return w.each(f)
	}
	if depth == maxDepth {
		return broken("there are more than %d archives in one another", maxDepth)
	}
	return kind(f, depth+1)
}

func (w *walk) gzip(f File, depth int) error {
	z, err := gzip.NewReader(f.Reader)
	if err != nil {
		return broken("the gzip file is damaged: %v", err)
	}
	f.Name = strings.TrimSuffix(f.Name, ".gz")
	f.Reader = &unpacked{walk: w, r: z, kind: "gzip file"}
	return w.open(f, depth)
}

func (w *walk) zstd(f File, depth int) error {
	z, err := zstd.NewReader(f.Reader, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return broken("the zst file is damaged: %v", err)
	}
	defer z.Close()
	f.Name = strings.TrimSuffix(f.Name, ".zst")
	f.Reader = &unpacked{walk: w, r: z, kind: "zst file"}
	return w.open(f, depth)
}

// An unpacked reader gives what an archive held, and refuses a bomb: more than so
// many times what it comes from, by itself or with all else that was unpacked,
// because files in a zip may share their bytes.
type unpacked struct {
	*walk
	r    io.Reader
	kind string
	size int64 // in the archive; 0: what was read of it is not known
	n    int64
}

func (u *unpacked) Read(b []byte) (int, error) {
	n, err := u.r.Read(b)
	u.n += int64(n)
	u.text += int64(n)
	switch {
	case u.size > 0 && tooMuch(u.n, u.size), tooMuch(u.text, u.packed):
		return 0, broken("the %s unpacks to more than %d times its size: it is no export", u.kind, maxRatio)
	case u.text > maxText:
		return 0, broken("the %s unpacks to more than %d bytes", u.kind, int64(maxText))
	case err == nil, err == io.EOF:
		return n, err
	}
	var is *BrokenError
	if errors.As(err, &is) { // that in which it lies is to blame
		return n, err
	}
	return n, broken("the %s is damaged, or cut off before its end: %w", u.kind, err)
}

func tooMuch(text, packed int64) bool { return text > freeText && text/maxRatio > packed }

// A counted reader counts what is read.
type counted struct {
	io.Reader
	n *int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	*c.n += int64(n)
	return n, err
}
