package ingest

import (
	"context"
	"errors"
	"sync"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
)

// A Progress is how far a call has come.
type Progress uint8

// The progress of a call, in order.
const (
	Ringing Progress = iota + 1
	Answered
	Ended // its row is in the log
)

func (p Progress) String() string {
	return [...]string{"", "ringing", "answered", "ended"}[p]
}

// An Update is news of one call. The row of a call that has not ended is what is known so far, and
// its place in the log may still change.
type Update struct {
	Row      call.Row
	Progress Progress
	Missed   int64 // updates that the watcher missed before this one, because it was slow
}

// Watch calls f with each row that is written from now on, and, if open is set, with each call that
// begins to ring or is answered. It returns nil when ctx is done, or the first error of f. A
// watcher that is slower than the calls misses some, and delays no one else.
func (in *Ingest) Watch(ctx context.Context, open bool, f func(Update) error) error {
	const behind = 4096
	w := &watcher{open: open, updates: make(chan Update, behind)}
	in.feed.add(w)
	defer in.feed.remove(w)
	for {
		select {
		case <-ctx.Done():
			return nil
		case u := <-w.updates:
			if err := f(u); err != nil {
				return err
			}
		}
	}
}

// Announce tells the watchers what this Ingest or another process has written: each row that is new
// or has changed, under its id in the log and as it is there now.
func (in *Ingest) Announce(ctx context.Context, rows []call.Row, written call.Result) {
	if !in.feed.watched(false) {
		return
	}
	for i, w := range written.Rows {
		switch {
		case w.Fate == call.Same:
			continue
		case w.Fate == call.New && w.Place.ID == rows[i].ID:
			in.feed.tell(Update{Row: rows[i].Clone(), Progress: Ended})
			continue
		}
		switch r, err := in.store.Row(ctx, rows[i].Tenant, w.Place.ID); {
		case err == nil:
			in.feed.tell(Update{Row: r, Progress: Ended})
		case !errors.Is(err, call.ErrNotFound): // if not found, it was deleted since
			in.feed.miss()
		}
	}
}

type feed struct {
	mu       sync.Mutex
	watchers map[*watcher]bool
}

type watcher struct {
	open    bool
	updates chan Update
	missed  int64
}

func (f *feed) add(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers == nil {
		f.watchers = make(map[*watcher]bool)
	}
	f.watchers[w] = true
}

func (f *feed) remove(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watchers, w)
}

// watched reports whether there is a watcher; with open, one of calls that have not ended.
func (f *feed) watched(open bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		if w.open || !open {
			return true
		}
	}
	return false
}

// miss counts an update that no watcher gets.
func (f *feed) miss() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		w.missed++
	}
}

func (f *feed) tell(u Update) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		if u.Progress != Ended && !w.open {
			continue
		}
		u.Missed = w.missed
		select {
		case w.updates <- u:
			w.missed = 0
		default:
			w.missed++
		}
	}
}

// announce tells the watchers of the calls that a round has changed, after it was written.
func (h *hearing) announce(ctx context.Context, written call.Result) {
	h.in.Announce(ctx, h.batch.Rows, written)
	if !h.in.feed.watched(true) {
		return
	}
	for _, l := range h.dirty {
		if !l.Life.Closed.IsZero() {
			continue
		}
		v := h.view(l)
		progress := Ringing
		if v.Established() {
			progress = Answered
		}
		if v.Facing == leg.NotFacing || v.Facing == leg.MaybeFacing && h.setAside(l) || !v.Invited() || l.progress == progress || v.Ended() {
			continue
		}
		l.progress = progress
		trunk, tenant := l.TrunkOf(&v, h.in.tenant)
		r := l.OpenRow(&v, func(number string) string { return h.in.number(trunk, number) })
		r.Trunk, r.Tenant, r.ID = trunk, tenant, l.RowID(v.Outbound)
		h.in.feed.tell(Update{Row: r, Progress: progress})
	}
}
