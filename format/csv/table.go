package csv

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/trunklog/trunklog/call"
)

// A Dialect says how a table is written. The zero value is RFC 4180 with a header
// row, and what is told from the text itself.
type Dialect struct {
	Delimiter  byte // between fields; 0 is a comma, or the one with which the header is known
	Headerless bool // the first record is a record like all others
	Fields     int  // how many a record of a headerless table must have; 0 is any number
	Optional   int  // how many of these, at the end, it need not have
	Encoding   Encoding
	// Note is told what was left out or read in another way than it stands there,
	// in words for whoever imports it. It may be nil.
	Note func(text string)
}

// Table returns the decoder of a table of which each record is a call.
//
// It calls columns with the fields of what may be the header: of the first rows,
// with each delimiter that is possible, until it returns no error. For a table
// without a header it is called once, with nil. If no row is the header the error
// about the one that is most like it is the last thing that is decoded. Else what
// columns has returned is called with the fields of each record. An error of that
// is reported as a [call.SyntaxError], and so is a record that has more than
// 1 MiB, another number of fields than the header, text that is not in the right
// encoding, or a quote that does not end. The fields are the receiver's, but not
// the slice that holds them.
//
// What holds nothing, such as a line of delimiters, is no record, nor is a header
// that comes again where files were put behind each other. An input that is a
// [Sheet] is read as such.
//
// The parameters have no names of their own, so that other formats can be
// tables without importing this package.
func Table(d Dialect, columns func(header []string) (event func(fields []string) (call.Event, error), err error)) call.Decoder {
	if d.Note == nil {
		d.Note = func(string) {}
	}
	return func(r io.Reader) iter.Seq2[call.Event, error] {
		return func(yield func(call.Event, error) bool) {
			t := &table{dialect: d, columns: columns}
			if s, ok := r.(Sheet); ok {
				t.in = &rows{Sheet: s, want: d.Fields}
			} else {
				t.text = newRecords(r, d)
				t.in = t.text
			}
			switch goOn, err := t.begin(yield); {
			case err != nil:
				yield(call.Event{}, err)
			case goOn:
				t.decode(yield)
			}
		}
	}
}

// A table is one input while it is decoded.
type table struct {
	dialect Dialect
	columns func([]string) (func([]string) (call.Event, error), error)
	event   func([]string) (call.Event, error)
	in      interface {
		first() error
		candidate() (candidate, error)
		begin(form)
		next() (record, error)
	}
	text    *records // in, if that is text
	header  []string
	headers []header // all that came so far
	again   int      // how often one came again
}

// A header is one that came, and what is made of the records behind it.
type header struct {
	names []string
	event func([]string) (call.Event, error)
}

// decode decodes the records.
func (t *table) decode(yield func(call.Event, error) bool) {
	for {
		rec, err := t.in.next()
		var e call.Event
		switch {
		case errors.Is(err, errEnd):
			t.note()
			return
		case err != nil:
		case t.isHeader(rec.fields):
			continue
		default:
			if e, err = t.event(rec.fields); err != nil {
				e, err = call.Event{}, rec.wrong(err)
			}
		}
		var syntax *call.SyntaxError
		isSyntax := errors.As(err, &syntax)
		if isSyntax && t.otherHeader(rec.fields) {
			continue
		}
		if !yield(e, err) || err != nil && !isSyntax {
			return
		}
	}
}

// wrong returns err as what is wrong with the record.
func (r *record) wrong(err error) *call.SyntaxError {
	raw := head(r.raw)
	if r.raw == nil {
		raw = rowText(r.fields)
	}
	return &call.SyntaxError{Line: r.line, Raw: raw, Err: err}
}

// isHeader reports whether a record is a header that came before, and if so goes on
// with it.
func (t *table) isHeader(fields []string) bool {
	for i := range t.headers {
		if h := &t.headers[i]; fields[0] == h.names[0] && slices.Equal(fields, h.names) {
			t.begins(*h)
			t.again++
			return true
		}
	}
	return false
}

// begins goes on with a header, whose records are as long as it is.
func (t *table) begins(h header) {
	t.header, t.event = h.names, h.event
	t.in.begin(form{t.dialect.Delimiter, h.names})
}

// otherHeader reports whether a record that cannot be read is a header with other
// columns than the first, and if so goes on with these.
func (t *table) otherHeader(fields []string) bool {
	const least = 2 // names that both have
	known := 0
	for _, f := range fields {
		if indexFold(t.header, f) >= 0 && f != "" {
			known++
		}
	}
	if known < least || 2*known < len(fields) {
		return false
	}
	const most = 16 // headers that are kept
	names := slices.Clone(fields)
	event, err := t.columns(names)
	if err != nil || len(t.headers) == most {
		return false
	}
	t.headers = append(t.headers, header{names, event})
	t.begins(t.headers[len(t.headers)-1])
	t.again++
	return true
}

// note tells what was left out or guessed, at the end of the input.
func (t *table) note() {
	if t.again > 0 {
		t.dialect.Note(fmt.Sprintf("the header comes %s more in the middle, which is no record", times(t.again)))
	}
	if t.text == nil {
		return
	}
	if n := t.text.loose; n > 0 {
		t.dialect.Note(fmt.Sprintf("quotes within fields are not doubled in %d of the records, which were read as they stand there", n))
	}
	if t.text.enc.guessed {
		t.dialect.Note("the text is not UTF-8 and was taken for Windows-1252; a map can say what it is by 'encoding'")
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
