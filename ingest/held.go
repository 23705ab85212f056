package ingest

import (
	"time"

	"github.com/trunklog/trunklog/ingest/leg"
)

// A held leg is one in memory, and what is done about it there. The store has the leg
// and its life, and none of the rest.
type held struct {
	leg.Leg

	next *held // another tenant's of the same Call-ID

	learned  time.Time // when the last message arrived that brought a new fact
	saved    time.Time // what of its being heard is in the store
	sure     bool      // it surely faces Microsoft
	dirty    bool      // the store does not have it as it is
	waiting  bool      // it is in the queue of what was heard just now
	progress Progress  // what those who watch were told
	queued   time.Time
	due      time.Time
	place    int      // among those that are due later, from 1; 0: not there
	among    *aside   // where it is noted that it faces Microsoft, or may
	sureAt   int      // among those that surely face Microsoft and are not over, from 1
	trunks   []string // by which a restart finds it, while it is open
	keys     []legKey // by which other legs find it
}

// view returns what a leg comes to, where each tenant has the trunks that it has now.
func (h *hearing) view(l *held) leg.View { return l.View(h.in.tenant) }
