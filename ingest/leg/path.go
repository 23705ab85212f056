package leg

import (
	"net/netip"
	"slices"
)

// A path is a way between Microsoft and the SBC on which an INVITE was seen: the hops between the
// same two ends. Over TCP and TLS it has many pairs of ports. Microsoft sends requests from a port
// that its system has chosen, and an answer goes to the port in its Via (RFC 3261, section 18.2.2),
// or an agent reports it as if it did. So the address alone tells Microsoft's end.
type path struct {
	invited []*hop // hops on which an INVITE was seen
	other   []side

	cseq   uint32
	asked  Instant
	hosts  inviteHosts
	answer *reply // 2xx
	final  *reply // the last refusal of the INVITE with the greatest CSeq
}

// A side is a hop and its caller's end: byA says that it is a, and sure that this is known.
type side struct {
	*hop
	byA, sure bool
}

// paths returns the ways on which the given hops lie, each with the other hops of the leg that
// belong to it. Each given hop has an INVITE.
func (l *Leg) paths(facing []*hop, outbound bool) []path {
	var all []path
	for _, h := range facing {
		i := slices.IndexFunc(all, func(p path) bool { return l.betweenSame(p.invited[0], h, outbound) })
		if i < 0 {
			all = append(all, path{})
			i = len(all) - 1
		}
		all[i].invited = append(all[i].invited, h)
	}
	for i := range l.hops {
		h := &l.hops[i]
		if !h.invite.at.IsZero() {
			continue
		}
		for k := range all {
			if s, ok := l.belongs(h, &all[k], facing); ok {
				all[k].other = append(all[k].other, s)
			}
		}
	}
	for i := range all {
		all[i].read()
	}
	return all
}

// betweenSame reports whether two hops with INVITEs lie between the same ends.
func (l *Leg) betweenSame(g, h *hop, outbound bool) bool {
	a, b := l.ourEnd(g, outbound), l.ourEnd(h, outbound)
	if !a.IsValid() || !b.IsValid() {
		return g == h
	}
	return a.Addr() == b.Addr() && g.microsoftEnd(a).Addr() == h.microsoftEnd(b).Addr()
}

// ourEnd returns the SBC's end of a hop with an INVITE, if only the other end is Microsoft's by its
// address; otherwise it returns an invalid one.
func (l *Leg) ourEnd(h *hop, outbound bool) (end netip.AddrPort) {
	from, to := h.ends()
	if !outbound {
		from, to = to, from
	}
	if isMicrosoft(from, l.Microsoft) && !isMicrosoft(to, l.Microsoft) {
		return to
	}
	return end
}

func (h *hop) microsoftEnd(ours netip.AddrPort) netip.AddrPort {
	if h.a == ours {
		return h.b
	}
	return h.a
}

// belongs reports whether a hop without an INVITE is part of a path, and returns it as a side of
// that. A message from or to one of Microsoft's proxies belongs to the paths to this proxy, or to
// all if there are none to it. Where addresses do not tell Microsoft's end, as behind a proxy, a
// hop belongs to the hop with an INVITE that it has most in common with.
func (l *Leg) belongs(h *hop, p *path, facing []*hop) (side, bool) {
	asked := p.invited[0]
	if from, told := l.oneMicrosoft(asked); told {
		end, known := l.oneMicrosoft(h)
		if !known || end.Addr() != from.Addr() && slices.ContainsFunc(facing, func(f *hop) bool {
			e, _ := l.oneMicrosoft(f)
			return e.Addr() == end.Addr()
		}) {
			return side{}, false
		}
		caller, _ := asked.ends()
		return side{h, (h.a == end) == (caller == from), true}, true
	}
	best := 0
	var at side
	for i := range l.hops {
		o := &l.hops[i]
		if o.invite.at.IsZero() {
			continue
		}
		s, n := h.along(o)
		if n > best || n == best && slices.Contains(p.invited, o) {
			if best = n; slices.Contains(p.invited, o) {
				at = s
			} else {
				at = side{}
			}
		}
	}
	return at, at.hop != nil && best >= likeOne
}

