package share

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestShares lets many holders take and give up at random: there are never more holders than
// allowed, in all or with one key, and in the end nothing is left.
func TestShares(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const all, each, keys = 6, 2, 5
	s := New[int](all, each)
	var in atomic.Int64
	var with [keys]atomic.Int64
	var group sync.WaitGroup
	for n := range 50 {
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		group.Go(func() {
			for range 100 {
				key := r.IntN(keys)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(int(2*time.Millisecond))))
				_, err := s.Take(ctx, key)
				cancel()
				if err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					continue
				}
				if a, b := in.Add(1), with[key].Add(1); a > all || b > each {
					t.Errorf("%d at once, %d with one key", a, b)
				}
				time.Sleep(time.Duration(r.IntN(int(100 * time.Microsecond))))
				in.Add(-1)
				with[key].Add(-1)
				s.Give(key)
			}
		})
	}
	group.Wait()
	if len(s.keys) != 0 || !s.all.TryAcquire(all) {
		t.Errorf("%d keys are left, or something was not given back", len(s.keys))
	}
}

// TestOrder: a key with a thousand waiting callers does not keep another from its share, and
// callers come in order.
func TestOrder(t *testing.T) {
	s := New[string](2, 1)
	ctx, cancel := context.WithCancel(t.Context())
	if waited, err := s.Take(ctx, "noisy"); waited || err != nil {
		t.Fatal(waited, err)
	}
	var group sync.WaitGroup
	for range 1000 {
		group.Go(func() {
			if _, err := s.Take(ctx, "noisy"); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	for s.Users("noisy") < 1001 {
		time.Sleep(time.Millisecond)
	}
	if waited, err := s.Take(ctx, "quiet"); waited || err != nil {
		t.Error(waited, err)
	}
	cancel()
	group.Wait()
	s.Give("noisy")
	s.Give("quiet")
}
