package ingest

import (
	"slices"
)

// An SBC may pass Microsoft's names on to its carriers: From, To and User-Agent of
// a leg there look as if it faced Microsoft. Such a leg makes no row while another
// one of the same source surely faces Microsoft: whoever sees Microsoft surely
// sees it so in all its calls. It is set aside, and counted, so that it is seen
// when this rule is wrong. A source that never saw Microsoft surely makes rows of
// all legs that may face it.

// An aside tells of one source when it saw legs that surely face Microsoft, and
// which rows it made of legs that only may.
type aside struct {
	spans   []span            // of those that are over, in order, none of which overlap
	open    legHeap           // those that are not over, by when they began
	doubted map[*leg]struct{} // those that only may face Microsoft, and have a row
}

// A span is a time by the clock of the source's agents.
type span struct{ from, to instant }

// maxSpans is how many are remembered of a source. While it is busy there is one.
const maxSpans = 1024

// around is by how much two legs of one call may miss each other: an SBC that is
// asked to transfer a call asks for the next one when the first one has ended.
const around = apart

func (l *leg) span() span { return span{l.first, l.last} }

func (s span) meets(o span) bool { return !s.from.After(o.to) && !o.from.After(s.to) }

// aside returns what is known of a source.
func (h *hearing) aside(source string) *aside {
	a := h.asides[source]
	if a == nil {
		a = &aside{doubted: make(map[*leg]struct{}), open: legHeap{
			less:  func(a, b *leg) bool { return a.first.Before(b.first) },
			place: func(l *leg) *int { return &l.life.sureAt },
		}}
		h.asides[source] = a
	}
	return a
}

// notice takes note of what a leg has learned: whether it surely faces Microsoft,
// which it always will once it does, and whether its call is over, which can be so
// if over is set.
func (h *hearing) notice(l *leg, over bool) {
	if !l.life.sure {
		if f, _ := l.direction(); f != surelyFacing {
			return
		}
		l.life.sure = true
		h.tooLate(l)
	}
	a := h.aside(l.source)
	if l.life.closed.IsZero() {
		if !over {
			a.open.set(l) // it may have begun earlier than was known
			return
		}
		if v := l.view(); !v.ended() {
			a.open.set(l)
			return
		}
	}
	h.over(l)
}

// tooLate counts the rows that would not be there if it had been known that
// another leg surely faces Microsoft.
func (h *hearing) tooLate(l *leg) {
	for d := range h.aside(l.source).doubted {
		if d.span().wide().meets(l.span()) {
			delete(h.aside(l.source).doubted, d)
			h.echoes++
		}
	}
}

func (s span) wide() span { return span{s.from.Add(-around), s.to.Add(around)} }

// over notes that the call of a leg is over.
func (h *hearing) over(l *leg) {
	if !l.life.sure {
		return
	}
	a := h.aside(l.source)
	a.open.remove(l)
	a.note(l.span())
}

// forgetAside is called when a leg is not held any more.
func (h *hearing) forgetAside(l *leg) {
	if a := h.asides[l.source]; a != nil {
		a.open.remove(l)
		delete(a.doubted, l)
	}
}

// setAside reports whether a leg that may face Microsoft does not, because another
// one does at the same time.
func (h *hearing) setAside(l *leg) bool {
	a := h.asides[l.source]
	if a == nil {
		return false
	}
	at := l.span().wide()
	if o := a.open.first(); o != nil && !o.first.After(at.to) {
		return true
	}
	i, _ := slices.BinarySearchFunc(a.spans, at.from, func(s span, t instant) int { return s.to.Compare(t) })
	return i < len(a.spans) && a.spans[i].meets(at)
}

// note adds a span, and those that it meets to it.
func (a *aside) note(s span) {
	i, _ := slices.BinarySearchFunc(a.spans, s.from, func(o span, t instant) int { return o.to.Compare(t) })
	k := i
	for ; k < len(a.spans) && a.spans[k].meets(s); k++ {
		s = span{firstOf(s.from, a.spans[k].from), lastOf(s.to, a.spans[k].to)}
	}
	a.spans = slices.Replace(a.spans, i, k, s)
	if len(a.spans) > maxSpans {
		a.spans = slices.Delete(a.spans, 0, 1)
	}
}
