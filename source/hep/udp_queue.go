package hep

import (
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/ipv4"
)

// A queue holds datagrams between the goroutine that reads and the one that makes events of them.
// It has two halves of fixed size: the reader fills one while the other goroutine works on the
// other. Datagrams lie in them one behind another, so that there is room for thousands, although
// any of them may have 64 KiB.
type queue struct {
	mu      sync.Mutex
	some    sync.Cond // signals that filling is not empty, or that the queue is closed
	filling half
	working half
	closed  bool
}

// A half is a sequence of datagrams.
type half struct {
	bytes []byte
	ends  []int            // the end of each datagram in bytes
	from  []netip.AddrPort // the sender of each
}

// at returns datagram i, counted from 0.
func (h *half) at(i int) []byte {
	from := 0
	if i > 0 {
		from = h.ends[i-1]
	}
	return h.bytes[from:h.ends[i]:h.ends[i]]
}

func newQueue(size int) *queue {
	q := &queue{filling: half{bytes: make([]byte, 0, size)}, working: half{bytes: make([]byte, 0, size)}}
	q.some.L = &q.mu
	return q
}

// add copies datagrams into the queue and returns how many of them, from the first on, had room.
func (q *queue) add(msgs []ipv4.Message) (kept int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := &q.filling
	for _, m := range msgs {
		if len(h.bytes)+m.N > cap(h.bytes) {
			break
		}
		h.bytes = append(h.bytes, m.Buffers[0][:m.N]...)
		h.ends = append(h.ends, len(h.bytes))
		h.from = append(h.from, addrPortOf(m.Addr))
		kept++
	}
	if kept > 0 {
		q.some.Signal()
	}
	return kept
}

// take waits for datagrams and returns all that there are. They are the caller's until the next
// take. more is false once the queue is closed: then these are the last.
func (q *queue) take() (h *half, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.filling.ends) == 0 && !q.closed {
		q.some.Wait()
	}
	q.filling, q.working = half{q.working.bytes[:0], q.working.ends[:0], q.working.from[:0]}, q.filling
	return &q.working, !q.closed
}

// close makes take return without waiting from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.some.Signal()
}

// addrPortOf returns the address a, or an invalid one if a has no IP address.
func addrPortOf(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.UDPAddr:
		return a.AddrPort()
	case *net.TCPAddr:
		return a.AddrPort()
	}
	return netip.AddrPort{}
}
