package csv

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/trunklog/trunklog/call"
)

const (
	// maxRecord is the most bytes of a record, and of a line.
	maxRecord = 1 << 20
	// maxLines is the most lines of a record.
	maxLines = 10_000
	// maxRaw is how much of an unreadable record an error shows.
	maxRaw = 4 << 10
)

// Records reads the records of a text table. [csv.Reader] splits each of them; this type decides
// where a record ends, so that a broken one does not harm those behind it:
//
// An open quote would make the rest of the file one field. So records joins a line with an odd
// number of quotes with those up to the next such line. If that is no sound record, it takes the
// line alone, and reads the lines behind it as if nothing had been.
//
// In a line with wrong quotes, all that do not stand before a delimiter count as text, if that
// gives the required number of fields. Otherwise the line is an error.
type records struct {
	in      *bufio.Reader
	end     byte   // of a line: '\n', or '\r' alone; 0 before the first
	read    int64  // lines
	err     error  // errEnd or an error of in, which ends reading
	again   []line // lines to read again
	dialect Dialect
	enc     decoding
	want    int // fields; 0 is any number
	spare   int // how many of them may be missing
	loose   int // records read despite wrong quotes
	parse   *csv.Reader
	buf     *bufio.Reader // of parse
	feed    feed
}

// A record is one record, and the line in which it begins.
type record struct {
	line   int64
	raw    []byte // its lines
	fields []string
}

func newRecords(r io.Reader, d Dialect) *records {
	rs := &records{dialect: d, in: bufio.NewReaderSize(&sticky{Reader: r}, 64<<10)}
	rs.enc.encoding = d.Encoding
	rs.buf = bufio.NewReaderSize(&rs.feed, 64<<10)
	rs.parse = csv.NewReader(rs.buf)
	rs.parse.ReuseRecord, rs.parse.FieldsPerRecord = true, -1
	rs.delimit(d.Delimiter)
	if d.Headerless {
		rs.want, rs.spare = d.Fields, d.Optional
	}
	return rs
}

// delimit sets the delimiter; 0 is a comma.
func (r *records) delimit(delimiter byte) {
	if delimiter == 0 {
		delimiter = ','
	}
	r.parse.Comma = rune(delimiter)
}

// next returns the next record, valid until the call after, or a [call.SyntaxError], after which
// the caller can go on; errEnd at the end. A record with a wrong number of fields comes with its
// error. next skips empty records.
func (r *records) next() (record, error) {
	for {
		l, err := r.line()
		if err != nil {
			return record{}, err
		}
		if !l.long && len(bytes.TrimSpace(l.text)) == 0 {
			continue
		}
		rec, wrong, err := r.record(l)
		switch {
		case err != nil:
			return record{}, err
		case wrong == nil && blank(rec.fields):
			continue
		case wrong == nil && !r.fits(rec.fields):
			wrong = r.wrongNumber(len(rec.fields))
		}
		if wrong != nil {
			return rec, &call.SyntaxError{Line: rec.line, Raw: head(rec.raw), Err: wrong}
		}
		return rec, nil
	}
}

// fits returns an error if a record has a wrong number of fields.
func (r *records) fits(fields []string) bool {
	return r.want == 0 || len(fields) <= r.want && len(fields) >= r.want-r.spare
}

func (r *records) wrongNumber(n int) error {
	if r.spare > 0 {
		return fmt.Errorf("%w: the record has %d fields, not %d to %d", call.ErrInvalid, n, r.want-r.spare, r.want)
	}
	return fmt.Errorf("%w: the record has %d fields, not %d", call.ErrInvalid, n, r.want)
}

// blank reports whether all fields are empty.
func blank(fields []string) bool {
	for _, f := range fields {
		if f != "" && strings.TrimSpace(f) != "" {
			return false
		}
	}
	return true
}

// The faults of a record, besides its number of fields.
var (
	errQuote = fmt.Errorf("%w: a quote that does not end, or that stands within a field without being doubled", call.ErrInvalid)
	errLong  = fmt.Errorf("%w: the record has more than %d bytes", call.ErrInvalid, maxRecord)
)

// head returns a copy of b, cut to maxRaw.
func head(b []byte) []byte { return bytes.Clone(b[:min(len(b), maxRaw)]) }

// record parses the record that begins with l. The second error is the reader's.
func (r *records) record(l line) (rec record, wrong, err error) {
	rec.line, rec.raw = l.number, l.text
	if l.long {
		return rec, errLong, nil
	}
	if odd(l.text) {
		text, behind, err := r.join(&l)
		if err != nil {
			return rec, nil, err
		}
		if behind != nil {
			fields, wrong := r.split(text)
			if wrong == nil && r.fits(fields) {
				rec.raw, rec.fields = text, fields
				return rec, nil, nil
			}
			r.again = append(behind, r.again...)
		}
		rec.raw = l.text
	}
	if rec.fields, wrong = r.split(rec.raw); errors.Is(wrong, errQuote) && r.splitLoose(&rec) {
		r.loose++
		wrong = nil
	}
	return rec, wrong, nil
}

func odd(b []byte) bool { return bytes.Count(b, []byte{'"'})%2 == 1 }

