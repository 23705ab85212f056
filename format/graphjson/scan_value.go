package graphjson

import (
	"bytes"
	"fmt"

	"github.com/trunklog/trunklog/call"
)

// A kind is the kind of a value, named by the first byte of the value; 0 is
// none. All numbers are '0', both booleans 't'.
type kind byte

func (k kind) String() string {
	switch k {
	case '"':
		return "a text"
	case '0':
		return "a number"
	case 't':
		return "true or false"
	case 'n':
		return "null"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return "nothing"
}

// value reads one value and returns its kind. If it returns 0 the value is
// faulty; see fault.
func (s *scanner) value(depth int) kind {
	switch c := s.peek(); {
	case c == '"':
		if s.text() {
			return '"'
		}
		return 0
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true", 't')
	case c == 'f':
		return s.literal("false", 't')
	case c == 'n':
		return s.literal("null", 'n')
	case c == '{' || c == '[':
		if depth > maxDepth {
			s.fault = fmt.Errorf("%w: more than %d values within each other", call.ErrInvalid, maxDepth)
			return 0
		}
		s.i++
		if c == '[' {
			return s.list(depth)
		}
		if s.members(nil, false, depth) != complete {
			return 0
		}
		return '{'
	}
	s.unexpected("where a value must be")
	return 0
}

// list reads the values of a list, from behind its opening bracket.
func (s *scanner) list(depth int) kind {
	for n := 0; ; n++ {
		c := s.peek()
		if c == ']' && n == 0 {
			s.i++
			return '['
		}
		if s.value(depth+1) == 0 {
			return 0
		}
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return '['
		default:
			s.unexpected("in a list")
			return 0
		}
	}
}

// The classes of bytes in a text.
const (
	plainByte = iota
	wideByte  // part of a character beyond ASCII
	otherByte // a quote, a backslash, or a control character
)

var textBytes = func() (class [256]byte) {
	for c := range class {
		switch {
		case c < ' ' || c == '"' || c == '\\':
			class[c] = otherByte
		case c >= 0x80:
			class[c] = wideByte
		}
	}
	return class
}()

// text reads a text, whose opening quote is next.
func (s *scanner) text() bool {
	s.i++
	s.escaped, s.wide = false, false
	for {
		b := s.buf[s.i:s.end]
		n := 0
		for n < len(b) && textBytes[b[n]] == plainByte {
			n++
		}
		s.i += n
		if n == len(b) {
			if !s.fill() {
				s.unexpected("")
				return false
			}
			continue
		}
		switch c := b[n]; {
		case c == '"':
			s.i++
			return true
		case c == '\\':
			if !s.escape() {
				return false
			}
		case c >= 0x80:
			s.wide = true
			s.i++
		default:
			s.unexpected("in a text, whose closing quote is missing")
			return false
		}
	}
}

// escape reads what begins with a backslash.
func (s *scanner) escape() bool {
	s.escaped = true
	s.i++
	if s.i == s.end && !s.fill() {
		s.unexpected("")
		return false
	}
	c := s.buf[s.i]
	if c != 'u' {
		if bytes.IndexByte([]byte(`"\/bfnrt`), c) < 0 {
			s.unexpected("behind a backslash")
			return false
		}
		s.i++
		return true
	}
	s.i++
	for range 4 {
		if s.i == s.end && !s.fill() || !isHex(s.buf[s.i]) {
			s.unexpected(`behind \u`)
			return false
		}
		s.i++
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (s *scanner) literal(word string, k kind) kind {
	for i := range len(word) {
		if s.i == s.end && !s.fill() || s.buf[s.i] != word[i] {
			s.unexpected("where a value must be")
			return 0
		}
		s.i++
	}
	return k
}

// number reads a number as RFC 8259, section 6, has it.
func (s *scanner) number() kind {
	if s.buf[s.i] == '-' {
		s.i++
	}
	switch c := s.digit(); {
	case c == '0':
		s.i++
	case c == 0 || s.digits() == 0:
		return s.noNumber()
	}
	if s.more() && s.buf[s.i] == '.' {
		s.i++
		if s.digits() == 0 {
			return s.noNumber()
		}
	}
	if s.more() && s.buf[s.i]|0x20 == 'e' {
		s.i++
		if s.more() && (s.buf[s.i] == '+' || s.buf[s.i] == '-') {
			s.i++
		}
		if s.digits() == 0 {
			return s.noNumber()
		}
	}
	return '0'
}

func (s *scanner) noNumber() kind {
	s.unexpected("in a number")
	return 0
}

func (s *scanner) more() bool { return s.i < s.end || s.fill() }

// digit returns the next byte if it is a digit, and else 0.
func (s *scanner) digit() byte {
	if s.more() && '0' <= s.buf[s.i] && s.buf[s.i] <= '9' {
		return s.buf[s.i]
	}
	return 0
}

// digits skips digits and returns how many there were.
func (s *scanner) digits() (n int) {
	for s.digit() != 0 {
		s.i++
		n++
	}
	return n
}
