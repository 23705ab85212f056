package ingest

import (
	"slices"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
)

// An SBC may pass Microsoft's names on to its carriers: From, To and User-Agent of a leg there look
// as if it faced Microsoft. Such a leg makes no row while another leg of the same source surely
// faces Microsoft, since a source that sees Microsoft surely does so in all its calls. The leg is
// set aside and counted, so that the operator sees it if this rule is wrong. A source that never
// saw Microsoft surely makes rows of all legs that may face it.
//
// A leg that names a tenant's trunk is set aside only for other legs of that tenant, so that the
// calls of one tenant, true or made up, cost another no rows. A leg that names no tenant's trunk is
// set aside for any tenant's.

// An aside notes, for the calls of one tenant at one source, when there were legs that surely face
// Microsoft, and which legs that only may have made a row.
type aside struct {
	spans   []leg.Span         // spans of the sure legs that are over, in order, without overlaps
	open    legHeap            // sure legs that are not over, by when they began
	doubted map[*held]struct{} // legs that only may face Microsoft, and have a row
}

// maxSpans is how many spans an aside remembers. While the source is busy there is one.
const maxSpans = 1024

// around is by how much two legs of one call may miss each other: an SBC that is asked to transfer
// a call sends the INVITE for the next one when the first has ended.
const around = leg.Apart

// aside returns the aside of a leg's source and of the tenant of its call, which may have changed.
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

// notice notes whether a leg surely faces Microsoft, which never changes once it does, and, if over
// is set, whether its call is over.
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
			a.open.set(l) // it may have begun earlier than known
			return
		}
		if v := h.view(l); !v.Ended() {
			a.open.set(l)
			return
		}
	}
	h.over(l)
}

// tooLate counts the rows that would not exist had it been known that l surely faces Microsoft.
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

// forgetAside removes a leg from its aside.
func (h *hearing) forgetAside(l *held) {
	if a := l.among; a != nil {
		a.open.remove(l)
		delete(a.doubted, l)
		l.among = nil
	}
}

// setAside reports whether a leg that may face Microsoft makes no row, because another one surely
// does at the same time.
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

// meets reports whether a leg in the aside surely faces Microsoft during a span.
func (a *aside) meets(at leg.Span) bool {
	if o := a.open.first(); o != nil && !o.Span().From.After(at.To) {
		return true
	}
	i, _ := slices.BinarySearchFunc(a.spans, at.From, func(s leg.Span, t leg.Instant) int { return s.To.Compare(t) })
	return i < len(a.spans) && a.spans[i].Meets(at)
}

// note adds a span, and joins it with those that it meets.
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
