package call

import (
	"slices"
	"sync"
	"time"
)

// Fold adds to r what w says of the same call, and reports whether r changed.
//
// What a row shows is a function of the set of testimonies of its call, each with its witness and
// source, and of nothing else but its id and tenant, which stay. Within one voice, which is a
// witness of one source, the later word stands, field by field; an absent field says nothing. So a
// caller may fold rows of different voices in any order, in any grouping, and as often as it likes.
// Fold decides Start like the other times, so that r may have another place in the log afterwards.
//
// r may share memory with w afterwards.
func (r *Row) Fold(w *Row) (changed bool) {
	changed = r.startAsClaimed()
	if !w.ClaimedStart.IsZero() {
		w = w.asClaimed()
	}
	if seen := r.Seen | w.Seen; seen != r.Seen {
		r.Seen, changed = seen, true
	}
	if w.Rest != "" && w.Rest != r.Rest {
		if rest := mergeRest(r.Rest, w.Rest); rest != r.Rest {
			r.Rest, changed = rest, true
		}
	}
	if r.repeats(w) {
		return changed
	}
	b := benches.Get().(*bench)
	defer b.leave()
	b.all = r.testimonies(b.all)
	n := len(b.all)
	b.all = w.testimonies(b.all)
	var news bool
	if b.all, news = merge(b.all, n); !news {
		return changed
	}
	r.showAll(b)
	return true
}

// showAll makes r show, and keep, the testimonies on a bench.
func (r *Row) showAll(b *bench) {
	for i := range b.all {
		b.order = append(b.order, &b.all[i])
	}
	slices.SortFunc(b.order, (*testimony).compare)
	r.decide(b.order)
	r.keepSaid(b.order)
}

// Infer completes r, which no store has yet, as Fold completes every other row: with what follows
// from its fields, such as the duration of a call that came without one.
func (r *Row) Infer() {
	b := benches.Get().(*bench)
	defer b.leave()
	if b.all = r.testimonies(b.all); len(b.all) == 0 {
		return
	}
	r.showAll(b)
}

// repeats reports whether w says only what the one source of r has said already, as when a source
// reads a record twice.
func (r *Row) repeats(w *Row) bool {
	if r.Said != "" || w.Said != "" || r.Source != w.Source || r.Faces != w.Faces {
		return false
	}
	for f, by := range w.By {
		if by != 0 && (by != r.By[f] || Field(f) != FieldID && !r.same(w, Field(f))) {
			return false
		}
	}
	return true
}

// startAsClaimed makes ClaimedStart the Start. The first release published such a row under another
// start, and kept the true one beside it.
func (r *Row) startAsClaimed() bool {
	if r.ClaimedStart.IsZero() {
		return false
	}
	r.Start, r.ClaimedStart = r.ClaimedStart, time.Time{}
	return true
}

// asClaimed returns a copy of r with the start that it claims.
func (r *Row) asClaimed() *Row {
	c := *r
	c.startAsClaimed()
	return &c
}

// A bench is the working memory of Fold. Rows are large, and Fold sees every row of a second
// witness, so benches are pooled.
type bench struct {
	all   []testimony
	order []*testimony
}

var benches = sync.Pool{New: func() any {
	return &bench{all: make([]testimony, 0, 4), order: make([]*testimony, 0, 4)}
}}

// leave clears the bench and gives it back to the pool.
func (b *bench) leave() {
	clear(b.all[:cap(b.all)])
	clear(b.order)
	b.all, b.order = b.all[:0], b.order[:0]
	benches.Put(b)
}
