package archive

import (
	"bytes"
	"io"
)

// peek returns the first bytes of r, and a reader of the full input: r itself if it has random
// access.
func peek(r io.Reader) (io.Reader, []byte, error) {
	magic := make([]byte, 8)
	if f, _, ok := sized(r); ok {
		n, err := f.ReadAt(magic, 0)
		if err != nil && err != io.EOF {
			return nil, nil, err
		}
		return r, magic[:n], nil
	}
	n, err := io.ReadFull(r, magic)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, nil, err
	}
	return io.MultiReader(bytes.NewReader(magic[:n]), r), magic[:n], nil
}

// sized returns the unread part of r and its size, if r has random access.
func sized(r io.Reader) (io.ReaderAt, int64, bool) {
	f, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	})
	if !ok {
		return nil, 0, false
	}
	here, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, 0, false // such as a pipe
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, false
	}
	if _, err := f.Seek(here, io.SeekStart); err != nil || end < here {
		return nil, 0, false
	}
	return io.NewSectionReader(f, here, end-here), end - here, true
}
