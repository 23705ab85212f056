package pebble

import (
	"context"
	"sync"

	"github.com/trunklog/trunklog/call"
)

// A life counts operations under way, so that Close can wait for them and refuse new ones.
type life struct {
	mu     sync.RWMutex
	closed bool
	busy   sync.WaitGroup
	told   func() // called at the end, before waiting
}

// enter begins an operation; [life.leave] ends it.
func (l *life) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return call.ErrClosed
	}
	l.busy.Add(1)
	return nil
}

func (l *life) leave() { l.busy.Done() }

// end refuses new operations and waits for those under way. It reports whether it was the first to
// do so.
func (l *life) end() bool {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	l.mu.Unlock()
	if first {
		if l.told != nil {
			l.told()
		}
		l.busy.Wait()
	}
	return first
}
