package call

import (
	"slices"
	"sync"
	"time"
)

// Fold adds to r what w says of the same call, and reports whether r changed.
//
// What a row shows is a function of the set of what was said of its call, by whom
// and by which source, and of nothing else but its id and tenant, which stay. Of one
// voice, which is a witness of one source, the later word stands, field by field;
// what is absent says nothing. So rows of different voices may be folded in any
// order, in any grouping, and as often as one likes. Start is taken like the other
// times, so that r may have another place in the log afterwards.
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

// showAll makes r show, and keep, what the testimonies on a bench say.
func (r *Row) showAll(b *bench) {
	for i := range b.all {
		b.order = append(b.order, &b.all[i])
	}
	slices.SortFunc(b.order, (*testimony).compare)
	r.decide(b.order)
	r.keepSaid(b.order)
}

// Infer makes r, which no store has yet, show what follows from what was said of it, as
// every row does that was folded: how long a call lasted of which nobody told it.
func (r *Row) Infer() {
	b := benches.Get().(*bench)
	defer b.leave()
	if b.all = r.testimonies(b.all); len(b.all) == 0 {
		return
	}
	r.showAll(b)
}

// repeats reports whether w says only what the one source of r has said already, as
// a record does that is read once more.
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

// startAsClaimed makes the start that was kept beside the one under which a row of
// the first release was published the start that was told.
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

// A bench is what Fold works on. Rows are large, and every row of a second witness
// comes by here.
type bench struct {
	all   []testimony
	order []*testimony
}

var benches = sync.Pool{New: func() any {
	return &bench{all: make([]testimony, 0, 4), order: make([]*testimony, 0, 4)}
}}

// leave gives the bench back, without anything that was on it.
func (b *bench) leave() {
	clear(b.all[:cap(b.all)])
	clear(b.order)
	b.all, b.order = b.all[:0], b.order[:0]
	benches.Put(b)
}
