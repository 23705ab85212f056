package csv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

const (
	// maxRecord is the most bytes of a record, and of a line.
	maxRecord = 1 << 20
	// maxLines is the most lines of a record.
	maxLines = 10_000
	// maxRaw is how much of a record that cannot be read is shown.
	maxRaw = 4 << 10
)

// A line is one line of the input, without its line break.
type line struct {
	number int64
	text   []byte
	long   bool // it had more than maxRecord bytes; text is its beginning
}

// Records reads the records of RFC 4180. A record that is broken does not
// affect those behind it:
//
// A quote that does not end would make the rest of the file one field. So when
// a record whose quotes span lines does not come out right, only its first
// line is given up, and the lines behind it are read again as if they began
// records. Those that do not are counted as part of the broken one.
type records struct {
	dialect Dialect
	in      *bufio.Reader
	end     byte   // of a line: '\n', or '\r' alone; 0 before the first
	read    int64  // lines
	err     error  // errEnd or an error of in, which is not asked again
	again   []line // to be read again
	want    int    // fields; 0 is any number
	fields  []string
	ready   *record // read already, behind a broken one
}

// A record is one record, and the line in which it begins.
type record struct {
	line   int64
	raw    []byte // its lines
	fields []string
}

func newRecords(r io.Reader, d Dialect) *records {
	if d.Delimiter == 0 {
		d.Delimiter = ','
	}
	rs := &records{dialect: d, in: bufio.NewReaderSize(&sticky{Reader: r}, 64<<10)}
	if d.Headerless {
		rs.want = d.Fields
	}
	return rs
}

// next returns the next record, valid until the call after, or a
// [call.SyntaxError], after which it can be called again; errEnd at the end.
func (r *records) next() (record, error) {
	if r.ready != nil {
		rec := *r.ready
		r.ready = nil
		return rec, nil
	}
	rec, wrong, err := r.record()
	switch {
	case err != nil:
		return rec, err
	case wrong == nil:
		return rec, nil
	}
	rec.raw = head(rec.raw)
	if errors.Is(wrong, errQuote) {
		r.skipTo(&rec)
	}
	return record{}, &call.SyntaxError{Line: rec.line, Raw: head(rec.raw), Err: wrong}
}

// skipTo goes to the next sound record behind a broken one. What cannot begin
// a record is part of the broken one.
func (r *records) skipTo(broken *record) {
	for {
		rec, wrong, err := r.record()
		switch {
		case err != nil:
			return // it comes again
		case wrong == nil:
			r.ready = &rec
			return
		}
		if len(broken.raw) < maxRaw {
			broken.raw = append(append(broken.raw, r.end), head(rec.raw)...)
		}
	}
}

// The ways in which a record can be wrong, besides its number of fields.
var (
	errQuote = fmt.Errorf("%w: a quote that does not end, or that stands within a field without being doubled", call.ErrInvalid)
	errLong  = fmt.Errorf("%w: the record has more than %d bytes", call.ErrInvalid, maxRecord)
	errUTF8  = fmt.Errorf("%w: the text is not UTF-8", call.ErrInvalid)
)

// head returns a copy of b, cut to maxRaw.
func head(b []byte) []byte { return bytes.Clone(b[:min(len(b), maxRaw)]) }

// record reads one record. If something is wrong with it rec.raw is its first
// line. The other error is the reader's.
func (r *records) record() (rec record, wrong, err error) {
	l, err := r.line()
	for err == nil && !l.long && len(bytes.TrimSpace(l.text)) == 0 {
		l, err = r.line()
	}
	if err != nil {
		return rec, nil, err
	}
	rec.line, rec.raw = l.number, l.text
	if l.long {
		return rec, errLong, nil
	}
	open, ok := r.scan(l.text, false)
	if !ok {
		return rec, errQuote, nil
	}
	if open {
		rec.raw, ok, err = r.join(l)
		if err != nil {
			return rec, nil, err
		}
		if !ok {
			return rec, errQuote, nil
		}
	}
	wrong = r.split(&rec)
	return rec, wrong, nil
}

