package csv

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/trunklog/trunklog/call"
)

// A Dialect describes the syntax of a table. The zero value is RFC 4180 with a header row; the
// decoder finds the rest from the text itself.
type Dialect struct {
	Delimiter  byte // between fields; 0 is a comma, or the delimiter that makes the header known
	Headerless bool // the first record is a record like all others
	Fields     int  // how many a record of a headerless table must have; 0 is any number
	Optional   int  // how many of these, at the end, may be missing
	Encoding   Encoding
	// Note receives a sentence for the importing user on everything that the decoder left out or
	// read differently from its literal text. It may be nil.
	Note func(text string)
}

// Table returns the decoder of a table of which each record is a call.
//
// It calls columns with the fields of possible headers: of the first rows, with each possible
// delimiter, until columns returns no error. For a table without a header it calls columns once,
// with nil. If no row is the header, the last error it yields is that of the row most like one.
// Otherwise it calls the returned function with the fields of each record. It yields that
// function's errors as [call.SyntaxError], and also a record that has more than 1 MiB, another
// number of fields than the header, text in the wrong encoding, or a quote that does not end. The
// fields belong to the receiver, but the slice that holds them does not.
//
// A row of empty fields is no record, nor is a repeated header, as in concatenated files. The
// decoder reads an input that is a [Sheet] as such.
//
// The parameters are of unnamed types, so that other formats can be tables without importing this
// package.
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

// A table is one input during decoding.
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
	text    *records // in, if it is text
	header  []string
	headers []header // all that came so far
	again   int      // how often a header was repeated
}

// A header is one of the table's headers, with the function for the records behind it.
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

// wrong returns err as the fault of the record.
func (r *record) wrong(err error) *call.SyntaxError {
	raw := head(r.raw)
	if r.raw == nil {
		raw = rowText(r.fields)
	}
	return &call.SyntaxError{Line: r.line, Raw: raw, Err: err}
}

// isHeader reports whether a record repeats an earlier header, and if so goes on with it.
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

// otherHeader reports whether an unreadable record is a header with other columns than the first,
// and if so goes on with these.
func (t *table) otherHeader(fields []string) bool {
	const least = 2 // names in common
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

// note reports at the end of the input what was left out or guessed.
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
