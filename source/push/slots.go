package push

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/share"
)

// Three things are shared out by tenant. A body that is being read has a slot,
// which costs little: whoever sends slowly takes none that others need. A batch
// that is put has a share of the store, which is taken when the batch is full and
// given back when it is durable: whoever sends much waits for its own. And between the two, what has come is unpacked and read in turns.

// Slots limit how many bodies are read at once. Each tenant has a few of its own,
// whatever others have, and beyond them a part of those that all share. Of either,
// one client leaves a quarter to the others of its tenant.
//
// So all together have no more than the shared ones and each tenant's own: tenants
// are made by the operator, clients by whoever wants more of them.
type slots struct {
	own, shared, each int // of a tenant's own; that all share; of them for a tenant

	mu      sync.Mutex
	empty   sync.Cond // n has become 0
	n       int
	others  int                    // of n: that all share
	tenants map[call.GUID]*[2]pool // own and shared
	closed  bool
}

// newSlots returns slots that all share, of which with its own a tenant may have as
// many as a quarter. Its own are the given part of these.
func newSlots(shared, part int) *slots {
	each := max(1, shared/4)
	own := max(1, each/part)
	s := &slots{own: own, shared: max(1, shared), each: each - own, tenants: map[call.GUID]*[2]pool{}}
	s.empty.L = &s.mu
	return s
}

// take takes a slot for a request, if there is one.
func (s *slots) take(c Caller) (*slot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[c.Tenant]
	if t == nil {
		t = new([2]pool)
	}
	slot := &slot{s: s, caller: c, from: &t[0], holders: 1}
	switch {
	case s.closed:
		return nil, false
	case t[0].take(c.Client, s.own):
	case s.others < s.shared && t[1].take(c.Client, s.each):
		s.others++
		slot.from, slot.shared = &t[1], 1
	default:
		return nil, false
	}
	s.n++
	s.tenants[c.Tenant] = t
	return slot, true
}

// A pool is what a tenant has of some slots, by client.
type pool struct {
	n    int
	each map[string]int
}

// take takes one of most for a client, if it may have one more.
func (p *pool) take(client string, most int) bool {
	if p.n >= most || p.each[client] >= most-most/4 {
		return false
	}
	if p.each == nil {
		p.each = map[string]int{}
	}
	p.n++
	p.each[client]++
	return true
}

func (p *pool) give(client string) {
	p.n--
	if p.each[client]--; p.each[client] == 0 {
		delete(p.each, client)
	}
}

// active returns how many slots are taken.
func (s *slots) active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// close refuses all who ask for a slot from now on, and waits until all slots are free.
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
	caller  Caller
	from    *pool
	shared  int // 1 if it is one that all share
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
	s.others -= t.shared
	t.from.give(t.caller.Client)
	if of := s.tenants[t.caller.Tenant]; of[0].n+of[1].n == 0 {
		delete(s.tenants, t.caller.Tenant)
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

// restAfter returns how long a tenant that has put many calls waits before it puts
// more, where there are other tenants: on two processors as long as the calls took.
func restAfter(took time.Duration) time.Duration {
	return min(2*took/time.Duration(runtime.GOMAXPROCS(0)), 200*time.Millisecond)
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