// join reads on to the next line that has an odd number of quotes, as l has, and returns the text
// of these lines, and the lines behind l. If no such line is near enough, behind is nil, and the
// lines will be read again. The text of l stays valid.
func (r *records) join(l *line) (text []byte, behind []line, err error) {
	text = bytes.Clone(l.text)
	l.text = text[:len(text):len(text)]
	for {
		next, err := r.line()
		if err != nil && !errors.Is(err, errEnd) {
			return nil, nil, err
		}
		end := err != nil || next.long || len(text)+1+len(next.text) > maxRecord || len(behind) == maxLines
		if err == nil {
			behind = append(behind, line{next.number, bytes.Clone(next.text), next.long})
		}
		if end {
			r.again = append(behind, r.again...)
			return nil, nil, nil
		}
		text = append(append(text, r.end), next.text...)
		if odd(next.text) {
			return text, behind, nil
		}
	}
}

// split splits the text of a record. The fields are valid until the next call.
func (r *records) split(text []byte) ([]string, error) {
	text, err := r.enc.utf8(text)
	if err != nil {
		return nil, err
	}
	r.feed = feed{text: text}
	r.buf.Reset(&r.feed)
	fields, err := r.parse.Read()
	if err != nil {
		return nil, errQuote
	}
	return fields, nil
}

// splitLoose splits a line with wrong quotes, and reports whether it then has the right number of
// fields. A field that swallows the end of the line has an open quote.
func (r *records) splitLoose(rec *record) bool {
	if r.want == 0 {
		return false
	}
	r.parse.LazyQuotes = true
	fields, err := r.split(rec.raw)
	r.parse.LazyQuotes = false
	if err != nil || !r.fits(fields) || strings.HasSuffix(fields[len(fields)-1], "\n") {
		return false
	}
	rec.fields = fields
	return true
}

// A candidate is a row that may be the header.
type candidate struct {
	line  int64
	raw   []byte
	forms []form // its possible readings, the likeliest first
	wrong error  // why there is none
}

// A form is a row as one delimiter splits it.
type form struct {
	delimiter byte
	fields    []string
}

// delimiters are those that the header may reveal.
const delimiters = ",;\t|"

// candidate returns the next row, split by each possible delimiter.
func (r *records) candidate() (candidate, error) {
	l, err := r.above()
	if err != nil {
		return candidate{}, err
	}
	c := candidate{line: l.number, wrong: errLong, raw: head(l.text)}
	if l.long {
		return c, nil
	}
	text, behind := bytes.Clone(l.text), []line(nil)
	if odd(text) {
		if text, behind, err = r.join(&l); err != nil {
			return c, err
		}
		if behind == nil {
			text = l.text
		}
	}
	possible := delimiters
	if r.dialect.Delimiter != 0 {
		possible = string(rune(r.dialect.Delimiter))
	}
	for i := range len(possible) {
		r.delimit(possible[i])
		fields, err := r.split(text)
		if err != nil {
			c.wrong = err
			continue
		}
		c.forms = append(c.forms, form{possible[i], slices.Clone(fields)})
	}
	if len(c.forms) == 0 {
		r.again = append(behind, r.again...)
	}
	return c, nil
}

// preface reports whether a line above the table describes its syntax: sep=; of Excel, or the #TYPE
// of PowerShell's Export-Csv.
func (r *records) preface(l line) bool {
	const most = 2 // lines
	text := bytes.Trim(l.text, "\"")
	switch {
	case l.number > most:
		return false
	case bytes.HasPrefix(text, []byte("#TYPE ")):
		return true
	case len(text) > len("sep=;") || len(text) < len("sep=") || !strings.EqualFold(string(text[:len("sep=")]), "sep="):
		return false
	}
	if sep := text[len("sep="):]; r.dialect.Delimiter == 0 && len(sep) == 1 && canDelimit(sep[0]) {
		r.dialect.Delimiter = sep[0]
		r.delimit(sep[0])
	}
	return true
}

// canDelimit reports whether a byte can stand between fields.
func canDelimit(c byte) bool { return c < 0x80 && c > 0 && !strings.ContainsRune("\"\r\n", rune(c)) }

// begin sets the form of the header.
func (r *records) begin(f form) {
	r.delimit(f.delimiter)
	r.want, r.spare = len(f.fields), 0
}

// first prepares a table without a header. If the delimiter is unknown, it takes the one that gives
// the first record the right number of fields.
func (r *records) first() error {
	l, err := r.above()
	if errors.Is(err, errEnd) {
		return nil
	}
	if err != nil {
		return err
	}
	r.again = append([]line{{l.number, bytes.Clone(l.text), l.long}}, r.again...)
	if r.dialect.Delimiter != 0 || r.want < 2 || l.long {
		return nil
	}
	for i := range len(delimiters) {
		r.delimit(delimiters[i])
		if fields, err := r.split(l.text); err == nil && r.fits(fields) {
			return nil
		}
	}
	r.delimit(0)
	return nil
}

// above returns the next line that is not empty and no preface.
func (r *records) above() (line, error) {
	for {
		l, err := r.line()
		if err != nil || l.long || len(bytes.TrimSpace(l.text)) > 0 && !r.preface(l) {
			return l, err
		}
	}
}

// A feed gives csv.Reader one record and the end of a line.
type feed struct {
	text []byte
	done bool
}

func (f *feed) Read(b []byte) (n int, err error) {
	if f.done {
		return 0, io.EOF
	}
	n = copy(b, f.text)
	if f.text = f.text[n:]; n < len(b) {
		b[n] = '\n'
		n, f.done = n+1, true
	}
	return n, nil
}

// errEnd is the end of the input. It is not io.EOF, because the error of a failed reader may wrap
// that.
var errEnd = errors.New("the end")

// withoutInvalid is the text of err without the "invalid: " of [call.ErrInvalid], for an error that
// adds it again.
func withoutInvalid(err error) string {
	return strings.TrimPrefix(err.Error(), call.ErrInvalid.Error()+": ")
}
