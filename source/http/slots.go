package http

import (
	"context"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/share"
)

// Three things are shared out by tenant. A body that is being read has a slot,
// which costs little: whoever sends slowly takes one from those of its own
// tenant. A batch that is put has a share of the store, which is taken when the
// batch is full and given back when it is durable: whoever sends much waits for
// its own. And between the two, what has come is unpacked and read in turns.

// Slots limit how many bodies are read at once. One tenant can have no more than
// some of them.
type slots struct {
	most, mostEach int

	mu     sync.Mutex
	empty  sync.Cond // n has become 0
	n      int
	each   map[call.GUID]int
	closed bool
}

func newSlots(most, mostEach int) *slots {
	s := &slots{most: most, mostEach: mostEach, each: map[call.GUID]int{}}
	s.empty.L = &s.mu
	return s
}

// take takes a slot for a request of a tenant, if one is free.
func (s *slots) take(tenant call.GUID) (*slot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.n >= s.most || s.each[tenant] >= s.mostEach {
		return nil, false
	}
	s.n++
	s.each[tenant]++
	return &slot{s: s, tenant: tenant, holders: 1}, true
}

// active returns how many slots are taken.
func (s *slots) active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// close lets nobody take a slot any more and waits until all are free.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for s.n > 0 {
		s.empty.Wait()
	}
}

// A slot is free again when its last holder has released it: the request, and
// a write that took longer than the request has waited for.
type slot struct {
	s       *slots
	tenant  call.GUID
	holders int // guarded by s.mu
}

func (t *slot) hold() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.holders++
}

func (t *slot) release() {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.holders--; t.holders > 0 {
		return
	}
	s.n--
	if s.each[t.tenant]--; s.each[t.tenant] == 0 {
		delete(s.each, t.tenant)
	}
	if s.n == 0 {
		s.empty.Broadcast()
	}
}

// work waits until the tenant has a turn of a processor, and pause gives it back:
// while the body is waited for, or the store.
func (x *exchange) work() error {
	if x.working || x.h.c.Turns == nil {
		return nil
	}
	turn, waited, err := x.h.c.Turns.Take(x.r.Context(), x.caller.Tenant)
	if waited {
		x.h.count.held.Add(1)
	}
	if err != nil {
		return brokenBody("The sender has gone before its end.", err)
	}
	x.turn, x.working = turn, true
	return nil
}

func (x *exchange) pause() {
	x.turn.Give()
	x.working = false
}

// putTurns are how many calls are put at once. The store takes one batch after
// the other: where there are several tenants, what one of them has put is what
// the others wait for: a batch of few calls at most.
func putTurns(most int) *share.Turns[call.GUID] {
	return share.NewPortions[call.GUID](int64(most), int64(most/2), int64(min(most/10, leastBatch)))
}

// takePut waits for the turn of n calls, as long as ctx.
func (h *Handler) takePut(ctx context.Context, tenant call.GUID, n int) (share.Turn[call.GUID], error) {
	turn, waited, err := h.puts.TakeN(ctx, tenant, int64(n))
	if waited {
		h.count.held.Add(1)
	}
	return turn, err
}

// putComputes is how long a batch of few calls is worked on, about, until it only
// waits for the disk.
const putComputes = 20 * time.Millisecond

// compute takes a turn of a processor for a batch that is put while there are
// other tenants, and returns how to give it back. It is given back by itself when
// the batch probably waits for the disk: those who only read do not.
func (h *Handler) compute(ctx context.Context, tenant call.GUID) (done func(), err error) {
	if h.c.Turns == nil || !h.puts.Crowded(tenant) {
		return func() {}, nil
	}
	turn, _, err := h.c.Turns.Take(ctx, tenant)
	if err != nil {
		return nil, err
	}
	give := sync.OnceFunc(turn.Give)
	timer := time.AfterFunc(putComputes, give)
	return func() { timer.Stop(); give() }, nil
}
