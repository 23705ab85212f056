package graphjson

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/trunklog/trunklog/call"
)

// maxTexts is how many texts with JSON may be within each other.
const maxTexts = 3

// An encoding is the form in which a text holds JSON.
type encoding uint8

const (
	noJSON encoding = iota // it holds none
	plainJSON
	base64JSON
)

// encodingOf returns the encoding of a text by its raw beginning: JSON begins with a bracket,
// perhaps behind white space or a byte order mark, and base64 with the code of such a byte.
func encodingOf(b []byte) encoding {
	for _, space := range []string{" ", `\r`, `\n`, `\t`, `\ufeff`, `\uFEFF`, bom} {
		if rest, ok := bytes.CutPrefix(b, []byte(space)); ok {
			return encodingOf(rest)
		}
	}
	if bytes.HasPrefix(b, []byte("{")) || bytes.HasPrefix(b, []byte("[")) {
		return plainJSON
	}
	head := bytes.Clone(b[:min(len(b), 12)/4*4])
	decoded, err := base64.RawStdEncoding.DecodeString(string(head[:plainBase64(head)]))
	decoded = bytes.TrimLeft(bytes.TrimPrefix(decoded, []byte(bom)), " \t\r\n")
	if err == nil && len(decoded) > 0 && (decoded[0] == '{' || decoded[0] == '[') {
		return base64JSON
	}
	return noJSON
}

// beginning is how much of a text encodingOf needs.
const beginning = 32

// text reads an answer inside a text, whose opening quote is the next byte. It decodes the text as
// a stream, which may be as large as any other input.
func (d *decoder) text() bool {
	line := d.lineHere()
	d.i++
	d.has(beginning)
	t := &textReader{s: d.scanner}
	var r io.Reader = t
	if encodingOf(d.buf[d.i:min(d.end, d.i+beginning)]) == base64JSON {
		t.base64 = true
		r = base64.NewDecoder(base64.RawStdEncoding, t)
	}
	on := true
	var failed error
	inner := decoder{scanner: newScanner(r), tally: d.tally, texts: d.texts + 1, around: d.page()}
	inner.yield = func(e call.Event, err error) bool {
		var syntax *call.SyntaxError
		var cut *CutError
		switch {
		case errors.As(err, &syntax):
			err = &call.SyntaxError{Line: line, Raw: syntax.Raw, Err: syntax.Err}
		case errors.As(err, &cut):
			err = &call.SyntaxError{Line: line, Raw: cut.Raw, Err: fmt.Errorf("%w: the answer in a text ends in the middle", call.ErrInvalid)}
		case err != nil:
			failed = err
			return false
		}
		on = d.yield(e, err)
		return on
	}
	inner.run()
	return on && d.behindText(line, t, failed)
}

// behindText goes on behind a text; failed is the error of reading it, or nil.
func (d *decoder) behindText(line int64, t *textReader, failed error) bool {
	_, err := io.Copy(io.Discard, t)
	d.hold()
	switch {
	case err != nil:
		d.fault = err
		return d.broken(line, "record")
	case failed != nil:
		d.ended()
		return d.report(line, nil, fmt.Errorf("%w: the base64 of an answer in a text is broken", call.ErrInvalid))
	}
	d.ended()
	return true
}

// A textReader reads the decoded contents of a text, from behind its opening quote on.
type textReader struct {
	s      *scanner
	base64 bool // leave unescaped base64 to its decoder
	err    error
}

// most is how many bytes an escape may stand for.
const most = 8

// Len returns how much undecoded text is in memory.
func (t *textReader) Len() int {
	for i := t.s.i; i < t.s.end; i++ {
		switch t.s.buf[i] {
		case '\\':
			i++
		case '"':
			return i - t.s.i
		}
	}
	return t.s.end - t.s.i
}

// Read implements [io.Reader].
func (t *textReader) Read(p []byte) (n int, err error) {
	for t.err == nil && n+most <= len(p) {
		n += t.piece(p[n:])
	}
	if t.base64 {
		n = plainBase64(p[:n])
	}
	return n, t.err
}

// plainBase64 drops the padding, which may be missing, and maps the URL alphabet to the standard
// one. It returns the new length.
func plainBase64(b []byte) (n int) {
	for _, c := range b {
		switch c {
		case '=':
			continue
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		b[n] = c
		n++
	}
	return n
}

// piece reads up to the next escape or the end of the text.
func (t *textReader) piece(p []byte) int {
	s := t.s
	if !s.more() {
		t.err = io.ErrUnexpectedEOF
		return 0
	}
	b := s.buf[s.i:min(s.end, s.i+len(p))]
	if n := bytes.IndexFunc(b, func(c rune) bool { return c < ' ' || c == '"' || c == '\\' }); n >= 0 {
		b = b[:n]
	}
	if len(b) > 0 {
		s.i += len(b)
		return copy(p, b)
	}
	switch s.buf[s.i] {
	case '"':
		s.i++
		t.err = io.EOF
	case '\\':
		return t.escape(p)
	default:
		t.err = faultWords("in string", s.buf[s.i:s.end], false)
	}
	return 0
}

// escape reads an escape, or two of them if they stand for one character.
func (t *textReader) escape(p []byte) int {
	const single, unicode = len(`\n`), len(`\u0000`)
	s := t.s
	size := single
	if s.has(single) && s.buf[s.i+1] == 'u' {
		size = unicode
		if s.has(2*unicode) && s.buf[s.i+2]|0x20 == 'd' && s.buf[s.i+unicode] == '\\' && s.buf[s.i+unicode+1] == 'u' {
			size = 2 * unicode
		}
	}
	if !s.has(size) {
		t.err = io.ErrUnexpectedEOF
		return 0
	}
	quoted := `"` + string(s.buf[s.i:s.i+size]) + `"`
	b, err := jsontext.AppendUnquote(nil, quoted)
	if len(b) == 0 {
		t.err = faultWords(err.Error(), s.buf[s.i:s.end], false)
	}
	s.i += size
	return copy(p, b)
}
