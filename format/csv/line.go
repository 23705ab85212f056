package csv

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// A line is one line of the input, without its line break.
type line struct {
	number int64
	text   []byte
	long   bool // it had more than maxRecord bytes; text is its beginning
}

// bom is the byte order mark of UTF-8. It stands in the middle where files were concatenated.
var bom = []byte("\xef\xbb\xbf")

// line returns the next line, valid until the call after; errEnd at the end.
func (r *records) line() (line, error) {
	if len(r.again) > 0 {
		l := r.again[0]
		r.again = r.again[1:]
		return l, nil
	}
	if r.err != nil {
		return line{}, r.err
	}
	text, full := r.slice()
	r.read++
	l := line{number: r.read, text: text}
	if full {
		r.longLine(&l)
	}
	if r.err != nil && (!errors.Is(r.err, errEnd) || len(l.text) == 0) {
		return line{}, r.err
	}
	if !l.long {
		if bytes.HasPrefix(l.text, bom) {
			l.text, r.enc.seen = l.text[len(bom):], true
		}
		l.text = bytes.TrimSuffix(bytes.TrimSuffix(l.text, []byte{r.end}), []byte{'\r'})
		l.long = len(l.text) > maxRecord
	}
	return l, nil
}

// longLine reads on a line that is larger than the buffer of r.in. It keeps the beginning of a line
// that is too long.
func (r *records) longLine(l *line) {
	l.text = bytes.Clone(l.text)
	for full := true; full; {
		var text []byte
		text, full = r.slice()
		if l.long {
			continue
		}
		l.text = append(l.text, text...)
		if l.long = len(l.text) > maxRecord+len("\r\n"); l.long {
			l.text = head(l.text)
		}
	}
}

// slice reads up to the end of a line, or until the buffer is full. At the end, or after an error
// of the reader, it sets r.err.
func (r *records) slice() (text []byte, full bool) {
	if r.end == 0 {
		r.end = lineEnd(r.in)
	}
	text, err := r.in.ReadSlice(r.end)
	switch {
	case err == io.EOF:
		r.err = errEnd
	case len(text) > 0 && errors.Is(err, bufio.ErrBufferFull):
		return text, true
	case err != nil:
		r.err = err
	}
	return text, false
}

// lineEnd returns the byte that ends the lines of r, judged by the buffer: a carriage return alone,
// as in files of old Macs and some exports of Excel, if there is one and no line feed. It reads no
// further than the first line feed.
func lineEnd(r *bufio.Reader) byte {
	for seen := 0; ; {
		_, err := r.Peek(seen + 1)
		b, _ := r.Peek(r.Buffered())
		if bytes.IndexByte(b[seen:], '\n') >= 0 {
			return '\n'
		}
		if seen = len(b); err == nil && seen < r.Size() {
			continue
		}
		if err == nil {
			b = b[:seen-1] // a line feed may follow the last byte
		}
		if bytes.IndexByte(b, '\r') >= 0 {
			return '\r'
		}
		return '\n'
	}
}

// A sticky reader does not read again after its end or an error.
type sticky struct {
	io.Reader
	err error
}

func (s *sticky) Read(b []byte) (n int, err error) {
	if s.err == nil {
		n, s.err = s.Reader.Read(b)
	}
	return n, s.err
}
