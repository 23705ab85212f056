package graphjson

import (
	"bytes"
	"errors"
	"io"
)

// chunk is how much is read at once.
const chunk = 64 << 10

// A scanner holds the bytes of the current record and no others, and counts lines.
type scanner struct {
	r   io.Reader
	buf []byte
	i   int   // the next byte
	end int   // behind the last byte in the buffer
	err error // why reading ended; errEnd at the end of the input

	start int // of the current record; -1 if there is none

	lines   int64 // line breaks before counted
	counted int

	startsLine bool // resync stopped at the beginning of a line
}

// errEnd is the end of the input. It is not io.EOF, because the error of a failed reader may wrap
// that.
var errEnd = errors.New("the end")

// newScanner returns a scanner of r. If r knows its length, as one record in memory does, the
// buffer begins at that size.
func newScanner(r io.Reader) *scanner {
	size := chunk
	if known, ok := r.(interface{ Len() int }); ok {
		size = min(size, max(known.Len()+1, 512)) // one more, to see the end
	}
	return &scanner{r: r, buf: make([]byte, size), start: -1}
}

// hold begins to keep the bytes read, and returns the number of the line.
func (s *scanner) hold() (line int64) {
	s.start = s.i
	return s.lineHere()
}

// release ends what hold began.
func (s *scanner) release() { s.start = -1 }

// held returns the bytes read since hold.
func (s *scanner) held() []byte { return s.buf[s.start:s.i] }

// head returns a copy of the beginning of held.
func (s *scanner) head() []byte {
	return bytes.Clone(s.buf[s.start:min(s.i, s.start+maxRaw)])
}

// lineHere returns the number of the line of the next byte.
func (s *scanner) lineHere() int64 {
	s.countTo(s.i)
	return s.lines + 1
}

func (s *scanner) countTo(i int) {
	if i > s.counted {
		s.lines += int64(bytes.Count(s.buf[s.counted:i], []byte{'\n'}))
		s.counted = i
	}
}

func (s *scanner) atEnd() bool { return s.i == s.end && s.err != nil }

// more reports whether there is a next byte, and fetches it if needed.
func (s *scanner) more() bool { return s.i < s.end || s.fill() }

// fill reads more, and reports whether there is more.
func (s *scanner) fill() bool {
	if s.err != nil {
		return false
	}
	keep := s.i
	if s.start >= 0 {
		keep = s.start
	}
	s.countTo(keep)
	copy(s.buf, s.buf[keep:s.end])
	s.i, s.end, s.counted = s.i-keep, s.end-keep, s.counted-keep
	if s.start >= 0 {
		s.start = 0
	}
	if len(s.buf)-s.end < min(chunk, len(s.buf))/2 {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	// A reader may return nothing and no error, but not for ever.
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:min(len(s.buf), s.end+chunk)])
		if s.err = err; err == io.EOF {
			s.err = errEnd
		}
		if s.end += n; n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// peek skips white space and returns the next byte, which it does not consume;
// 0 if there is none.
func (s *scanner) peek() byte {
	for s.more() {
		switch c := s.buf[s.i]; c {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// has reports whether n more bytes follow, and fetches them if needed.
func (s *scanner) has(n int) bool {
	for s.end-s.i < n {
		if !s.fill() {
			return false
		}
	}
	return true
}

// skip skips the given text, if it follows.
func (s *scanner) skip(text string) bool {
	if !s.has(len(text)) || string(s.buf[s.i:s.i+len(text)]) != text {
		return false
	}
	s.i += len(text)
	return true
}

// skipLarge skips the rest of a value that is too large to hold, from its beginning on. It follows
// quotes and brackets and no other grammar. If fenced, it stops in front of a line that begins with
// a brace. It reports whether it got to the end of the value.
func (s *scanner) skipLarge(fenced bool) bool {
	s.i = s.start
	s.release()
	if bytes.IndexByte([]byte(`{["`), s.buf[s.i]) < 0 {
		return false // a number, or text that begins like one
	}
	depth, text := 0, false
	for ; s.more(); s.i++ {
		switch c := s.buf[s.i]; {
		case c == '\n' && fenced && s.has(2) && s.buf[s.i+1] == '{':
			return false
		case text && c == '\\' && s.has(2):
			s.i++
		case c == '"':
			text = !text
		case text && c < ' ':
			return false
		case text:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth <= 0 && !text {
			s.i++
			return true
		}
	}
	return false
}
