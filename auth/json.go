package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"
)

// An object is a JSON object with unparsed values. Headers and claims come from strangers, and an
// attacker gets round a check if two readers understand the same bytes differently. Therefore an
// object is stricter than JSON: no name twice, no escapes in names, valid UTF-8 and limited depth.
type object map[string][]byte

const maxDepth = 8

var errJSON = errors.New("auth: not a plain JSON object")

// parseObject returns the members of the object in b. The values are slices of b.
func parseObject(b []byte) (object, error) {
	if !utf8.Valid(b) || !shallow(b) || !json.Valid(b) {
		return nil, errJSON
	}
	// b is well-formed from here on, so the code below only has to find its structure.
	s := jsonScanner{b: b}
	if s.next() != '{' {
		return nil, errJSON
	}
	o := object{}
	for s.next() != '}' {
		name := s.text()
		if bytes.IndexByte(name, '\\') >= 0 || o[string(name)] != nil {
			return nil, errJSON
		}
		s.next() // the colon
		o[string(name)] = s.value()
		if s.next() == '}' {
			break
		}
	}
	return o, nil
}

// shallow reports whether b, if it is JSON, is at most maxDepth levels deep below the object
// itself. It runs before [json.Valid], which needs memory for each level.
func shallow(b []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth+1 {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

// A jsonScanner reads well-formed JSON.
type jsonScanner struct {
	b []byte
	i int
}

// next skips white space, and returns and consumes the character after it.
func (s *jsonScanner) next() byte {
	s.space()
	c := s.b[s.i]
	s.i++
	return c
}

func (s *jsonScanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\t' || s.b[s.i] == '\n' || s.b[s.i] == '\r') {
		s.i++
	}
}

// text returns the content of a string whose opening quote the caller has consumed.
func (s *jsonScanner) text() []byte {
	from := s.i
	for s.b[s.i] != '"' {
		if s.b[s.i] == '\\' {
			s.i++
		}
		s.i++
	}
	s.i++
	return s.b[from : s.i-1]
}

// value returns the bytes of the next value.
func (s *jsonScanner) value() []byte {
	s.space()
	from, depth := s.i, 0
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case '"':
			s.i++
			s.text()
			if depth == 0 {
				return s.b[from:s.i]
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return s.b[from:s.i]
			}
			if depth--; depth == 0 {
				s.i++
				return s.b[from:s.i]
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return s.b[from:s.i]
			}
		}
		s.i++
	}
	return s.b[from:]
}

// text returns the string of that name; ok is false if there is none or the value is no string.
func (o object) text(name string) (s string, ok bool) {
	v := o[name]
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	if in := v[1 : len(v)-1]; bytes.IndexByte(in, '\\') < 0 {
		return string(in), true
	}
	return s, json.Unmarshal(v, &s) == nil
}

// has reports whether o has a member of that name.
func (o object) has(name string) bool { return o[name] != nil }

// texts returns the array of strings of that name.
func (o object) texts(name string) ([]string, bool) {
	var list []*string // a null in the list stays nil
	if v := o[name]; len(v) == 0 || v[0] != '[' || json.Unmarshal(v, &list) != nil {
		return nil, false
	}
	out := make([]string, len(list))
	for i, s := range list {
		if s == nil {
			return nil, false
		}
		out[i] = *s
	}
	return out, true
}

// seconds returns the whole number of that name, a NumericDate of RFC 7519.
func (o object) seconds(name string) (int64, bool) {
	return wholeSeconds(o[name])
}

// maxSeconds is the first second of the year 10000.
const maxSeconds = 253402300800

func wholeSeconds(v []byte) (int64, bool) {
	if len(v) == 0 || len(v) > 12 || v[0] < '0' || v[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	return n, err == nil && n < maxSeconds
}

// looseSeconds returns the time of that name in the forms that the libraries write: a whole number,
// the same in a string (MSAL.NET), or a number with a fraction (MSAL for Python), which it rounds
// down.
func (o object) looseSeconds(name string) (int64, bool) {
	v := o[name]
	if s, ok := o.text(name); ok {
		v = []byte(s)
	}
	if n, ok := wholeSeconds(v); ok {
		return n, true
	}
	if len(v) == 0 || len(v) > 32 || v[0] < '0' || v[0] > '9' || bytes.ContainsAny(v, "_xXpPnN") {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f < 0 || f >= maxSeconds {
		return 0, false
	}
	return int64(math.Floor(f)), true
}
