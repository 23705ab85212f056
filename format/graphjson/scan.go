package graphjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/trunklog/trunklog/call"
)

const (
	chunk    = 64 << 10 // how much is read at once
	maxDepth = 64       // of values within a record
)

// A scanner takes JSON apart as it arrives. It keeps the bytes of the record
// that is being read, up to maxRecord of them, and no others.
type scanner struct {
	r   io.Reader
	buf []byte
	i   int   // the next byte
	end int   // behind the last one that was read
	err error // why nothing can be read behind end; errEnd if there is nothing

	start int    // of the record that is being read; -1 if there is none
	over  bool   // that record is too large: buf has lost its beginning
	first []byte // the beginning of such a record

	lines   int64 // line breaks before counted
	counted int

	escaped, wide bool // the last text has escapes; bytes beyond ASCII

	fault error // what was wrong where scanning stopped

	// oneLiners is set when a record has stood on a line of its own: the input
	// is JSON lines. fenced is set within a record of such an input, where a
	// line that begins with a brace is another record, whatever JSON says.
	oneLiners, fenced bool
	startsLine        bool // resync stopped at the beginning of a line
}

// errEnd is the end of the input. It is not io.EOF, because a reader that fails
// may have wrapped that.
var errEnd = errors.New("the end")

func newScanner(r io.Reader) *scanner {
	size := chunk
	if known, ok := r.(interface{ Len() int }); ok { // one record in memory, as events come
		size = min(size, known.Len()+1) // one more, to see the end
	}
	return &scanner{r: r, buf: make([]byte, size), start: -1}
}

// hold begins to keep what is read, and returns the number of the line.
func (s *scanner) hold() (line int64) {
	s.start, s.over = s.i, false
	return s.lineHere()
}

// release ends what hold began.
func (s *scanner) release() { s.start, s.over = -1, false }

// held returns what has been read since hold, as long as it is not too large.
func (s *scanner) held() []byte { return s.buf[s.start:s.i] }

func (s *scanner) tooLarge() bool { return s.over || s.i-s.start > maxRecord }

// head returns a copy of the beginning of what has been read since hold.
func (s *scanner) head() []byte {
	if s.over {
		return bytes.Clone(s.first)
	}
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

// fill reads more, and reports whether there is more.
func (s *scanner) fill() bool {
	if s.err != nil {
		return false
	}
	keep := s.i
	if s.start >= 0 && !s.over {
		if s.i-s.start > maxRecord {
			s.first, s.over = bytes.Clone(s.buf[s.start:s.start+maxRaw]), true
		} else {
			keep = s.start
		}
	}
	s.countTo(keep)
	copy(s.buf, s.buf[keep:s.end])
	s.i, s.end, s.counted = s.i-keep, s.end-keep, s.counted-keep
	if s.start >= 0 {
		s.start = max(0, s.start-keep)
	}
	if len(s.buf)-s.end < chunk/2 {
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
// 0 if there is none, or none that may stand here.
func (s *scanner) peek() byte {
	for {
		for ; s.i < s.end; s.i++ {
			switch c := s.buf[s.i]; c {
			case ' ', '\t', '\r':
			case '\n':
				if s.fenced && s.braceFollows() {
					return 0
				}
			default:
				return c
			}
		}
		if !s.fill() {
			return 0
		}
	}
}

// skip skips the given text, if that is what follows.
func (s *scanner) skip(text string) bool {
	for s.end-s.i < len(text) {
		if !s.fill() {
			return false
		}
	}
	if string(s.buf[s.i:s.i+len(text)]) != text {
		return false
	}
	s.i += len(text)
	return true
}

// braceFollows reports whether the byte behind the next one is a brace.
func (s *scanner) braceFollows() bool {
	return (s.i+1 < s.end || s.fill()) && s.buf[s.i+1] == '{'
}

// unexpected sets fault because the next byte may not stand where it does.
func (s *scanner) unexpected(where string) outcome {
	if s.i == s.end && !s.fill() {
		s.fault = io.ErrUnexpectedEOF
		return faulty
	}
	c := s.buf[s.i]
	switch {
	case s.fenced && c == '\n' && s.braceFollows():
		s.fault = fmt.Errorf("%w: the record breaks off", call.ErrInvalid)
	case c < ' ':
		s.fault = fmt.Errorf("%w: a line break or another control character %s", call.ErrInvalid, where)
	default:
		// The byte itself may be part of a name or number.
		s.fault = fmt.Errorf("%w: no JSON: an unexpected character %s", call.ErrInvalid, where)
	}
	return faulty
}

// An outcome says how reading an object has ended.
type outcome uint8

const (
	faulty   outcome = iota // at a byte that may not stand there; see fault
	complete                // behind the closing brace
	atList                  // in front of the list of an answer's rows
)

// members reads the members of an object up to its closing brace: from behind
// its opening brace or, if inside, from behind a member. If row is not nil it
// notes the values there, and stops in front of a list that is called value.
func (s *scanner) members(row *record, inside bool, depth int) outcome {
	for n := 0; ; n++ {
		c := s.peek()
		if c == '}' {
			s.i++
			return complete
		}
		if inside {
			if c != ',' {
				return s.unexpected("behind a value")
			}
			s.i++
			c = s.peek()
		}
		inside = true
		if c != '"' {
			return s.unexpected("where the name of a property must be")
		}
		from := s.i + 1 - s.start
		if !s.text() {
			return faulty
		}
		p := propertyUnknown
		if row != nil && !s.tooLarge() {
			p = row.property(n, s.buf[s.start+from:s.i-1])
		}
		if s.peek() != ':' {
			return s.unexpected("behind the name of a property")
		}
		s.i++
		c = s.peek()
		if p == propertyValue && c == '[' {
			return atList
		}
		from = s.i - s.start
		kind := s.value(depth + 1)
		if kind == 0 {
			return faulty
		}
		if p != propertyUnknown && !s.tooLarge() {
			row.note(p, value{from, s.i - s.start, kind, s.escaped, s.wide})
		}
	}
}
