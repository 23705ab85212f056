package node

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A readiness tells whether the server can do its work. Only a write shows whether the store takes
// writes, and a write may block. So one goroutine writes, and a request for the answer waits for it
// no longer than readyWait.
type readiness struct {
	store call.Store
	up    atomic.Bool // the listeners are open
	asked chan chan<- error
}

const (
	readyEvery = 5 * time.Second // between two writes
	readyWait  = 2 * time.Second
	readyState = "server/ready"
)

var (
	errStarting   = errors.New("the server is starting")
	errStopping   = errors.New("the server is stopping")
	errStoreStuck = fmt.Errorf("the store has not taken a write within %v", readyWait)
)

func newReadiness(st call.Store) *readiness {
	return &readiness{store: st, asked: make(chan chan<- error)}
}

// run answers check until ctx is done. An answer is that of the last write, which is at most
// readyEvery old.
func (r *readiness) run(ctx context.Context) error {
	var last time.Time
	var err error
	for {
		select {
		case <-ctx.Done():
			return nil
		case answer := <-r.asked:
			if now := time.Now(); last.IsZero() || now.Sub(last) >= readyEvery {
				last = now
				_, err = r.store.Write(ctx, call.Batch{State: map[string][]byte{readyState: []byte(now.UTC().Format(time.RFC3339))}})
			}
			answer <- err
		}
	}
}

// check returns why the server cannot do its work, or nil. serving is done once the server stops.
func (r *readiness) check(ctx, serving context.Context) error {
	switch {
	case serving.Err() != nil:
		return errStopping
	case !r.up.Load():
		return errStarting
	}
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	answer := make(chan error, 1)
	select {
	case r.asked <- answer:
	case <-ctx.Done():
		return errStoreStuck
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return errStoreStuck
	}
}
