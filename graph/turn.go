package graph

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/share"
)

// Making a page takes processor time. The server makes a page when its tenant has a turn, see
// [share.Turns], so that the clients of one tenant cannot take the time that those of others need:
// a request waits for a page or two of every other tenant, however many requests that one has sent.
//
// A page with a $filter may read millions of rows and find none. If it takes longer than freeScan,
// it gives its turn back and goes on as a scan, in slices of scanSlice. Each client and each tenant
// runs one scan at a time, and all scans together use half of the processors. After each slice the
// scan that has waited longest is next.
const (
	freeScan  = 10 * time.Millisecond
	scanSlice = 5 * time.Millisecond
)

// turns are the shares of the processors for which pages and scans wait.
type turns struct {
	pages   *share.Turns[call.GUID]  // of tenants
	scans   *share.Shares[call.GUID] // of tenants
	clients *share.Shares[Caller]

	pagesHeld, scansHeld atomic.Uint64
}

func newTurns() *turns {
	n := int64(runtime.GOMAXPROCS(0))
	return &turns{
		pages:   share.NewTurns[call.GUID](int(n)),
		scans:   share.New[call.GUID](max(n/2, 1), 1),
		clients: share.New[Caller](0, 1),
	}
}

// A turn is the context in which the store reads the rows of one page. While an engine passes over
// rows, it calls Err now and then to see whether to go on, and a scan waits there. A turn belongs
// to one goroutine.
type turn struct {
	context.Context //nolint:containedctx // it is one
	turns           *turns
	caller          Caller
	filtered        bool

	began    time.Time // start of the page, or of the slice
	page     share.Turn[call.GUID]
	scan     bool // it holds the shares of a scan
	scanning bool
	failed   error
}

// begin waits for the turn of a page.
func (t *turns) begin(ctx context.Context, c Caller, filtered bool) (*turn, error) {
	x := &turn{Context: ctx, turns: t, caller: c, filtered: filtered}
	page, waited, err := t.pages.Take(ctx, c.Tenant)
	if waited {
		t.pagesHeld.Add(1)
	}
	x.page, x.began = page, time.Now()
	return x, err
}

// Err implements [context.Context]. It may block until the scan has its next slice.
func (x *turn) Err() error {
	if x.failed != nil {
		return x.failed
	}
	if err := x.Context.Err(); err != nil || !x.filtered {
		return err
	}
	switch since := time.Since(x.began); {
	case !x.scanning && since < freeScan, x.scanning && since < scanSlice:
		if x.scanning {
			runtime.Gosched() // other goroutines may be ready
		}
		return nil
	case !x.scanning:
		x.scanning = true
	}
	x.end()
	x.failed = x.takeScan()
	x.began = time.Now()
	return x.failed
}

func (x *turn) takeScan() error {
	first, err := x.turns.clients.Take(x.Context, x.caller)
	if err != nil {
		return err
	}
	second, err := x.turns.scans.Take(x.Context, x.caller.Tenant)
	if err != nil {
		x.turns.clients.Give(x.caller)
		return err
	}
	x.scan = true
	if first || second {
		x.turns.scansHeld.Add(1)
	}
	return nil
}

// end gives back the turn or the shares. Repeating it does nothing.
func (x *turn) end() {
	x.page.Give()
	if x.scan {
		x.scan = false
		x.turns.scans.Give(x.caller.Tenant)
		x.turns.clients.Give(x.caller)
	}
}

// Stats counts events since the [Handler] was made.
type Stats struct {
	PagesHeld uint64 // pages that had to wait for other pages
	ScansHeld uint64 // slices of scans that had to wait for other scans
	Limited   uint64 // requests over [Limits], refused with 429
	TooLong   uint64 // requests whose path and query were too long
	TimedOut  uint64 // pages that exceeded PageTimeout
	Injected  Injected
}

type counts struct{ limited, tooLong, timedOut atomic.Uint64 }

// Stats returns the counts as they are now.
func (h *Handler) Stats() Stats {
	return Stats{
		PagesHeld: h.turns.pagesHeld.Load(),
		ScansHeld: h.turns.scansHeld.Load(),
		Limited:   h.counts.limited.Load(),
		TooLong:   h.counts.tooLong.Load(),
		TimedOut:  h.counts.timedOut.Load(),
		Injected:  h.saboteur.stats(),
	}
}
