package csv

import (
	"errors"
	"fmt"
	"slices"

	"github.com/trunklog/trunklog/call"
)

const (
	// maxAbove is how many rows may stand above the header.
	maxAbove = 64
	// maxAboveBytes is how much text may stand there.
	maxAboveBytes = 64 << 10
)

// begin finds the header and binds its columns, and reports whether to go on.
func (t *table) begin(yield func(call.Event, error) bool) (goOn bool, err error) {
	if t.dialect.Headerless {
		if t.event, err = t.columns(nil); err != nil {
			return false, err
		}
		return true, t.in.first()
	}
	s := search{table: t}
	for {
		c, err := t.in.candidate()
		switch {
		case errors.Is(err, errEnd):
			return false, s.failed()
		case err != nil:
			return false, err
		case s.try(c):
			return s.yieldAbove(yield), nil
		case len(s.above) == maxAbove || s.bytes > maxAboveBytes:
			return false, s.failed()
		}
	}
}

// A search looks for the header among the first rows.
type search struct {
	*table
	above    []candidate
	bytes    int
	likeness int   // of the row most like a header
	err      error // about that row
}

// try reports whether c is the header, and if so begins the table with it.
func (s *search) try(c candidate) bool {
	for _, f := range c.forms {
		event, err := s.columns(f.fields)
		if err == nil {
			s.dialect.Delimiter = f.delimiter
			s.headers = []header{{f.fields, event}}
			s.begins(s.headers[0])
			return true
		}
		if n := filled(f.fields); n > s.likeness {
			s.likeness, s.err = n, err
		}
	}
	s.bytes += len(c.raw)
	s.above = append(s.above, c)
	return false
}

// filled returns how many fields are not empty.
func filled(fields []string) (n int) {
	for _, f := range fields {
		if f != "" {
			n++
		}
	}
	return n
}

// ErrEmpty says that a table which needs a header has no rows at all.
var ErrEmpty = fmt.Errorf("%w: the file is empty: it has no header row", call.ErrInvalid)

// failed returns the error that no row is the header.
func (s *search) failed() error {
	switch {
	case len(s.above) == 0:
		return ErrEmpty
	case len(s.above[0].forms) == 0:
		c := s.above[0]
		return fmt.Errorf("%w: the header row, line %d, cannot be read: %s", call.ErrInvalid, c.line, withoutInvalid(c.wrong))
	}
	return s.err
}

// yieldAbove reports the rows above the header: titles, and records, which have as many fields as
// the header and are mostly filled.
func (s *search) yieldAbove(yield func(call.Event, error) bool) (goOn bool) {
	titles := 0
	for _, c := range s.above {
		i := slices.IndexFunc(c.forms, func(f form) bool { return f.delimiter == s.dialect.Delimiter })
		if i < 0 || len(c.forms[i].fields) != len(s.header) || 2*filled(c.forms[i].fields) <= len(s.header) {
			if i < 0 || filled(c.forms[i].fields) > 0 {
				titles++
			}
			continue
		}
		err := fmt.Errorf("%w: the record stands above the header", call.ErrInvalid)
		if !yield(call.Event{}, &call.SyntaxError{Line: c.line, Raw: c.raw, Err: err}) {
			return false
		}
	}
	if titles > 0 {
		s.dialect.Note(fmt.Sprintf("what stands above the header was left out, as no record: %s", lines(titles)))
	}
	return true
}

func lines(n int) string {
	if n == 1 {
		return "1 line"
	}
	return fmt.Sprintf("%d lines", n)
}
