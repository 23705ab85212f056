package csv

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/trunklog/trunklog/call"
)

// A Dialect says how a table is written. The zero value is RFC 4180: commas,
// a header row, UTF-8.
type Dialect struct {
	Delimiter  byte // between fields; 0 is a comma
	Headerless bool // the first record is a record like all others
	Fields     int  // how many a record of a headerless table must have; 0 is any number
	Latin1     bool // the text is ISO 8859-1
}

// Table returns the decoder of a table of which each record is a call.
//
// It calls columns once for each input, with the fields of the header, or nil
// if there is none. An error of columns is the last thing that is decoded, else
// what columns returns is called with the fields of each record. An error of
// that is reported as a [call.SyntaxError], and so is a record that has more
// than 1 MiB, another number of fields than the header, text that is not in
// the right encoding, or a quote that does not end. The fields are the
// receiver's, but not the slice that holds them.
//
// The parameters have no names of their own, so that other formats can be
// tables without importing this package.
func Table(d Dialect, columns func(header []string) (event func(fields []string) (call.Event, error), err error)) call.Decoder {
	return func(r io.Reader) iter.Seq2[call.Event, error] {
		return func(yield func(call.Event, error) bool) {
			records := newRecords(r, d)
			header, err := readHeader(records, d)
			if err != nil {
				yield(call.Event{}, err)
				return
			}
			event, err := columns(header)
			if err != nil {
				yield(call.Event{}, err)
				return
			}
			decode(records, event, yield)
		}
	}
}

func readHeader(records *records, d Dialect) ([]string, error) {
	if d.Headerless {
		return nil, nil
	}
	rec, err := records.next()
	var syntax *call.SyntaxError
	switch {
	case errors.Is(err, errEnd):
		return nil, fmt.Errorf("%w: the file is empty: it has no header row", call.ErrInvalid)
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("%w: the header row, line %d, cannot be read: %s", call.ErrInvalid, syntax.Line, withoutInvalid(syntax.Err))
	case err != nil:
		return nil, err
	}
	records.want = len(rec.fields)
	return slices.Clone(rec.fields), nil
}

func decode(records *records, event func([]string) (call.Event, error), yield func(call.Event, error) bool) {
	for {
		rec, err := records.next()
		var e call.Event
		if err == nil {
			if e, err = event(rec.fields); err != nil {
				e, err = call.Event{}, &call.SyntaxError{Line: rec.line, Raw: head(rec.raw), Err: err}
			}
		}
		if errors.Is(err, errEnd) {
			return
		}
		var syntax *call.SyntaxError
		if !yield(e, err) || err != nil && !errors.As(err, &syntax) {
			return
		}
	}
}
