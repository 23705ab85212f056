// Package share divides what there is little of among many: those with one key,
// such as a tenant, cannot have all of it, and whoever has to wait waits in the
// order of asking.
//
// It does not know what is shared. It keeps no clock and starts no goroutine.
package share

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// Shares let a number of holders in at once, and of them no more than some with
// the same key. Holders beyond wait, first for their key and then for all, and
// come in the order in which they came. So who waits behind all waits for no more
// of each other key than it may have.
type Shares[K comparable] struct {
	all  *semaphore.Weighted // nil is no limit
	each int64

	mu   sync.Mutex
	keys map[K]*keyShare
}

type keyShare struct {
	*semaphore.Weighted
	users int // who have it or wait for it; guarded by Shares.mu
}

// New returns shares for all holders at once, 0 being no limit, and each for
// those with one key, which is 1 or more.
func New[K comparable](all, each int64) *Shares[K] {
	s := &Shares[K]{each: each, keys: map[K]*keyShare{}}
	if all > 0 {
		s.all = semaphore.NewWeighted(all)
	}
	return s
}

// Take waits for a share, and reports whether it had to. If ctx is done first
// its error is returned, and there is nothing to give back.
func (s *Shares[K]) Take(ctx context.Context, key K) (waited bool, err error) {
	s.mu.Lock()
	own := s.keys[key]
	if own == nil {
		own = &keyShare{Weighted: semaphore.NewWeighted(s.each)}
		s.keys[key] = own
	}
	own.users++
	s.mu.Unlock()
	if waited, err = acquire(ctx, own.Weighted); err != nil {
		s.forget(key, own)
		return waited, err
	}
	if s.all == nil {
		return waited, nil
	}
	more, err := acquire(ctx, s.all)
	if err != nil {
		own.Release(1)
		s.forget(key, own)
	}
	return waited || more, err
}

func acquire(ctx context.Context, w *semaphore.Weighted) (waited bool, err error) {
	if w.TryAcquire(1) {
		return false, nil
	}
	return true, w.Acquire(ctx, 1)
}

// Give gives back what Take has taken.
func (s *Shares[K]) Give(key K) {
	if s.all != nil {
		s.all.Release(1)
	}
	s.mu.Lock()
	own := s.keys[key]
	s.mu.Unlock()
	own.Release(1)
	s.forget(key, own)
}

func (s *Shares[K]) forget(key K, own *keyShare) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(s.keys, key)
	}
}

// Users returns how many have a share with this key, or wait for one.
func (s *Shares[K]) Users(key K) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own := s.keys[key]; own != nil {
		return own.users
	}
	return 0
}
