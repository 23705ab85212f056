package graphjson

import (
	"bytes"
	"fmt"
	"io"
)

// A CutError says that the input ends within a record, a list or a page. It is
// the last thing that is decoded, and wraps [io.ErrUnexpectedEOF].
type CutError struct {
	Line int64  // where what is cut off begins, counted from 1
	Raw  []byte // what is there of a record, cut to 4 KiB; empty of a list
	what string // and how it is not whole
}

func (e *CutError) Error() string {
	return fmt.Sprintf("the file ends in the middle: %s: %v", e.what, io.ErrUnexpectedEOF)
}

func (e *CutError) Unwrap() error { return io.ErrUnexpectedEOF }

// cutRecord is what a record, or what follows the rows of a page, is reported
// as that begins in the given line and does not end.
func (d *decoder) cutRecord(line int64, what string) error {
	d.i = d.end // a text that does not end was not passed
	return &CutError{line, bytes.TrimRight(d.head(), " \t\r\n"), fmt.Sprintf("the %s that begins in line %d is not complete", what, line)}
}

// cutList is what a list is reported as that begins in the given line and is
// not closed.
func cutList(line int64) error {
	return &CutError{Line: line, what: fmt.Sprintf("the list that begins in line %d is not closed", line)}
}
