package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trunklog/trunklog/call"
)

// A hearing makes rows of SIP messages. It holds in memory the legs of all calls in progress, and
// of those that ended just now. It writes every change of them to the store's state before it
// acknowledges a message:
//
//	open/SOURCE/LEG   a leg, see [leg.Leg.Encode]
//
// The first release named it open/LEG, see [Ingest.Resume].
//
// A caller that puts messages while a round is being written waits for the next round, which takes
// all that wait (group commit): thousands of messages share one sync.
//
// A round makes a row a moment after the call has ended (see [Times]), so that a row rarely has to
// be amended because messages overtook each other.
type hearing struct {
	in    *Ingest
	times Times
	most  int64 // the most legs in memory

	mu      sync.Mutex
	queue   []*heard // waiting for the next round
	leading bool     // a goroutine does the rounds
	stats   HearStats

	// The fields below belong to the goroutine that does the round.
	legs    map[string]*dialogs // by source
	settles turns
	later   legHeap
	dirty   []*held
	recent  recent
	since   time.Time     // when Resume read the legs of the process before
	ended   time.Time     // end of the last round
	behind  time.Duration // see listens
	closed  int64         // legs in memory that have ended
	swept   time.Time     // see sweep
	more    bool          // the last round has left legs that are due
	batch   call.Batch
	news    []news
	trunks  map[string]map[*held]struct{}   // open legs, by the names of trunks
	asides  map[string]map[call.GUID]*aside // by source and tenant
	clocks  map[string]*clock               // by source
	offsets []string                        // sources with a new clock offset
	echoes  uint64                          // see HearStats.Echoes
	another uint64                          // see HearStats.Another
}

// openPrefix begins the names of legs in the state.
const openPrefix = "open/"

func openName(l *held) string { return openPrefix + l.Source + "/" + l.ID.String() }

// Times say for how long ingest waits for further messages of a call.
type Times struct {
	// Settle is the time from the last message of a call that has ended to its row.
	Settle time.Duration
	// Retry is the same for a call that was refused in a way after which the caller may ask again
	// in the same dialog, such as 401.
	Retry time.Duration
	// Next is the same for a call that was refused in a way after which the caller asks the next
	// trunk or proxy at once, such as 503.
	Next time.Duration
	// Doubt is the same where later messages may change the result: for a leg that only may face
	// Microsoft, and for a call that has not ended for another source.
	Doubt time.Duration
	// Orphan is the same for a call whose INVITE was not seen, and Nameless if nothing else told
	// the call's id either: the id of a row cannot be amended.
	Orphan, Nameless time.Duration
	// Cancel is the time from a CANCEL to the end of a call that is never answered.
	Cancel time.Duration
	// Ring is the time from the last message of a call that is never answered to its end, and Early
	// the same for a call that has rung: a caller who waits in a queue hears music, and no message
	// comes.
	Ring, Early time.Duration
	// Open is how long a call may last that does not refresh its session. One that does (RFC 4028)
	// ends after two missed refreshes.
	Open time.Duration
	// Linger is how long after its row was written a leg stays in memory for late messages, and
	// Late the same for a call whose INVITE or end was not heard.
	Linger, Late time.Duration
}

// defaultTimes replace the zeros of a [Config]. In 32 seconds SIP repeats a message for the last
// time (RFC 3261, section 17.1.1.2).
var defaultTimes = Times{
	Settle:   300 * time.Millisecond,
	Retry:    5 * time.Second,
	Next:     time.Second,
	Doubt:    5 * time.Second,
	Orphan:   5 * time.Second,
	Nameless: 32 * time.Second,
	Cancel:   32 * time.Second,
	Ring:     10 * time.Minute,
	Early:    time.Hour,
	Open:     24 * time.Hour,
	Linger:   40 * time.Second,
	Late:     24 * time.Hour,
}

func (t Times) orDefault() Times {
	d := defaultTimes
	for _, p := range [...]struct {
		t *time.Duration
		d time.Duration
	}{
		{&t.Settle, d.Settle},
		{&t.Retry, d.Retry},
		{&t.Next, d.Next},
		{&t.Doubt, d.Doubt},
		{&t.Orphan, d.Orphan},
		{&t.Nameless, d.Nameless},
		{&t.Cancel, d.Cancel},
		{&t.Ring, d.Ring},
		{&t.Early, d.Early},
		{&t.Open, d.Open},
		{&t.Linger, d.Linger},
		{&t.Late, d.Late},
	} {
		if *p.t <= 0 {
			*p.t = p.d
		}
	}
	return t
}

