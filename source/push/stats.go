package push

import (
	"sync/atomic"
	"time"
)

// Stats are a [Handler]'s counts since New. It counts every request except OPTIONS once, when it
// answers: in Accepted, in Replayed or in Refused.
type Stats struct {
	Accepted uint64            // requests of which at least one record was accepted
	Replayed uint64            // requests whose answer repeats an earlier one
	Refused  [NumCauses]uint64 // requests by [Cause]
	Rejected [NumCauses]uint64 // records by [Cause]
	Bytes    uint64            // of bodies, after unpacking
	Active   int               // slots in use now: requests, and writes that outlast theirs
	Held     uint64            // times that a batch waited for other puts, or a body for a processor
}

type counters struct {
	accepted, replayed, bytes, held atomic.Uint64
	refused, rejected               [NumCauses]atomic.Uint64
	seen                            shownAt // time of the last answer in Accepted or Replayed
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

// shownAt is the last time of something, such as a sample, in UnixNano, or 0 if it has not happened
// yet.
type shownAt struct{ atomic.Int64 }

// reject counts a record, and shows it to Reject unless one was shown for the same cause within the
// last second.
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
