package http

import "sync"

// Slots limit how many requests are worked on at once. One client can have
// half of them, so that it cannot keep all others out.
type slots struct {
	most, mostEach int

	mu     sync.Mutex
	empty  sync.Cond // n has become 0
	n      int
	each   map[string]int
	closed bool
}

func newSlots(most int) *slots {
	s := &slots{most: most, mostEach: max(1, most/2), each: map[string]int{}}
	s.empty.L = &s.mu
	return s
}

// take takes a slot for a client's request, if one is free.
func (s *slots) take(client string) (*slot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.n >= s.most || s.each[client] >= s.mostEach {
		return nil, false
	}
	s.n++
	s.each[client]++
	return &slot{s: s, client: client, holders: 1}, true
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
	client  string
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
	if s.each[t.client]--; s.each[t.client] == 0 {
		delete(s.each, t.client)
	}
	if s.n == 0 {
		s.empty.Broadcast()
	}
}
