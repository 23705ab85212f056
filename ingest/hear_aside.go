package ingest

import (
	"slices"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
)

// An SBC may pass Microsoft's names on to its carriers: From, To and User-Agent of
// a leg there look as if it faced Microsoft. Such a leg makes no row while another
// one of the same source surely faces Microsoft: whoever sees Microsoft surely
// sees it so in all its calls. It is set aside, and counted, so that it is seen
// when this rule is wrong. A source that never saw Microsoft surely makes rows of
// all legs that may face it.
//
// A leg that names a tenant's trunk is set aside for other legs of that tenant alone: what
// one is heard to do, or is said to, takes no rows from another. A leg that names nobody's
// is for any tenant's.

// An aside tells of one source, and one tenant's calls, when it saw legs that surely face Microsoft, and
// which rows it made of legs that only may.
type aside struct {
	spans   []leg.Span         // of those that are over, in order, none of which overlap
	open    legHeap            // those that are not over, by when they began
	doubted map[*held]struct{} // those that only may face Microsoft, and have a row
}

// maxSpans is how many are remembered of a tenant's calls at a source. While it is busy there is one.
const maxSpans = 1024

// around is by how much two legs of one call may miss each other: an SBC that is
// asked to transfer a call asks for the next one when the first one has ended.
const around = leg.Apart

// aside returns what is known of the source of a leg, and the tenant of its call. The leg
// may have been another tenant's, or nobody's, until now.
func (h *hearing) aside(l *held) *aside {
	of := h.asides[l.Source]
	if of == nil {
		of = make(map[call.GUID]*aside)
		h.asides[l.Source] = of
	}
	owner := l.Owner(h.in.tenant)
	a := of[owner]
	if a == nil {
		a = &aside{doubted: make(map[*held]struct{}), open: legHeap{
			less:  func(a, b *held) bool { return a.Span().From.Before(b.Span().From) },
			place: func(l *held) *int { return &l.sureAt },
		}}
		of[owner] = a
	}
	if l.among != a {
		h.forgetAside(l)
		l.among = a
	}
	return a
}

// notice takes note of what a leg has learned: whether it surely faces Microsoft,
// which it always will once it does, and whether its call is over, which can be so
// if over is set.
func (h *hearing) notice(l *held, over bool) {
	if !l.sure {
		if l.Facing(h.in.tenant) != leg.SurelyFacing {
			return
		}
		l.sure = true
		h.tooLate(l)
	}
	a := h.aside(l)
	if l.Life.Closed.IsZero() {
		if !over {
			a.open.set(l) // it may have begun earlier than was known
			return
		}
		if v := h.view(l); !v.Ended() {
			a.open.set(l)
			return
		}
	}
	h.over(l)
}

// tooLate counts the rows that would not be there if it had been known that
// another leg surely faces Microsoft.
func (h *hearing) tooLate(l *held) {
	a := h.aside(l)
	for _, doubted := range [...]*aside{a, h.asides[l.Source][call.Unassigned]} {
		if doubted == nil {
			continue
		}
		for d := range doubted.doubted {
			if d.Span().Wide(around).Meets(l.Span()) {
				delete(doubted.doubted, d)
				h.echoes++
			}
		}
	}
}

// over notes that the call of a leg is over.
func (h *hearing) over(l *held) {
	if !l.sure {
		return
	}
	a := h.aside(l)
	a.open.remove(l)
	a.note(l.Span())
}

// forgetAside is called when a leg is not held any more.
func (h *hearing) forgetAside(l *held) {
	if a := l.among; a != nil {
		a.open.remove(l)
		delete(a.doubted, l)
		l.among = nil
	}
}

// setAside reports whether a leg that may face Microsoft does not, because another
// one does at the same time.
func (h *hearing) setAside(l *held) bool {
	at := l.Span().Wide(around)
	of := h.asides[l.Source]
	if owner := l.Owner(h.in.tenant); owner != call.Unassigned {
		a := of[owner]
		return a != nil && a.meets(at)
	}
	for _, a := range of {
		if a.meets(at) {
			return true
		}
	}
	return false
}

// meets reports whether a leg that surely faces Microsoft is there in a span.
func (a *aside) meets(at leg.Span) bool {
	if o := a.open.first(); o != nil && !o.Span().From.After(at.To) {
		return true
	}
	i, _ := slices.BinarySearchFunc(a.spans, at.From, func(s leg.Span, t leg.Instant) int { return s.To.Compare(t) })
	return i < len(a.spans) && a.spans[i].Meets(at)
}

// note adds a span, and those that it meets to it.
func (a *aside) note(s leg.Span) {
	i, _ := slices.BinarySearchFunc(a.spans, s.From, func(o leg.Span, t leg.Instant) int { return o.To.Compare(t) })
	k := i
	for ; k < len(a.spans) && a.spans[k].Meets(s); k++ {
		s = s.With(a.spans[k])
	}
	a.spans = slices.Replace(a.spans, i, k, s)
	if len(a.spans) > maxSpans {
		a.spans = slices.Delete(a.spans, 0, 1)
	}
}
