// Package archive unpacks files from gzip, Zstandard and zip archives, one in another. It
// recognises an archive by its first bytes, never by its name.
//
// An archive may come from anyone. The package bounds the unpacked data by the size of the archive,
// in depth, in number and in total, and reads it as a stream; memory does not grow with it. It
// knows nothing of calls.
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

// The limits of archives. The text of an export is ten to thirty times as large as its compressed
// form.
const (
	maxDepth  = 4        // archives in one another
	maxFiles  = 1000     // in all archives together
	maxRatio  = 200      // of unpacked to packed bytes
	freeText  = 16 << 20 // unpacked bytes that are exempt from the ratio
	maxText   = 1 << 40  // unpacked bytes in total
	maxWindow = 64 << 20 // bytes that Zstandard may look back
)

// A File is a file that is no archive.
type File struct {
	// Name is its path within its archives, with slashes; empty if none of them names its files.
	Name string
	// Among is how many files were in the same archive, itself included.
	Among int
	// Reader reads its contents. It is nil if Document is set.
	io.Reader
	// Refused says why the file cannot be read: its first bytes show a kind that trunklog does not
	// read. It wraps [call.ErrInvalid].
	Refused error
	// Document is a zip that counts as one file, such as a workbook.
	Document *Document
}

// A BrokenError says that an archive is damaged or malicious. It wraps [call.ErrInvalid].
type BrokenError struct{ err error }

func (e *BrokenError) Error() string { return e.err.Error() }
func (e *BrokenError) Unwrap() error { return e.err }

// broken returns a BrokenError.
func broken(format string, args ...any) error {
	return &BrokenError{fmt.Errorf("%w: "+format, append([]any{call.ErrInvalid}, args...)...)}
}

// Walk calls each for each file in r, in their order: for r itself if it is no archive. An error of
// each ends the walk and is returned. Its own errors wrap [call.ErrInvalid] or are the reader's;
// those of the readers that each gets are [*BrokenError] if an archive is at fault.
func Walk(r io.Reader, each func(File) error) error {
	w := &walk{each: each}
	if _, size, ok := sized(r); ok {
		w.packed = size
	} else {
		r = &counted{r, &w.packed}
	}
	return w.open(File{Reader: r, Among: 1}, 0)
}

// A walk is the state of Walk.
type walk struct {
	each   func(File) error
	packed int64 // bytes of the input: its size, or how many were read
	text   int64 // unpacked bytes
	files  int
}

// refused are the beginnings of files that trunklog cannot read, and what the user can do.
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

// An unpacked reader returns the contents of an archive, and refuses a bomb: a file that is too
// large for its archive, alone or together with all other unpacked files, because files in a zip
// may share their bytes.
type unpacked struct {
	*walk
	r    io.Reader
	kind string
	size int64 // packed size; 0: unknown
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
