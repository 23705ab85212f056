package push

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/share"
)

// Tenants share three things. A body that is being read has a slot, which costs little, so a slow
// sender takes nothing that others need. A batch has a share of the puts, from when it is full
// until it is durable, so a busy sender waits for its own batches. Between the two, the handler
// unpacks and reads what has arrived in turns.

// Slots limit how many bodies the handler reads at once. Each tenant has a few of its own, whatever
// others have, and beyond them may have a part of those that all share. Of either, one client
// leaves a quarter to the others of its tenant.
//
// So the total is bounded by the shared slots and each tenant's own: only the operator can add
// tenants, while a tenant can add clients to get more.
type slots struct {
	own, shared, each int // slots of each tenant's own; slots that all share; how many of these a tenant may have

	mu      sync.Mutex
	empty   sync.Cond // signals that n has become 0
	n       int
	others  int                    // those of n that all share
	tenants map[call.GUID]*[2]pool // own and shared
	closed  bool
}

// newSlots returns the given number of shared slots. A tenant may have a quarter as many in all;
// one in part of these is its own.
func newSlots(shared, part int) *slots {
	each := max(1, shared/4)
	own := max(1, each/part)
	s := &slots{own: own, shared: max(1, shared), each: each - own, tenants: map[call.GUID]*[2]pool{}}
	s.empty.L = &s.mu
	return s
}

// take takes a slot for a request. It reports false if there is none left for this caller.
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

// A pool is the number of slots that a tenant has, in all and by client.
type pool struct {
	n    int
	each map[string]int
}

// take takes one of most slots for a client. It reports false if the tenant or the client may have
// no more.
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

// active returns the number of slots in use.
func (s *slots) active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// close makes take refuse from now on, and waits until all slots are free.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for s.n > 0 {
		s.empty.Wait()
	}
}

// A slot is free again when its last holder has released it. The holders are the request, and a
// write that took longer than the request has waited.
type slot struct {
	s       *slots
	caller  Caller
	from    *pool
	shared  int // 1 if it is a slot that all share, else 0
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

// work waits until the tenant has a turn of a processor. pause gives it back while the request
// waits for the body or the store.
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

// putTurns returns the turns of puts, in calls; most is their number. The store takes one batch
// after another, so where there are several tenants each may put one small batch at most, because
// the others wait for it.
func putTurns(most int) *share.Turns[call.GUID] {
	return share.NewPortions[call.GUID](int64(most), int64(most/2), int64(min(most/10, leastBatch)))
}

// restAfter returns how long a tenant that has put many calls pauses before it puts more, where
// there are other tenants: on two processors as long as the calls took, and at most 200 ms.
func restAfter(took time.Duration) time.Duration {
	return min(2*took/time.Duration(runtime.GOMAXPROCS(0)), 200*time.Millisecond)
}

// takePut waits until the tenant may put n calls, or ctx is done.
func (h *Handler) takePut(ctx context.Context, tenant call.GUID, n int) (share.Turn[call.GUID], error) {
	turn, waited, err := h.puts.TakeN(ctx, tenant, int64(n))
	if waited {
		h.count.held.Add(1)
	}
	return turn, err
}

// putComputes is about how long the store computes for a small batch before it only waits for the
// disk.
const putComputes = 20 * time.Millisecond

// compute takes a turn of a processor for a batch, if there are other tenants, and returns a
// function that gives it back. A timer gives it back earlier, when the batch probably waits for the
// disk: clients that only read do not wait for the disk, and need the processor.
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
