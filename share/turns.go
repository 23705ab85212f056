package share

import (
	"context"
	"sync"
	"time"
)

// Turns divide processors among those with work for them. As long as there is
// only one key, it has as many turns at once as there are processors. When there
// are others, each has half as many, one at least: so there is a processor soon
// for whoever has little to do, whatever another has.
type Turns[K comparable] struct {
	shares *Shares[K]

	mu   sync.Mutex
	seen [2]sighting[K] // the keys that came last, the latest one in front
}

type sighting[K comparable] struct {
	key K
	at  time.Time
}

// company is for how long a key counts as being there after it came.
const company = time.Second

// NewTurns returns turns of so many processors.
func NewTurns[K comparable](processors int) *Turns[K] {
	n := int64(max(processors, 1))
	return &Turns[K]{shares: New[K](4*n, 2*n)}
}

// A Turn is what was taken; the zero Turn is nothing.
type Turn[K comparable] struct {
	turns *Turns[K]
	key   K
	units int64
}

// Take waits for a turn, and reports whether it had to. If ctx is done first its
// error is returned, and nothing was taken.
func (t *Turns[K]) Take(ctx context.Context, key K) (turn Turn[K], waited bool, err error) {
	// A key's units are two for a processor, and a turn is two of them, or four.
	n := int64(2)
	if t.others(key, time.Now()) {
		n = 4
	}
	n = min(n, t.shares.each)
	if waited, err = t.shares.TakeN(ctx, key, n); err != nil {
		return Turn[K]{}, waited, err
	}
	return Turn[K]{t, key, n}, waited, nil
}

// Give gives back what was taken. It may be called again, and on the zero Turn.
func (t *Turn[K]) Give() {
	if t.turns != nil {
		t.turns.shares.GiveN(t.key, t.units)
		t.turns = nil
	}
}

// Users returns how many have a turn with this key, or wait for one.
func (t *Turns[K]) Users(key K) int { return t.shares.Users(key) }

// others notes that key is there, and reports whether another one is.
func (t *Turns[K]) others(key K, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[0].key != key || t.seen[0].at.IsZero() {
		t.seen[1] = t.seen[0]
	}
	t.seen[0] = sighting[K]{key, now}
	return !t.seen[1].at.IsZero() && now.Sub(t.seen[1].at) < company
}
