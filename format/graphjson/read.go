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

// window is how much of what is in memory is read as a record at first. Graph's
// have less than 2 KiB.
const window = 4 << 10

// follow stands, to the grammar, in front of members that are read from behind
// another one on.
const follow = `{"":0`

// An outcome says how reading an object or value has ended.
type outcome uint8

const (
	faulty   outcome = iota // at something that may not stand there; see fault
	complete                // behind its end
	within                  // in front of a member's value that may hold records: row.inner
	tooLarge                // it has more than maxRecord bytes
	short                   // what is in memory does not reach to its end
)

// A grammar takes the JSON of one record apart. Most records lie whole in memory
// and are read there, without being copied. All others are read as they come:
// no byte is waited for that the record does not need.
type grammar struct {
	memory, stream *jsontext.Decoder
	dec            *jsontext.Decoder // the one of them that is in use

	mem     bytes.Buffer // what memory reads
	view    view         // what stream reads
	fence   bool         // what is read ends in front of another record
	skipped int          // how much of what was read is not the input's

	fault error // what was wrong where reading stopped
}

// Of several members of one name the last one stands, and what is no UTF-8 is
// the matter of who needs the text.
var (
	duplicates = jsontext.AllowDuplicateNames(true)
	anyBytes   = jsontext.AllowInvalidUTF8(true)
)

func restart(d **jsontext.Decoder, r io.Reader) {
	if *d == nil {
		*d = jsontext.NewDecoder(r, duplicates, anyBytes)
	} else {
		(*d).Reset(r, duplicates, anyBytes)
	}
}

// A view is the input from the beginning of a record on, as far as the record
// may reach.
type view struct {
	d      *decoder
	before string // what comes first
	fenced bool   // a line that begins with a brace is another record
}

var errTooMuch = errors.New("too much for a record")

// Read implements [io.Reader]. It waits for no more than one byte, but in front of
// what may be a fence.
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
		return 0, io.EOF // or whatever s.err says
	}
	if v.fenced && s.buf[s.i] == '\n' && s.has(2) && s.buf[s.i+1] == '{' {
		v.d.fence = true
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

// inMemory begins to read what is in memory of the record.
func (d *decoder) inMemory() {
	b := d.buf[d.i:min(d.end, d.i+window)]
	d.fence, d.skipped = false, 0
	for n := 0; d.oneLiners && !d.fence; n++ {
		line := bytes.IndexByte(b[n:], '\n')
		if n += line; line < 0 || n+1 == len(b) {
			break
		}
		if b[n+1] == '{' {
			b, d.fence = b[:n], true
		}
	}
	d.mem = *bytes.NewBuffer(b)
	restart(&d.memory, &d.mem)
	d.dec = d.memory
}

// asItComes begins to read the record, or what stands behind a member of it.
func (d *decoder) asItComes(before string) {
	d.i = d.start
	d.fence, d.skipped = false, len(before)
	d.view = view{d: d, before: before, fenced: d.oneLiners && before == ""}
	restart(&d.stream, &d.view)
	d.dec = d.stream
}

// at returns where reading is, counted from the beginning of the record.
func (d *decoder) at() int { return int(d.dec.InputOffset()) - d.skipped }

// members reads the members of an object up to its closing brace: from its
// opening brace on or, if inside, from behind a member. It notes in d.row what
// matters of them, and stops in front of a value that may hold records.
func (d *decoder) members(inside bool) outcome {
	before := follow
	if !inside {
		d.row.reset()
		d.inMemory()
		if got := d.walk(); got != short {
			return got
		}
		before = ""
	}
	d.row.reset()
	d.asItComes(before)
	return d.walk()
}

// walk goes through an object, from its brace on.
func (d *decoder) walk() outcome {
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
		if behind >= 0 { // else it stands in follow
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

// following returns where in memory what follows begins, from a place in the
// record on: behind white space, a comma or a colon.
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
	d.asItComes("")
	v, err := d.dec.ReadValue()
	if err != nil {
		return 0, d.broke(err)
	}
	d.i = d.start + d.at()
	return kindOf(v), complete
}

// broke notes why reading could not go on, and goes to where that was.
func (d *decoder) broke(err error) outcome {
	var syntax *jsontext.SyntacticError
	switch ended := errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF); {
	case errors.Is(err, errTooMuch):
		return tooLarge
	case ended && d.fence:
		if d.dec == d.memory {
			d.i = d.start + d.at() + len(d.dec.UnreadBuffer())
		}
		d.fault = fmt.Errorf("%w: the record breaks off", call.ErrInvalid)
	case ended && d.dec == d.memory:
		return short
	case ended || !errors.As(err, &syntax):
		d.fault = io.ErrUnexpectedEOF
	default:
		d.i = max(d.start, d.start+int(syntax.ByteOffset)-d.skipped)
		in, n := d.dec.StackIndex(d.dec.StackDepth())
		d.fault = faultWords(syntax.Err.Error(), d.buf[min(d.i, d.end):d.end], in == jsontext.KindBeginObject && n%2 == 0)
	}
	return faulty
}

// places are words for where something unexpected stands, by those of the
// grammar. Theirs show the character, which may be part of a name or number.
var places = []struct{ theirs, ours string }{
	{"escape sequence", "behind a backslash"},
	{"in string", "in a text"},
	{"in number", "in a number"},
	{"after object value", "behind a value"},
	{"after array element", "in a list"},
	{"after object name", "behind the name of a property"},
	{"", "where a value must be"},
}

// faultWords says what is wrong in front of rest. Between says that it is
// between two members of the outermost object.
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
