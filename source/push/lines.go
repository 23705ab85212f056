package push

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
)

const (
	// maxLine is how many bytes a line of JSON lines may have.
	maxLine = 1 << 20
	// maxRaw is how much of a record that was not taken is shown.
	maxRaw = 4 << 10
)

// Lines hands a body out to a decoder, never more than one line at a time, so
// that it is known which line a record was found in. To the decoder the body
// ends in front of each line that is not for it. Whoever reads takes that line
// with special, and has the rest decoded anew.
type lines struct {
	*buffers

	oneEach bool // JSON lines: no record has more than one line

	rest   []byte // of the line, to be handed out
	middle bool   // the line goes on behind rest

	what lineKind
	text []byte // of a line that is not for the decoder

	line  int64 // of the last byte that was handed out or is special
	feeds int64 // line feeds that were read
	begun int64 // line feeds in front of what the decoder was given

	err error
}

// A lineKind says what is to be done with a line.
type lineKind uint8

const (
	// forDecoder is for the decoder that reads all the others.
	forDecoder lineKind = iota
	// event is to be read in another way.
	event
	// alone is for a decoder of its own. It is no plain row, so that a decoder
	// might look for its end, or for the next row, in the lines behind. Making
	// one takes longer than to read a row.
	alone
	// tooLong is not read at all; text is its beginning.
	tooLong
)

func newLines(r io.Reader, oneEach bool) *lines {
	l := &lines{oneEach: oneEach, buffers: linesBuffers.Get().(*buffers)} //nolint:forcetypeassert // the pool has nothing else
	l.br.Reset(r)
	return l
}

// Buffers are what reading lines needs, kept for the next body.
type buffers struct {
	br   *bufio.Reader
	long []byte
}

var linesBuffers = sync.Pool{New: func() any { return &buffers{br: bufio.NewReaderSize(nil, 64<<10)} }}

// close lets others have the buffers. Nothing may be read any more.
func (l *lines) close() {
	l.br.Reset(nil)
	linesBuffers.Put(l.buffers)
	l.buffers = nil
}

// begin is called before the body is given to a decoder, and reports whether
// what comes next is for one: making one takes longer than to read a row.
func (l *lines) begin() bool {
	for len(l.rest) == 0 && l.err == nil && !l.middle && l.blank() {
		l.rest = nil
	}
	l.begun = l.feeds
	return l.fetch()
}

// number returns the number in the body of what the decoder calls line n.
func (l *lines) number(n int64) int64 {
	if n <= 0 {
		return l.line
	}
	return l.begun + n
}

// special returns the line that is not for the decoder, if one comes next. It
// is good until the next call of Read.
func (l *lines) special() (lineKind, []byte) {
	what := l.what
	l.what = forDecoder
	return what, l.text
}

// ended reports whether there is nothing more to decode.
func (l *lines) ended() bool {
	return l.err != nil && len(l.rest) == 0 && l.what == forDecoder
}

