package share

import (
	"context"
	"sync"
	"time"
)

// Turns divide the turns of a machine among keys, such as tenants. A single key has as many turns
// at once as one may have. When there are others, each has fewer: so a key with little work soon
// gets a turn, however much work another has.
type Turns[K comparable] struct {
	shares         *Shares[K]
	alone, crowded int64 // units of one key, without others and with them

	mu   sync.Mutex
	seen [2]sighting[K] // the last two keys, the latest first
}

type sighting[K comparable] struct {
	key K
	at  time.Time
}

// company is for how long a key counts as present after it came.
const company = time.Second

// NewTurns returns turns for a number of processors. A key has all of them, or half where there are
// others, but at least one.
func NewTurns[K comparable](processors int) *Turns[K] {
	n := int64(max(processors, 1))
	return &Turns[K]{shares: New[K](4*n, 2*n), alone: 2, crowded: 4}
}

// NewPortions returns turns of all units in total. A key has at most each of them, and about few
// where there are others.
func NewPortions[K comparable](all, each, few int64) *Turns[K] {
	each = max(each, 1)
	return &Turns[K]{shares: New[K](max(all, each), each), alone: 1, crowded: each / min(max(few, 1), each)}
}

// A Turn is the units that Take took; the zero Turn is none.
type Turn[K comparable] struct {
	turns *Turns[K]
	key   K
	units int64
}

// Take waits for a turn of one unit, as TakeN does.
func (t *Turns[K]) Take(ctx context.Context, key K) (turn Turn[K], waited bool, err error) {
	return t.TakeN(ctx, key, 1)
}

// TakeN waits for n units, or for all that the key may have if those are fewer, and reports whether
// it had to wait. If ctx is done first, it returns the error of ctx and takes nothing.
func (t *Turns[K]) TakeN(ctx context.Context, key K, n int64) (turn Turn[K], waited bool, err error) {
	if t.others(key, time.Now()) {
		n *= t.crowded
	} else {
		n *= t.alone
	}
	if waited, err = t.shares.TakeN(ctx, key, n); err != nil {
		return Turn[K]{}, waited, err
	}
	return Turn[K]{t, key, n}, waited, nil
}

// Give gives the units back. Callers may repeat it, and call it on the zero Turn.
func (t *Turn[K]) Give() {
	if t.turns != nil {
		t.turns.shares.GiveN(t.key, t.units)
		t.turns = nil
	}
}

// Users returns how many callers have a turn with this key, or wait for one.
func (t *Turns[K]) Users(key K) int { return t.shares.Users(key) }

// Crowded reports whether another key than this came lately.
func (t *Turns[K]) Crowded(key K) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	other := t.seen[0]
	if other.key == key {
		other = t.seen[1]
	}
	return other.lately(time.Now())
}

// others notes that key is present, and reports whether another one is.
func (t *Turns[K]) others(key K, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[0].key != key || t.seen[0].at.IsZero() {
		t.seen[1] = t.seen[0]
	}
	t.seen[0] = sighting[K]{key, now}
	return t.seen[1].lately(now)
}

func (s sighting[K]) lately(now time.Time) bool { return !s.at.IsZero() && now.Sub(s.at) < company }
