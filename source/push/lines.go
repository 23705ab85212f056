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
	// maxLine is the largest size of a line of JSON lines, in bytes.
	maxLine = 1 << 20
	// maxRaw is how many bytes of a bad record a sample has.
	maxRaw = 4 << 10
)

// Lines gives a body to a decoder, at most one line at a time, so that the line of each record is
// known. For the decoder the body ends in front of each line that is not for it. The caller then
// takes that line with special, and decodes the rest with a new decoder.
type lines struct {
	*buffers

	oneEach bool // JSON lines: a record has one line at most

	rest   []byte // the part of the line that Read has not returned yet
	middle bool   // the line continues behind rest

	what lineKind
	text []byte // the line that is not for the decoder

	line  int64 // number of the line of the last byte that Read returned, or of text
	feeds int64 // line feeds read so far
	begun int64 // feeds when the decoder began

	err error
}

// A lineKind says how to decode a line.
type lineKind uint8

const (
	// forDecoder is a line for the decoder that reads all the others.
	forDecoder lineKind = iota
	// event is a line for decodeEvent.
	event
	// alone is a line for a decoder of its own. It is no plain row, so a shared decoder might look
	// for its end, or for the next row, in the lines behind it. Making a decoder takes longer than
	// reading a row.
	alone
	// tooLong is a line that is skipped; text is its beginning.
	tooLong
)

func newLines(r io.Reader, oneEach bool) *lines {
	l := &lines{oneEach: oneEach, buffers: linesBuffers.Get().(*buffers)} //nolint:forcetypeassert // the pool has nothing else
	l.br.Reset(r)
	return l
}

// Buffers are the memory for reading lines; a pool keeps them for the next body.
type buffers struct {
	br   *bufio.Reader
	long []byte
}

var linesBuffers = sync.Pool{New: func() any { return &buffers{br: bufio.NewReaderSize(nil, 64<<10)} }}

// close returns the buffers to the pool. The caller must not read any more.
func (l *lines) close() {
	l.br.Reset(nil)
	linesBuffers.Put(l.buffers)
	l.buffers = nil
}

// begin starts a new decoder's part of the body, and reports whether the next line is for a
// decoder: if not, the caller saves making one, which takes longer than reading a row.
func (l *lines) begin() bool {
	for len(l.rest) == 0 && l.err == nil && !l.middle && l.blank() {
		l.rest = nil
	}
	l.begun = l.feeds
	return l.fetch()
}

// number returns the body's number of the decoder's line n, or of the current line if n is not
// known.
func (l *lines) number(n int64) int64 {
	if n <= 0 {
		return l.line
	}
	return l.begun + n
}

// special returns the next line if it is not for the decoder. It is valid until the next Read.
func (l *lines) special() (lineKind, []byte) {
	what := l.what
	l.what = forDecoder
	return what, l.text
}

// ended reports whether the body has no more lines, for the decoder or special.
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

// fetch reads the next line, and reports whether it is for a decoder.
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

// blank takes all line breaks that come next at once, because there may be millions of them.
func (l *lines) blank() bool {
	if _, err := l.br.Peek(1); err != nil {
		return false
	}
	b, _ := l.br.Peek(l.br.Buffered()) // these bytes are in the buffer, so there is no error
	n := len(b) - len(bytes.TrimLeft(b, "\r\n"))
	if n == 0 {
		return false
	}
	l.rest = b[:n]
	l.feeds += int64(bytes.Count(l.rest, []byte{'\n'}))
	_, _ = l.br.Discard(n)
	return true
}

// slice reads to the end of the line, or as much as the buffer holds.
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
	return nil, true // the beginning of a line that breaks off is no record
}

// more reads the next piece of a line of JSON that is longer than maxLine.
func (l *lines) more() {
	b, whole := l.slice()
	l.rest, l.middle = b, !whole
	l.long = append(append(l.long[:0], l.long[max(0, len(l.long)-overlap):]...), b...)
	if names(l.long) {
		l.hidden()
	}
}

// overlap is how many bytes of a piece of a line are searched again with the next piece, because an
// event's name may cross the border.
const overlap = 64

// hidden ends the body with an error, because an event is in a line that is too long for one.
func (l *lines) hidden() {
	l.rest, l.middle = nil, false
	l.err = brokenBody("There is an event in a line of more than 1 MiB. Events stand on lines of their own.", nil)
}

// next reads the next line and decides its kind.
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
		runtime.Gosched() // let other goroutines run
		b, whole = l.slice()
		l.long = append(l.long, b...)
	}
	if l.err != nil && !errors.Is(l.err, io.EOF) {
		return nil, true
	}
	return l.long, whole
}

// skip reads to the end of the line.
func (l *lines) skip() {
	for whole := false; !whole; {
		_, whole = l.slice()
	}
}

// names reports whether b has a property called event. Graph's records have none, so a line with
// one is an event or is refused: a decoder would ignore the property and make a whole call of the
// line.
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

// isPlain reports whether a line is one object, from its first byte on, with no other objects in it
// that a decoder might take for records, as in an answer of Graph's. However wrong it is otherwise,
// a decoder finds its end in the same line and goes on with the next.
func isPlain(b []byte) bool {
	if b[0] != '{' {
		return false
	}
	depth := 1
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			end, escaped := endOfText(b, i+1)
			// A name may be written with escapes. Other texts may be too, but few are.
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

// isWrapper reports whether a property of the given name may hold records.
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

// endOfText returns the offset of the quote that ends the text which begins at i, or -1, and
// whether the text has escapes.
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
