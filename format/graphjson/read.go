package graphjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/trunklog/trunklog/call"
)

// follow stands in for the beginning of an object, so that the grammar accepts members read from
// behind another one on.
const follow = `{"":0`

// An outcome says where the reading of an object or value stopped.
type outcome uint8

const (
	faulty   outcome = iota // at a byte that the grammar forbids; see fault
	complete                // behind its end
	within                  // in front of a member's value that may hold records: row.inner
	tooLarge                // it has more than maxRecord bytes
)

// A grammar parses the JSON of one record as it comes: it waits for no byte that the record does
// not need.
type grammar struct {
	dec     *jsontext.Decoder // nil until it is needed
	view    view              // what it reads
	skipped int               // how many bytes given to it are not of the input

	fault error // why reading stopped
}

// Of several members of one name the last one stands, and invalid UTF-8 concerns only the reader of
// that text.
var (
	duplicates = jsontext.AllowDuplicateNames(true)
	anyBytes   = jsontext.AllowInvalidUTF8(true)
)

// A view is the input from the beginning of a record on, up to its limit.
type view struct {
	d      *decoder
	before string // text that comes first
	fenced bool   // a line that begins with a brace is another record
	fence  bool   // it has ended there
}

var errTooMuch = errors.New("too much for a record")

// Read implements [io.Reader]. It waits for at most one byte, except in front of a possible fence.
func (v *view) Read(p []byte) (int, error) {
	if v.before != "" {
		n := copy(p, v.before)
		v.before = v.before[n:]
		return n, nil
	}
	s := v.d.scanner
	switch {
	case s.i-s.start > maxRecord:
		return 0, errTooMuch
	case !s.more():
		return 0, io.EOF // or the error in s.err
	}
	if v.fenced && s.buf[s.i] == '\n' && s.has(2) && s.buf[s.i+1] == '{' {
		v.fence = true
		return 0, io.EOF
	}
	b := s.buf[s.i:s.end]
	if n := bytes.IndexByte(b[1:], '\n'); v.fenced && n >= 0 {
		b = b[:1+n]
	}
	n := copy(p, b)
	s.i += n
	return n, nil
}

// begin starts to read the record, or the rest of it behind a member.
func (d *decoder) begin(before string) {
	d.i = d.start
	d.skipped = len(before)
	d.view = view{d: d, before: before, fenced: d.oneLiners && before == ""}
	if d.dec == nil {
		d.dec = jsontext.NewDecoder(&d.view, duplicates, anyBytes)
	} else {
		d.dec.Reset(&d.view, duplicates, anyBytes)
	}
}

// at returns the reading position, counted from the beginning of the record.
func (d *decoder) at() int { return int(d.dec.InputOffset()) - d.skipped }

// members reads the members of an object up to its closing brace: from its opening brace on or, if
// inside, from behind a member. It notes the relevant ones in d.row, and stops in front of a value
// that may hold records.
func (d *decoder) members(inside bool) outcome {
	d.row.reset()
	if inside {
		d.begin(follow)
	} else {
		d.begin("")
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return d.broke(err)
	}
	for n := 0; ; n++ {
		behind := d.at()
		name, err := d.dec.ReadToken()
		switch {
		case err != nil:
			return d.broke(err)
		case name.Kind() == jsontext.KindEndObject:
			d.i = d.start + d.at()
			return complete
		}
		p := propertyUnknown
		if behind >= 0 { // otherwise it stands in follow
			p = d.row.property(n, d.buf[d.following(behind):d.start+d.at()])
		}
		if p.wraps() && !d.row.isRow {
			if got := d.enterable(p); got != complete {
				return got
			}
		}
		v, err := d.dec.ReadValue()
		if err != nil {
			return d.broke(err)
		}
		if p != propertyUnknown {
			to := d.at()
			d.row.note(p, value{int32(to - len(v)), int32(to), kindOf(v)})
		}
	}
}

// following returns the buffer position of the next token, given a position in the record: behind
// white space, a comma or a colon.
func (d *decoder) following(at int) int {
	for i := d.start + at; ; i++ {
		switch d.buf[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
		default:
			return i
		}
	}
}

// value reads a value of any kind.
func (d *decoder) value() (kind, outcome) {
	d.begin("")
	v, err := d.dec.ReadValue()
	if err != nil {
		return 0, d.broke(err)
	}
	d.i = d.start + d.at()
	return kindOf(v), complete
}

// broke notes why reading stopped, and moves to that place.
func (d *decoder) broke(err error) outcome {
	var syntax *jsontext.SyntacticError
	switch ended := errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF); {
	case errors.Is(err, errTooMuch):
		return tooLarge
	case ended && d.view.fence:
		d.fault = fmt.Errorf("%w: the record breaks off", call.ErrInvalid)
	case ended || !errors.As(err, &syntax):
		d.fault = io.ErrUnexpectedEOF
	default:
		d.i = max(d.start, d.start+int(syntax.ByteOffset)-d.skipped)
		in, n := d.dec.StackIndex(d.dec.StackDepth())
		d.fault = faultWords(syntax.Err.Error(), d.buf[min(d.i, d.end):d.end], in == jsontext.KindBeginObject && n%2 == 0)
	}
	return faulty
}

// places translate the grammar's words for a place. The originals show the character, which may be
// part of a name or number.
var places = []struct{ theirs, ours string }{
	{"escape sequence", "behind a backslash"},
	{"in string", "in a text"},
	{"in number", "in a number"},
	{"after object value", "behind a value"},
	{"after array element", "in a list"},
	{"after object name", "behind the name of a property"},
	{"", "where a value must be"},
}

// faultWords describes the fault in front of rest. Between means that it lies between two members
// of the outermost object.
func faultWords(theirs string, rest []byte, between bool) error {
	if strings.Contains(theirs, "max depth") {
		return fmt.Errorf("%w: thousands of values within each other", call.ErrInvalid)
	}
	i := slices.IndexFunc(places, func(p struct{ theirs, ours string }) bool { return strings.Contains(theirs, p.theirs) })
	where := places[i].ours
	closes := len(rest) > 0 && (rest[0] == ']' || rest[0] == '}')
	switch {
	case between && where == "where a value must be":
		where = "where the name of a property must be"
	case !between && where == "behind a value" && closes:
		where = "where a value must be"
	}
	if len(rest) == 0 || rest[0] >= ' ' {
		return fmt.Errorf("%w: no JSON: an unexpected character %s", call.ErrInvalid, where)
	}
	if where == "in a text" {
		where += ", whose closing quote is missing"
	}
	return fmt.Errorf("%w: a line break or another control character %s", call.ErrInvalid, where)
}
