package push

import (
	"sync/atomic"
	"time"
)

// Stats are counts since the [Handler] was made. Every request is counted once
// when it has been answered: in Accepted, in Replayed or in Refused.
type Stats struct {
	Accepted uint64            // requests of which at least one record was taken
	Replayed uint64            // requests that were answered as before
	Refused  [NumCauses]uint64 // requests by [Cause]
	Rejected [NumCauses]uint64 // records by [Cause]
	Bytes    uint64            // of bodies, after unpacking
	Active   int               // requests that are worked on now
	Held     uint64            // batches that had to wait for those of others
}

type counters struct {
	accepted, replayed, bytes, held atomic.Uint64
	refused, rejected               [NumCauses]atomic.Uint64
	seen                            shownAt // when a request was answered as it should be
}

// Stats returns the counts as they are now.
func (h *Handler) Stats() Stats {
	s := Stats{Accepted: h.count.accepted.Load(), Replayed: h.count.replayed.Load(), Bytes: h.count.bytes.Load(), Active: h.slots.active(), Held: h.count.held.Load()}
	for i := range NumCauses {
		s.Refused[i] = h.count.refused[i].Load()
		s.Rejected[i] = h.count.rejected[i].Load()
	}
	return s
}

// shownAt is when something happened last, such as that a sample was shown: UnixNano,
// or 0.
type shownAt struct{ atomic.Int64 }

// reject counts a record and shows it, if none was shown for the same cause a
// second ago.
func (h *Handler) reject(s Sample) {
	h.count.rejected[s.Cause].Add(1)
	if h.c.Reject == nil {
		return
	}
	now := h.c.Now().UnixNano()
	last := h.shown[s.Cause].Load()
	if since := now - last; last != 0 && since >= 0 && since < int64(time.Second) || !h.shown[s.Cause].CompareAndSwap(last, now) {
		return
	}
	h.c.Reject(s)
}
