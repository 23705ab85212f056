package ingest

import (
	"time"

	"github.com/trunklog/trunklog/ingest/leg"
)

// A held is a leg in memory, with the state of its processing there. The store has the leg and its
// Life, and none of the rest.
type held struct {
	leg.Leg

	next *held // the source's next leg of the same Call-ID, of another tenant or of none

	learned  time.Time // arrival of the last message with a new fact
	saved    time.Time // Life.Heard as the store has it
	sure     bool      // it surely faces Microsoft
	dirty    bool      // the store has an older state
	waiting  bool      // it is in hearing.settles
	progress Progress  // what the watchers were told
	queued   time.Time
	due      time.Time
	place    int      // place in hearing.later, from 1; 0: not there
	among    *aside   // the aside that notes it
	sureAt   int      // place in aside.open, from 1; 0: not there
	trunks   []string // the trunks under which a restart finds it, while it is open
	keys     []legKey // the keys under which other legs find it
}

// view returns the conclusions from a leg, with the tenants' trunks as they are now.
func (h *hearing) view(l *held) leg.View { return l.View(h.in.tenant) }
