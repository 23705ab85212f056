package call

import (
	"errors"
	"fmt"
)

// The errors by which callers decide what to do. Engines and decoders wrap them with what they were
// doing.
var (
	// ErrInvalid is the caller's mistake; the text of the error that wraps it
	// says what was wrong and is safe to show.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound says that there is no such thing.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that [Batch.If] or [Batch.Still] does not hold.
	ErrConflict = errors.New("changed meanwhile")
	// ErrGone says that the store no longer keeps what a version of the log stands for: the log was
	// cut or restored since. The caller begins anew.
	ErrGone = errors.New("the log has been cut or restored since; begin again")
	// ErrFull says that there is no room for a write now. Reads go on, and writes do again when
	// there is room.
	ErrFull = errors.New("no space left for writing")
	// ErrClosed says that the store is closed and answers no more calls.
	ErrClosed = errors.New("store is closed")
	// ErrInUse says that another process owns the store.
	ErrInUse = errors.New("in use by another process")
	// ErrOld says that an older version wrote the store; an upgrade must come first.
	ErrOld = errors.New("written by an older version of trunklog")
	// ErrNewer says that the store was written by a newer version of trunklog.
	ErrNewer = errors.New("written by a newer version of trunklog")
)

// A SyntaxError is one record that a decoder could not read. Its neighbours are unharmed.
type SyntaxError struct {
	Line int64  // where the record begins, counted from 1; 0 if it has no lines
	Raw  []byte // the record as it was read, cut to a reasonable length
	Err  error  // what was wrong with which value
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("line %d: %v", e.Line, e.Err)
}

func (e *SyntaxError) Unwrap() error { return e.Err }

// A CorruptError says that the bytes read from disk are not those written.
type CorruptError struct {
	File   string // name of the file; empty if unknown
	Offset int64  // of the damaged block in it; -1 if unknown
	Err    error
}

func (e *CorruptError) Error() string {
	switch {
	case e.File == "":
		return fmt.Sprintf("corrupt data: %v", e.Err)
	case e.Offset < 0:
		return fmt.Sprintf("corrupt data in file %s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("corrupt data in file %s at offset %d: %v", e.File, e.Offset, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }
