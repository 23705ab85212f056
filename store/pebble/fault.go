package pebble

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/trunklog/trunklog/call"
)

// A fault is the end of a store: a sync, or another write that must not fail, has failed. The state
// of the disk is unknown, and a second sync may report success wrongly (the kernel forgets pages
// that it could not write). So the store tries nothing again. It freezes the folder, confirms no
// more writes, and the next start recovers from the files.
type fault struct {
	cause  atomic.Pointer[error]
	log    *slog.Logger
	tell   func(error)
	over   chan struct{} // closed by the first fault
	opened atomic.Bool   // before that, the opener reports the fault
}

// set notes the first fault and returns the error for writers from now on.
func (f *fault) set(cause error) error {
	c := plainError(cause)
	if f.cause.CompareAndSwap(nil, &c) {
		close(f.over)
		if !f.opened.Load() {
			return f.err()
		}
		f.log.Error("the store has failed and takes no more writes", "err", c)
		if f.tell != nil {
			f.tell(c)
		}
	}
	return f.err()
}

// err returns the error for writers; nil as long as there is no fault.
func (f *fault) err() error {
	if c := f.cause.Load(); c != nil {
		return fmt.Errorf("the store failed earlier (%w): %w", *c, call.ErrClosed)
	}
	return nil
}
