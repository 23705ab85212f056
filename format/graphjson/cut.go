package graphjson

import (
	"bytes"
	"fmt"
	"io"
)

// A CutError says that the input ends within a record, a list or a page. It is the last error of a
// decoder, and wraps [io.ErrUnexpectedEOF].
type CutError struct {
	Line int64  // where the unfinished part begins, counted from 1
	Raw  []byte // the beginning of a record, cut to 4 KiB; empty for a list
	what string // what is unfinished, and how
}

func (e *CutError) Error() string {
	return fmt.Sprintf("the file ends in the middle: %s: %v", e.what, io.ErrUnexpectedEOF)
}

func (e *CutError) Unwrap() error { return io.ErrUnexpectedEOF }

// cutRecord returns the error for a record, or for the members behind the rows of a page, that
// begins in the given line and does not end.
func (d *decoder) cutRecord(line int64, what string) error {
	d.i = d.end // an open text was not consumed
	return &CutError{line, bytes.TrimRight(d.head(), " \t\r\n"), fmt.Sprintf("the %s that begins in line %d is not complete", what, line)}
}

// cutList returns the error for a list that begins in the given line and is not closed.
func cutList(line int64) error {
	return &CutError{Line: line, what: fmt.Sprintf("the list that begins in line %d is not closed", line)}
}