// Read implements [io.Reader].
func (l *lines) Read(p []byte) (int, error) {
	if !l.fetch() {
		return 0, cmp.Or(l.err, io.EOF)
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// fetch reads up to what comes next, and reports whether it is for a decoder.
func (l *lines) fetch() bool {
	for len(l.rest) == 0 {
		switch {
		case l.what != forDecoder, l.err != nil:
			return false
		case l.middle:
			l.more()
		case !l.blank():
			l.next()
		}
	}
	return true
}

// blank takes the line breaks that come next, all at once: there may be
// millions of them.
func (l *lines) blank() bool {
	if _, err := l.br.Peek(1); err != nil {
		return false
	}
	b, _ := l.br.Peek(l.br.Buffered()) // it is there
	n := len(b) - len(bytes.TrimLeft(b, "\r\n"))
	if n == 0 {
		return false
	}
	l.rest = b[:n]
	l.feeds += int64(bytes.Count(l.rest, []byte{'\n'}))
	_, _ = l.br.Discard(n)
	return true
}

// slice reads up to the end of the line, or as much as the buffer holds.
func (l *lines) slice() (b []byte, whole bool) {
	b, err := l.br.ReadSlice('\n')
	switch {
	case err == nil:
		l.feeds++
		return b, true
	case errors.Is(err, bufio.ErrBufferFull):
		return b, false
	case errors.Is(err, io.EOF):
		l.err = io.EOF
		return b, true
	}
	l.err = err
	return nil, true // what is left of a line that breaks off is no record
}

// more reads on in a line of JSON that is too long to be looked at whole.
func (l *lines) more() {
	b, whole := l.slice()
	l.rest, l.middle = b, !whole
	l.long = append(append(l.long[:0], l.long[max(0, len(l.long)-overlap):]...), b...)
	if names(l.long) {
		l.hidden()
	}
}

// overlap is how much of a piece of a line is looked at again with the next
// one, because an event's name may lie across the border.
const overlap = 64

// hidden ends the body because of an event where none may be.
func (l *lines) hidden() {
	l.rest, l.middle = nil, false
	l.err = brokenBody("There is an event in a line of more than 1 MiB. Events stand on lines of their own.", nil)
}

// next reads the line that comes next.
func (l *lines) next() {
	line := l.feeds + 1
	b, whole := l.slice()
	if len(b) > 0 {
		l.line = line
	}
	if !whole {
		b, whole = l.gather(b)
	}
	switch {
	case whole && names(b):
		l.what, l.text = event, b
	case whole && l.oneEach && len(b) > 0 && !isPlain(b):
		l.what, l.text = alone, b
	case whole:
		l.rest = b
	case l.oneEach:
		l.what, l.text = tooLong, bytes.Clone(b[:maxRaw])
		l.skip()
	case names(b):
		l.hidden()
	default:
		l.rest, l.middle = b, true
	}
}

// gather reads a line that does not fit into the buffer, up to maxLine.
func (l *lines) gather(b []byte) (_ []byte, whole bool) {
	l.long = append(l.long[:0], b...)
	for !whole && len(l.long) < maxLine {
		runtime.Gosched() // others come in between
		b, whole = l.slice()
		l.long = append(l.long, b...)
	}
	if l.err != nil && !errors.Is(l.err, io.EOF) {
		return nil, true
	}
	return l.long, whole
}

// skip reads up to the end of the line.
func (l *lines) skip() {
	for whole := false; !whole; {
		_, whole = l.slice()
	}
}

// names reports whether b has a property that is called event. No record of
// Graph's has, so that what does is an event, or nothing that can be taken:
// decoders skip what they do not know, and would make a whole call of it.
func names(b []byte) bool {
	const name = `"event"`
	for {
		i := bytes.Index(b, []byte(name))
		if i < 0 {
			return false
		}
		b = bytes.TrimLeft(b[i+len(name):], " \t\r\n")
		if len(b) > 0 && b[0] == ':' {
			return true
		}
	}
}

// isPlain reports whether a line is one object, from its first byte on, in which
// there are no others that a decoder might take for records, as in an answer of
// Graph's. Whatever else may be wrong with it, a decoder finds its end in it and
// is then where it was before.
func isPlain(b []byte) bool {
	if b[0] != '{' {
		return false
	}
	depth := 1
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			end, escaped := endOfText(b, i+1)
			// A name may be written with escapes; so may other texts, but few are.
			if end < 0 || depth == 1 && (escaped || isWrapper(b[i+1:end])) {
				return false
			}
			i = end
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return b[i] == '}' && len(bytes.TrimRight(b[i+1:], " \t\r\n")) == 0
			}
		}
	}
	return false
}

// isWrapper reports whether records may be in a property with the given name.
func isWrapper(name []byte) bool {
	const shortest, longest = len("body"), len("responses")
	if len(name) < shortest || len(name) > longest {
		return false
	}
	for _, w := range [...]string{"value", "body", "outputs", "content", "$content", "responses"} {
		if len(name) == len(w) && strings.EqualFold(string(name), w) {
			return true
		}
	}
	return false
}

// endOfText returns where the text ends that begins at i, or -1, and whether
// there are escapes in it.
func endOfText(b []byte, i int) (end int, escaped bool) {
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i, escaped
		case '\\':
			escaped = true
			i++
		}
	}
	return -1, escaped
}