// join reads on to the line in which the quote that is open in l ends, and
// returns the text of all these lines. If there is none it returns the text of
// l alone, and the lines behind it are read again.
func (r *records) join(l line) (text []byte, ok bool, err error) {
	text = bytes.Clone(l.text)
	first := len(text)
	var read []line
	for {
		l, err := r.line()
		if err != nil && !errors.Is(err, errEnd) {
			return nil, false, err
		}
		open, ok := true, false
		if err == nil {
			read = append(read, line{l.number, bytes.Clone(l.text), l.long})
			if !l.long && len(text)+1+len(l.text) <= maxRecord && len(read) < maxLines {
				text = append(append(text, r.end), l.text...)
				open, ok = r.scan(l.text, true)
			}
		}
		if ok && !open {
			return text, true, nil
		}
		if !ok {
			r.again = append(read, r.again...)
			return text[:first], false, nil
		}
	}
}

// scan follows the quotes of a line, which begins within a quoted field or
// not. It reports whether it ends within one, and whether all quotes stand
// where RFC 4180 has them.
func (r *records) scan(b []byte, quoted bool) (open, ok bool) {
	for {
		if !quoted {
			// b begins a field.
			if len(b) == 0 || b[0] != '"' {
				i := bytes.IndexByte(b, r.dialect.Delimiter)
				if i < 0 {
					return false, bytes.IndexByte(b, '"') < 0
				}
				if bytes.IndexByte(b[:i], '"') >= 0 {
					return false, false
				}
				b = b[i+1:]
				continue
			}
			b = b[1:]
		}
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			return true, true
		}
		b = b[i+1:]
		quoted = false
		switch {
		case len(b) == 0:
			return false, true
		case b[0] == '"':
			quoted = true
			b = b[1:]
		case b[0] == r.dialect.Delimiter:
			b = b[1:]
		default:
			return false, false
		}
	}
}

// split takes the text of a record, whose quotes are right, apart.
func (r *records) split(rec *record) error {
	text := ""
	switch {
	case r.dialect.Latin1:
		text = fromLatin1(rec.raw)
	case !utf8.Valid(rec.raw):
		return errUTF8
	default:
		text = string(rec.raw)
	}
	r.fields = r.fields[:0]
	for more := true; more; {
		var field string
		if text != "" && text[0] == '"' {
			field, text, more = cutQuoted(text[1:], r.dialect.Delimiter)
		} else if i := strings.IndexByte(text, r.dialect.Delimiter); i >= 0 {
			field, text = text[:i], text[i+1:]
		} else {
			field, more = text, false
		}
		r.fields = append(r.fields, field)
	}
	if r.want > 0 && len(r.fields) != r.want {
		return fmt.Errorf("%w: the record has %d fields, not %d", call.ErrInvalid, len(r.fields), r.want)
	}
	rec.fields = r.fields
	return nil
}

// cutQuoted cuts a quoted field, without its opening quote, off s.
func cutQuoted(s string, delimiter byte) (field, rest string, more bool) {
	end, doubled := 0, false
	for {
		i := strings.IndexByte(s[end:], '"')
		if end += i; end+1 < len(s) && s[end+1] == '"' {
			doubled = true
			end += 2
			continue
		}
		break
	}
	field, rest = s[:end], s[end+1:]
	if doubled {
		field = strings.ReplaceAll(field, `""`, `"`)
	}
	if rest != "" && rest[0] == delimiter {
		return field, rest[1:], true
	}
	return field, "", false
}

func fromLatin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

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
		l.text = bytes.TrimSuffix(bytes.TrimSuffix(l.text, []byte{r.end}), []byte{'\r'})
		l.long = len(l.text) > maxRecord
	}
	return l, nil
}

// longLine reads on a line that is larger than the buffer of r.in. Of one that
// is too long it keeps the beginning.
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

// slice reads up to the end of a line, or until the buffer is full. After the
// end or an error of the reader r.err is set.
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

// lineEnd returns the byte with which the lines of r end, by what its buffer
// can hold: a carriage return alone, as old Macs and some exports of Excel
// have it, if there is one and no line feed. It reads no further than the first
// line feed.
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

// A sticky reader is not asked again after its end or an error.
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

// errEnd is the end of the input. It is not io.EOF, because a reader that fails
// may have wrapped that.
var errEnd = errors.New("the end")

// withoutInvalid is the text of err without the "invalid: " of
// [call.ErrInvalid], for an error that says that itself.
func withoutInvalid(err error) string {
	return strings.TrimPrefix(err.Error(), call.ErrInvalid.Error()+": ")
}