// HearStats count what became of SIP messages since the start. Each message is counted in Messages,
// in Other, in Shared or in Refused.
type HearStats struct {
	Messages uint64 // messages of a call
	Other    uint64 // messages of none, such as OPTIONS, or too late for their call
	Shared   uint64 // messages that may belong to either of two tenants with the same Call-ID, and are kept for neither
	Refused  uint64 // messages of senders that do not speak for the trunk
	Crowded  uint64 // calls that were closed because there were too many legs

	Open      int64  // legs in progress
	Held      int64  // all legs in memory
	Rows      uint64 // calls that became a row
	Amended   uint64 // rows that late messages have changed
	Inferred  uint64 // rows of calls whose INVITE or end was not heard
	OtherLegs uint64 // legs that became part of a row made from another one
	Elsewhere uint64 // legs that do not face Microsoft, nor belong to one that does
	SetAside  uint64 // legs that bear Microsoft's name, beside others that surely face it
	Rejected  uint64 // calls of which no row can be made
	Echoes    uint64 // rows of legs that would have been set aside, had that been known in time
	Another   uint64 // calls that another source told with other times when their row was there

	Unlinked  uint64 // rows that were not linked because too many share their correlation id, or their time
	Ambiguous uint64 // an SBC's records that were not linked because each of two calls may be theirs

	// Offsets say by how much the clocks of sources are ahead of the server's, for those with a
	// steady offset. The map is never changed.
	Offsets map[string]time.Duration

	Lag time.Duration // from the time of the last message until it was durable
}

// HearStats returns the counts as they are now.
func (in *Ingest) HearStats() HearStats {
	h := &in.hearing
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	s.Unlinked, s.Ambiguous = uint64(in.links.crowded.Load()), uint64(in.links.ambiguous.Load())
	return s
}

// A heard holds the messages and restarts of one Put that wait to be written.
type heard struct {
	sink   *Sink
	events []call.Event
	flush  bool // a recording ends
	done   chan error
	lead   chan struct{} // closed when its caller must do the next round
}

func (h *hearing) init(in *Ingest, t Times) {
	h.in, h.times, h.most = in, t.orDefault(), maxLegs
	h.legs = make(map[string]*dialogs)
	h.trunks = make(map[string]map[*held]struct{})
	h.asides, h.clocks = make(map[string]map[call.GUID]*aside), make(map[string]*clock)
	h.later = legHeap{
		less:  func(a, b *held) bool { return a.due.Before(b.due) },
		place: func(l *held) *int { return &l.place },
	}
	h.recent.init()
}

// put folds the messages of p into legs and returns when that is durable. It goes on when ctx is
// done, since the texts of the messages lie in the caller's memory.
func (h *hearing) put(ctx context.Context, p *heard) error {
	p.done, p.lead = make(chan error, 1), make(chan struct{})
	h.mu.Lock()
	h.queue = append(h.queue, p)
	if !h.leading {
		h.leading = true
		close(p.lead)
	}
	h.mu.Unlock()
	select {
	case err := <-p.done:
		return err
	case <-p.lead:
	}
	all := h.take()
	err := h.round(context.WithoutCancel(ctx), all)
	h.mu.Lock()
	if len(h.queue) > 0 {
		close(h.queue[0].lead)
	} else {
		h.leading = false
	}
	h.mu.Unlock()
	for _, q := range all {
		q.done <- err
	}
	return <-p.done
}

// take removes from the queue what the next round does: all that wait, but of one source at most
// maxPerSource events. It always takes the first.
func (h *hearing) take() (all []*heard) {
	h.mu.Lock()
	defer h.mu.Unlock()
	of := make(map[string]int)
	rest := h.queue[:0]
	for _, p := range h.queue {
		if p.sink != nil && of[p.sink.source] > 0 && of[p.sink.source]+len(p.events) > maxPerSource {
			rest = append(rest, p)
			continue
		}
		if all = append(all, p); p.sink != nil {
			of[p.sink.source] += len(p.events)
		}
	}
	clear(h.queue[len(rest):])
	h.queue = rest
	return all
}

// Tick writes the rows of the calls that are due by the clock, because they have ended or have
// lasted too long. [Ingest.Run] calls it all the time.
func (in *Ingest) Tick(ctx context.Context) error {
	return in.hearing.put(ctx, &heard{})
}

// tickEvery is how often Run looks for calls that are due.
const tickEvery = 50 * time.Millisecond

// Run writes the rows of calls heard by SIP when they are due, and those of calls in parts without
// a last one. It returns nil when ctx is done. When the store is full, it tries again.
func (in *Ingest) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	// Neither waits for the other: many parts may be due.
	g.Go(func() error { return every(ctx, tickEvery, in.tickAll) })
	g.Go(func() error { return every(ctx, partsEvery, in.finishParts) })
	return g.Wait()
}

func every(ctx context.Context, pause time.Duration, do func(context.Context) error) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := do(ctx); err != nil && !isFull(err) && ctx.Err() == nil {
			return fmt.Errorf("close calls that have ended: %w", err)
		}
	}
}

// tickAll does rounds until nothing is due.
func (in *Ingest) tickAll(ctx context.Context) error {
	for {
		if err := in.Tick(ctx); err != nil || ctx.Err() != nil || !in.hearing.hasMore() {
			return err
		}
	}
}

func (h *hearing) hasMore() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.more
}

// Flush ends a recording: it writes the rows of all its calls that are due by the clock. The others
// stay in the store's state, and the next recording of the same source, or a server, takes them up.
func (s *Sink) Flush(ctx context.Context) error {
	h := &s.in.hearing
	for p := (&heard{sink: s, flush: true}); ; p = new(heard) {
		if err := h.put(ctx, p); err != nil {
			return fmt.Errorf("write the calls of source %s: %w", s.source, err)
		}
		if !h.hasMore() {
			return nil
		}
	}
}
