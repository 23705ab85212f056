package leg

import (
	"net/netip"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A View holds the conclusions from a leg's facts. It points into the leg, and is valid until a
// message adds to the leg.
type View struct {
	// Facing is how surely the leg faces Microsoft. Marks that an SBC may pass on to its other
	// side, such as From, To and the product's name, make it MaybeFacing. Addresses, the
	// Request-URI and Contact make it SurelyFacing.
	Facing   Facing
	Outbound bool // Microsoft called
	// Lacking says that messages on the way to Microsoft were not seen, and may yet come. Other
	// hops stand in for them.
	Lacking bool
	// Trunks are host names that may be the trunk's, the best first.
	Trunks []string

	invite  *invite // the first one on the way to Microsoft; nil if not seen
	asked   bool    // an INVITE waits for an answer
	rang    Instant // the first provisional answer after 100
	answer  Instant // the first 2xx, of a call that was not refused before
	talking bool    // there was an answer within the dialog
	final   *reply  // the last refusal, of a call that was not answered
	bye     moment  // zero: not seen
	cancel  moment  // zero: not seen
	cseq    uint32  // the greatest of an INVITE that began the call
	stale   *reply  // the last refusal on a way on which a later INVITE waits for an answer
}

// View returns the conclusions from the leg's facts. owner may be nil; its answer counts only where
// nothing but the trunk's name tells which side called.
func (l *Leg) View(owner Owner) View {
	var v View
	v.Facing, v.Outbound = l.direction(owner)
	paths := l.paths(l.facingHops(v.Outbound), v.Outbound)
	hosts := v.read(l, paths)
	v.complete(l)
	v.Lacking = v.Lacking && l.facesByAddress()
	v.Trunks = l.trunks(&v, hosts)
	return v
}

// inverted is the most by which an answer may seem older than the INVITE that it answers. Kamailio
// notes the time of a message after it has sent it, and may have read the answer by then.
const inverted = 250 * time.Millisecond

// read reads the facts of the ways to Microsoft, and returns the hosts that the INVITE named on the
// way that decided how the call went.
func (v *View) read(l *Leg, paths []path) (hosts inviteHosts) {
	var asked Instant // when the last INVITE was sent, on any way
	for i := range paths {
		p := &paths[i]
		v.cseq, asked = max(v.cseq, p.cseq), LastOf(asked, p.asked)
		for _, h := range p.invited {
			if v.invite == nil || h.invite.compare(v.invite) < 0 {
				v.invite = &h.invite
			}
			_, own := l.oneMicrosoft(h)
			v.Lacking = v.Lacking || !own
		}
	}
	var decided Instant
	decide := func(p *path, at Instant) {
		if decided.IsZero() || at.After(decided) {
			decided, hosts = at, p.hosts
		}
	}
	for i := range paths {
		p := &paths[i]
		p.sides(func(s side) { v.addEnds(s.hop) })
		switch f := p.final; {
		case p.answer != nil:
			if v.answer.IsZero() || p.answer.at.Before(v.answer) {
				v.answer, decided, hosts = p.answer.at, p.asked, p.hosts
			}
		case !v.answer.IsZero():
		case p.cseq != v.cseq:
			// the caller has sent a later INVITE on another way, perhaps with credentials
		case f == nil && p.asked.Before(asked.Add(-inverted)):
			// this proxy did not answer, so the caller went on to another
		case f == nil || f.cseq < v.cseq:
			v.asked = true
			decide(p, p.asked)
		case p.askedAfter(f):
			v.asked, v.stale = true, f
			decide(p, p.asked)
		case v.final == nil || f.compare(v.final) > 0:
			v.final = f
			decide(p, p.asked)
		}
	}
	return hosts
}

func (v *View) addEnds(h *hop) {
	v.rang = FirstOf(v.rang, h.rang)
	if !h.bye.at.IsZero() {
		v.bye.add(h.bye.at, h.bye.fromA)
	}
	if !h.cancel.at.IsZero() {
		v.cancel.add(h.cancel.at, h.cancel.fromA)
	}
}

// complete fills in what was not seen on the ways to Microsoft from all hops of the leg. A 2xx that
// was seen elsewhere does not count beside a refusal on these ways, or, if the INVITE was not seen
// on them, beside a refusal with its own CSeq.
func (v *View) complete(l *Leg) {
	var other View
	var answer *reply
	for i := range l.hops {
		h := &l.hops[i]
		other.addEnds(h)
		for k := range h.replies {
			switch r := &h.replies[k]; {
			case l.withinDialog(h, r):
				v.talking = v.talking || r.ok()
			case r.ok():
				if answer == nil || r.at.Before(answer.at) {
					answer = r
				}
			case other.final == nil || r.compare(other.final) > 0:
				other.final = r
			}
		}
	}
	if v.invite == nil {
		if v.final = other.final; v.final != nil && answer != nil && answer.cseq == v.final.cseq {
			answer = nil
		}
	}
	if v.answer.IsZero() && answer != nil && (v.final == nil || v.invite == nil) {
		v.answer, v.Lacking = answer.at, true
	}
	v.rang = FirstOf(v.rang, other.rang)
	for _, m := range [...]struct{ to, from *moment }{{&v.bye, &other.bye}, {&v.cancel, &other.cancel}} {
		if m.to.at.IsZero() && !m.from.at.IsZero() {
			*m.to, v.Lacking = *m.from, v.Lacking || m.to == &v.bye // a CANCEL proves no gap: an SBC cancels its other forks
		}
	}
	if v.Established() {
		v.final, v.stale, v.asked = nil, nil, false
	}
}

// withinDialog reports whether a reply answers an INVITE within the dialog: the reply's receiver
// has sent one with a CSeq that is no greater.
func (l *Leg) withinDialog(h *hop, r *reply) bool {
	to := h.a
	if r.fromA {
		to = h.b
	}
	for i := range l.hops {
		o := &l.hops[i]
		for fromA, from := range [...]netip.AddrPort{o.b, o.a} {
			if n := o.again[fromA]; n != 0 && n <= r.cseq && like(from, to) > 0 {
				return true
			}
		}
	}
	return false
}

// refused reports whether the call was not established. A BYE without an answer means that there
// was an answer, unless it ended an early dialog, whose INVITE is then refused (RFC 3261, section
// 15).
func (v *View) refused() bool {
	return !v.Established() && (v.bye.at.IsZero() || v.invite != nil && v.final != nil && v.final.cseq == v.cseq)
}

// Established reports whether the call was established.
func (v *View) Established() bool { return !v.answer.IsZero() || v.talking && v.final == nil }

// Ended reports whether the leg has all of the call, from its INVITE to its end.
func (v *View) Ended() bool {
	if v.invite == nil {
		return false
	}
	return v.Established() && !v.bye.at.IsZero() || v.final != nil && !v.asked
}

// Again returns for how long the caller may yet call again within the same dialog: retry if it was
// challenged, sent elsewhere or asked for a longer session; next if the trunk or proxy was not
// available, so that the caller tries the next one at once; else 0. Teams does so after these codes
// (learn.microsoft.com, "Configure Direct Routing": failover), and SBCs do.
func (v *View) Again(retry, next time.Duration) time.Duration {
	if v.Established() || v.final == nil {
		return 0
	}
	switch code := v.final.code; {
	case code < 400, code == 401, code == 407, code == 422:
		return retry
	case code == 408, code == 503, code == 504:
		return next
	}
	return 0
}

// Invited reports whether the INVITE was seen on the way to Microsoft.
func (v *View) Invited() bool { return v.invite != nil }

// Halved reports whether the end of the call was seen, but not its INVITE or its answer, which may
// yet come.
func (v *View) Halved() bool {
	return v.invite == nil && (v.final != nil || !v.bye.at.IsZero()) || !v.Established() && !v.bye.at.IsZero()
}

// Cancelled reports whether the caller has sent a CANCEL, with or without effect.
func (v *View) Cancelled() bool { return !v.cancel.at.IsZero() }

// Rang reports whether a provisional answer after 100 was seen, such as 180.
func (v *View) Rang() bool { return !v.rang.IsZero() }

// trunks returns the host names that may be the trunk's. Microsoft calls the trunk by its name, and
// requires that name in the Contact of a request to it.
func (l *Leg) trunks(v *View, hosts inviteHosts) []string {
	var all []string
	add := func(hosts ...string) {
		for _, host := range hosts {
			if host = trunkName(host); isName(host) {
				all = append(all, host)
			}
		}
	}
	switch {
	case v.invite == nil:
	case v.Outbound:
		add(hosts.uri, v.invite.uriHost, v.invite.toHost)
	default:
		add(hosts.contact, v.invite.contactHost, v.invite.callerHost)
	}
	for i := range l.hops {
		if w := &l.hops[i].invite; !w.at.IsZero() {
			add(w.uriHost, w.toHost, w.contactHost, w.callerHost)
		}
	}
	add(l.contact.s)
	if l.parties != nil {
		add(l.parties.host.s)
	}
	return all
}

// RowID returns the id of the leg's row: the one in Microsoft's Contact if a message has told it,
// which is also the Call-ID of the calls that Microsoft makes; or else one that it derives from the
// Call-ID.
func (l *Leg) RowID(outbound bool) call.GUID {
	if !l.says.id.id.IsZero() {
		return l.says.id.id
	}
	if g := guidOf(l.CallID); outbound && !g.IsZero() {
		return g
	}
	return call.NameGUID("sip", l.CallID)
}

// Nameless reports whether [Leg.RowID] derives the id, so that a missing message may yet tell
// another.
func (l *Leg) Nameless(v *View) bool {
	return l.says.id.id.IsZero() && (!v.Outbound || guidOf(l.CallID).IsZero())
}