// oneMicrosoft returns the end of a hop that has one of Microsoft's addresses; ok says that the
// other has none.
func (l *Leg) oneMicrosoft(h *hop) (end netip.AddrPort, ok bool) {
	a, b := isMicrosoft(h.a, l.Microsoft), isMicrosoft(h.b, l.Microsoft)
	if a {
		return h.a, !b
	}
	return h.b, b
}

// How much two ends have in common, as like returns it.
const (
	likeAddress = 1 // the same address
	likeOne     = 2 // the same address and port
)

func like(a, b netip.AddrPort) int {
	switch {
	case a == b:
		return likeOne
	case a.Addr() == b.Addr():
		return likeAddress
	}
	return 0
}

// along returns how much a hop has in common with one that has an INVITE, and the hop as a side by
// that.
func (h *hop) along(o *hop) (side, int) {
	from, to := o.ends()
	byA, byB := like(h.a, from)+like(h.b, to), like(h.b, from)+like(h.a, to)
	return side{h, byA >= byB, byA != byB}, max(byA, byB)
}

// sides calls f with each hop of the path.
func (p *path) sides(f func(side)) {
	for _, h := range p.invited {
		f(side{h, h.invite.fromA, true})
	}
	for _, s := range p.other {
		f(s)
	}
}

// read sets the path's results from the facts of its hops.
func (p *path) read() {
	for _, h := range p.invited {
		p.cseq = max(p.cseq, h.lastCSeq)
		if h.asked.After(p.asked) {
			p.asked, p.hosts = h.asked, h.hosts
		}
	}
	again := uint32(0)
	p.sides(func(s side) { again = leastCSeq(again, s.againBy(true)) })
	p.sides(func(s side) {
		for i := range s.replies {
			r := &s.replies[i]
			if s.sure && (r.fromA == s.byA || again != 0 && r.cseq >= again && r.cseq > p.cseq) {
				continue // the caller's own answer, or one within the dialog
			}
			p.reply(r)
		}
	})
	if p.late() {
		p.answer = nil
	}
}

// againBy returns the lowest CSeq of an INVITE within the dialog that the caller has sent, or the
// callee; 0 if there was none or the sides are not known.
func (s side) againBy(caller bool) uint32 {
	if !s.sure {
		return 0
	}
	return s.again[btoi(s.byA == caller)]
}

// leastCSeq returns the lower of two CSeqs; 0 is none.
func leastCSeq(a, b uint32) uint32 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// reply adds an answer to the INVITE. Of several 2xx, the one to the INVITE that was sent last
// counts, or else the first.
func (p *path) reply(r *reply) {
	switch {
	case !r.ok():
		if p.final == nil || r.compare(p.final) > 0 {
			p.final = r
		}
	case p.answer == nil, r.better(p.answer, p.cseq):
		p.answer = r
	}
}

// better reports whether r, rather than o, answers the INVITE with the given CSeq.
func (r *reply) better(o *reply, cseq uint32) bool {
	if behind, oBehind := r.cseq < cseq, o.cseq < cseq; behind != oBehind {
		return oBehind
	}
	return r.cseq < o.cseq || r.cseq == o.cseq && r.at.Before(o.at)
}

// late reports whether the 2xx came after a refusal of the same INVITE: the caller has then
// acknowledged the refusal, and no call stands. A proxy passes no refusal on once it has passed on
// a 2xx (RFC 3261, section 16.7), so the refusal came first whatever the times say; unless the
// INVITE was sent again in between, to another trunk or proxy.
func (p *path) late() bool {
	a, f := p.answer, p.final
	if a == nil || f == nil || a.cseq != f.cseq {
		return false
	}
	return !p.repeated() || !p.asked.After(f.at) || p.asked.After(a.at.Add(inverted))
}

// repeated reports whether an INVITE was sent more than once.
func (p *path) repeated() bool {
	first := Instant(0)
	for _, h := range p.invited {
		first = FirstOf(first, h.invite.at)
	}
	return p.asked.After(first)
}

// askedAfter reports whether an INVITE with the same CSeq was sent after a refusal, so that another
// answer will come. If there was only one INVITE, a clock was set back.
func (p *path) askedAfter(f *reply) bool {
	return p.repeated() && f.last.Before(p.asked.Add(-inverted))
}
