// Package share divides a scarce resource among keys, such as tenants: no key can have all of it,
// and callers that wait get their share in the order of asking.
//
// It does not know what it divides. It keeps no clock and starts no goroutine.
package share

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// Shares divide a number of units among holders, and bound what the holders of one key have at
// once. A caller that wants more waits, first for its key and then for all, in the order of asking.
// So in the queue for all, it waits for no more of each other key than that key may have.
type Shares[K comparable] struct {
	all  *semaphore.Weighted // nil is no limit
	each int64

	mu   sync.Mutex
	keys map[K]*keyShare
}

type keyShare struct {
	*semaphore.Weighted
	users int // holders and waiting callers; guarded by Shares.mu
}

// New returns shares of all units in total, 0 meaning no limit, and each units for one key, from 1
// to all.
func New[K comparable](all, each int64) *Shares[K] {
	s := &Shares[K]{each: each, keys: map[K]*keyShare{}}
	if all > 0 {
		s.all = semaphore.NewWeighted(all)
	}
	return s
}

// Take waits for a unit, and reports whether it had to wait. If ctx is done first, it returns the
// error of ctx, and there is nothing to give back.
func (s *Shares[K]) Take(ctx context.Context, key K) (waited bool, err error) {
	return s.TakeN(ctx, key, 1)
}

// Give gives back the unit of Take.
func (s *Shares[K]) Give(key K) { s.GiveN(key, 1) }

// TakeN waits for n units, or for all that one key may have if they are fewer.
func (s *Shares[K]) TakeN(ctx context.Context, key K, n int64) (waited bool, err error) {
	n = min(n, s.each)
	s.mu.Lock()
	own := s.keys[key]
	if own == nil {
		own = &keyShare{Weighted: semaphore.NewWeighted(s.each)}
		s.keys[key] = own
	}
	own.users++
	s.mu.Unlock()
	if waited, err = acquire(ctx, own.Weighted, n); err != nil {
		s.forget(key, own)
		return waited, err
	}
	if s.all == nil {
		return waited, nil
	}
	more, err := acquire(ctx, s.all, n)
	if err != nil {
		own.Release(n)
		s.forget(key, own)
	}
	return waited || more, err
}

func acquire(ctx context.Context, w *semaphore.Weighted, n int64) (waited bool, err error) {
	if w.TryAcquire(n) {
		return false, nil
	}
	return true, w.Acquire(ctx, n)
}

// GiveN gives back the units of TakeN.
func (s *Shares[K]) GiveN(key K, n int64) {
	n = min(n, s.each)
	if s.all != nil {
		s.all.Release(n)
	}
	s.mu.Lock()
	own := s.keys[key]
	s.mu.Unlock()
	own.Release(n)
	s.forget(key, own)
}

func (s *Shares[K]) forget(key K, own *keyShare) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(s.keys, key)
	}
}

// Users returns how many callers have a share with this key, or wait for one.
func (s *Shares[K]) Users(key K) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own := s.keys[key]; own != nil {
		return own.users
	}
	return 0
}
