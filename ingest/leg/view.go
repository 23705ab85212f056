package leg

import (
	"net/netip"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A View is what a leg's facts come to. It points into the leg, and holds until that
// learns something.
type View struct {
	// Facing is how sure it is that the leg faces Microsoft: not at all, by what
	// an SBC may pass on to its other side, such as From, To and the product's
	// name, or by addresses, the Request-URI and Contact.
	Facing   Facing
	Outbound bool // Microsoft called
	// Lacking says that other hops stand in for messages that were not seen on the
	// way to Microsoft, and may yet come.
	Lacking bool
	// Trunks are host names that may be the trunk's, the best first.
	Trunks []string

	invite  *invite // the first one on the way to Microsoft; nil: not seen
	asked   bool    // an INVITE waits for an answer
	rang    Instant // the first 18x
	answer  Instant // the first 2xx, of a call that was not refused before
	talking bool    // there was an answer within the dialog
	final   *reply  // the last refusal, of a call that was not answered
	bye     moment  // zero: not seen
	cancel  moment  // zero: not seen
	cseq    uint32  // of the INVITE that was sent last to begin the call
	stale   *reply  // a refusal that an INVITE may have followed, if asked
}

// View concludes what the facts of the leg come to. Whose trunks are whose counts only
// where nothing but the trunk's name tells who called; owner may be nil.
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

// inverted is by how much an answer may seem to be older than the INVITE that it
// answers. Kamailio takes the time of a message that it sends after it has been
// sent, and may have read the answer to it by then.
const inverted = 250 * time.Millisecond

// read reads the facts of the ways to Microsoft, and returns the hosts that the
// INVITE has named on the one that decided how the call went.
func (v *View) read(l *Leg, paths []path) (hosts inviteHosts) {
	var asked Instant // when an INVITE was sent last, whichever way
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
			// it was asked again, perhaps with credentials
		case f == nil && p.asked.Before(asked.Add(-inverted)):
			// a proxy that did not answer, so that another was asked
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

// complete takes what was not seen on the ways to Microsoft from all hops of the
// leg. An answer that Microsoft was not given since it had been refused is none.
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
			*m.to, v.Lacking = *m.from, v.Lacking || m.to == &v.bye // an SBC cancels what it has forked
		}
	}
	if v.Established() {
		v.final, v.stale, v.asked = nil, nil, false
	}
}

// withinDialog reports whether a reply is one to an INVITE within the dialog that
// was seen: whoever gets the reply has sent one with no greater CSeq.
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

// refused reports whether the call came to nothing. A BYE without an answer
// stands for one, unless it was an early dialog that it ended, whose INVITE is
// refused then (RFC 3261, section 15).
func (v *View) refused() bool {
	return !v.Established() && (v.bye.at.IsZero() || v.invite != nil && v.final != nil && v.final.cseq == v.cseq)
}

// Established reports whether the call was.
func (v *View) Established() bool { return !v.answer.IsZero() || v.talking && v.final == nil }

// Ended reports whether all has been seen of the call that there is to see.
func (v *View) Ended() bool {
	if v.invite == nil {
		return false
	}
	return v.Established() && !v.bye.at.IsZero() || v.final != nil && !v.asked
}

// Again returns for how long the caller may yet call again within the same dialog:
// for retry if it was challenged, sent elsewhere, or asked for a longer session; for
// next if the trunk or proxy was not there, so that the next one is asked at once; or
// else 0. After these codes Teams does so (learn.microsoft.com, "Configure Direct
// Routing": failover), and SBCs do.
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

// Halved reports whether the end of the call was seen and not what goes before it, its
// INVITE or its answer, which may yet come.
func (v *View) Halved() bool {
	return v.invite == nil && (v.final != nil || !v.bye.at.IsZero()) || !v.Established() && !v.bye.at.IsZero()
}

// Cancelled reports whether the caller has given the call up, whatever came of that.
func (v *View) Cancelled() bool { return !v.cancel.at.IsZero() }

// Rang reports whether the call rang, or what rings was heard of.
func (v *View) Rang() bool { return !v.rang.IsZero() }

// trunks returns the host names that may be the trunk's: Microsoft calls it by
// its name, and requires that name in the Contact of what it is sent.
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

// RowID returns the id of the leg's row: Microsoft's own if a message has told
// it, which is in its Contact, and is the Call-ID of the calls that it makes.
func (l *Leg) RowID(outbound bool) call.GUID {
	if !l.says.id.id.IsZero() {
		return l.says.id.id
	}
	if g := guidOf(l.CallID); outbound && !g.IsZero() {
		return g
	}
	return call.NameGUID("sip", l.CallID)
}

// Nameless reports whether [Leg.RowID] has to make an id up, which is another one than
// the messages that are missing may tell.
func (l *Leg) Nameless(v *View) bool {
	return l.says.id.id.IsZero() && (!v.Outbound || guidOf(l.CallID).IsZero())
}
