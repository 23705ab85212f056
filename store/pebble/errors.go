package pebble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/redact"
	"github.com/trunklog/trunklog/call"
)

var (
	errReadOnly = fmt.Errorf("%w: the store was opened for reading only", call.ErrInvalid)
	errNoCounts = errors.New("the counts of rows do not add up")
)

// firstError returns the first of errs that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func isNewer(err error) bool { return errors.Is(err, call.ErrNewer) }

// readError prepares an error for callers: it adds the operation, and turns damage that Pebble
// found into a [call.CorruptError].
func (s *Store) readError(doing string, err error) error {
	return fmt.Errorf("pebble: %s: %w", doing, s.translate(err))
}

func (s *Store) translate(err error) error {
	var corrupt *call.CorruptError
	if errors.As(err, &corrupt) || err == nil {
		return err
	}
	if pebble.IsCorruptionError(err) {
		return corruption(err)
	}
	if outOfFiles(err) && !errors.Is(err, call.ErrClosed) {
		return fmt.Errorf("%w: too many files are open: %w", call.ErrFull, plainError(err))
	}
	err = plainError(err)
	if c := damagedTable(err.Error()); c != nil {
		return c
	}
	return err
}

// ours reports whether the text of err is this package's, and so safe to log.
func ours(err error) bool {
	var corrupt *call.CorruptError
	var safe *plain
	if errors.As(err, &corrupt) || errors.As(err, &safe) {
		return true
	}
	for _, known := range [...]error{
		call.ErrInvalid, call.ErrNotFound, call.ErrConflict, call.ErrFull, call.ErrClosed, call.ErrInUse, call.ErrNewer, call.ErrOld, call.ErrGone,
		context.Canceled, context.DeadlineExceeded, errFrozen,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// plainError returns err with a text that is safe to log: Pebble's errors may quote keys, which
// hold telephone numbers, and mark them as such.
func plainError(err error) error {
	if err == nil || ours(err) {
		return err
	}
	return &plain{text: plainText(err), err: err}
}

type plain struct {
	text string
	err  error
}

func (e *plain) Error() string { return e.text }
func (e *plain) Unwrap() error { return e.err }

// plainText returns the text of a Pebble error without the parts that it marks as data. It keeps
// the system's words about a file.
func plainText(err error) string {
	text := redact.Sprint(err).Redact().StripMarkers()
	var path *fs.PathError
	var link *os.LinkError
	var call *os.SyscallError
	var no syscall.Errno
	var system error
	switch {
	case errors.As(err, &path):
		system = path
	case errors.As(err, &link):
		system = link
	case errors.As(err, &call):
		system = call
	case errors.As(err, &no):
		system = no
	default:
		return text
	}
	if text == "×" {
		return system.Error()
	}
	return fmt.Sprintf("%s (%v)", text, system)
}
