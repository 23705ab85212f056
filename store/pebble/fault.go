package pebble

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/trunklog/trunklog/call"
)

// A fault is the end of a store: a sync, or another write that must not fail,
// has failed. What the disk holds now is not known, and a second sync may say
// that all is well when it is not (the kernel forgets pages that it could not
// write). So nothing is tried again. The folder is frozen as it is, no write
// is confirmed any more, and the next start recovers from what is there.
type fault struct {
	cause  atomic.Pointer[error]
	log    *slog.Logger
	tell   func(error)
	over   chan struct{} // closed by the first fault
	opened atomic.Bool   // before, whoever opens the store tells of it
}

// set notes the first fault and returns what writers are told from now on.
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

// err returns what writers are told; nil as long as there is no fault.
func (f *fault) err() error {
	if c := f.cause.Load(); c != nil {
		return fmt.Errorf("the store failed earlier (%w): %w", *c, call.ErrClosed)
	}
	return nil
}
