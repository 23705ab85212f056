package ingest

import (
	"net/netip"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A view is what a leg's facts come to.
type view struct {
	// facing is how sure it is that the leg faces Microsoft: not at all, by what
	// an SBC may pass on to its other side, such as From, To and the product's
	// name, or by addresses, the Request-URI and Contact.
	facing   facing
	outbound bool     // Microsoft called
	invite   *invite  // the first one on the way to Microsoft; nil: not seen
	asked    bool     // an INVITE waits for an answer
	rang     instant  // the first 18x
	answer   instant  // the first 2xx, of a call that was not refused before
	talking  bool     // there was an answer within the dialog
	final    *reply   // the last refusal, of a call that was not answered
	bye      moment   // zero: not seen
	cancel   moment   // zero: not seen
	cseq     uint32   // of the INVITE that was sent last to begin the call
	stale    *reply   // a refusal that an INVITE may have followed, if asked
	trunks   []string // host names that may be the trunk's, the best first
	// lacking says that other hops stand in for messages that were not seen on the
	// way to Microsoft, and may yet come.
	lacking bool
}

type facing uint8

const (
	notFacing facing = iota
	maybeFacing
	surelyFacing
)

// isMicrosoft reports whether an address is one of Microsoft's, or one of those
// that the operator has named.
func isMicrosoft(a netip.AddrPort, peers []netip.Prefix) bool {
	for _, n := range microsoftNetworks {
		if n.Contains(a.Addr().Unmap()) {
			return true
		}
	}
	for _, p := range peers {
		if p.Contains(a.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// view concludes what the facts of the leg come to.
func (l *leg) view() view {
	var v view
	v.facing, v.outbound = l.direction()
	paths := l.paths(l.facingHops(v.outbound), v.outbound)
	hosts := v.read(l, paths)
	v.complete(l)
	v.lacking = v.lacking && l.facesByAddress()
	v.trunks = l.trunks(&v, hosts)
	return v
}

// facesByAddress reports whether a hop has one of Microsoft's addresses at one end.
func (l *leg) facesByAddress() bool {
	for i := range l.hops {
		if _, one := l.oneMicrosoft(&l.hops[i]); one {
			return true
		}
	}
	return false
}

// direction returns whether the leg faces Microsoft and who called. The hops
// stand in the order in which they were seen, which must not matter: of their
// signs the strongest counts.
func (l *leg) direction() (f facing, outbound bool) {
	best, asked, address := noSign, false, false
	for i := range l.hops {
		h := &l.hops[i]
		if h.invite.at.IsZero() {
			_, one := l.oneMicrosoft(h)
			address = address || one
			continue
		}
		if asked = true; h.invite.recorder {
			return notFacing, false
		}
		if s, out := l.signOf(h, l.peers); s > best || s == best && out {
			best, outbound = s, out
		}
	}
	switch s := &l.says; {
	case best >= signAddress:
		return surelyFacing, outbound
	case s.id.rank > 0:
		// Microsoft's Contact, in an answer to the INVITE, or in what came behind: the
		// INVITE that was seen may be the SBC's, which it has passed on.
		return surelyFacing, l.madeByMicrosoft()
	case s.correlation.rank > 0:
		return surelyFacing, !asked && l.madeByMicrosoft()
	case (address || l.toward) && !asked:
		return surelyFacing, l.madeByMicrosoft()
	case best > noSign:
		return maybeFacing, outbound
	case s.region.s != "", l.parties != nil && l.parties.host.s != "":
		return maybeFacing, !asked && l.madeByMicrosoft()
	}
	return notFacing, false
}

// madeByMicrosoft reports whether the dialog of an INVITE that was not seen is
// Microsoft's. Its Call-ID is then the id that it gives the call, which x-c in its
// Contact tells. SBCs make Call-IDs that are GUIDs as well (Asterisk, FreeSWITCH,
// drachtio), with hyphens and of version 4; Microsoft's are 32 digits and of
// version 5.
func (l *leg) madeByMicrosoft() bool {
	id := guidOf(l.callID)
	switch s := &l.says; {
	case s.id.rank > 0:
		return id == s.id.id
	case s.correlation.rank == rankAnswer:
		return false
	}
	return len(l.callID) == 32 && id[6]>>4 == 5
}

// A sign is what in an INVITE tells of Microsoft, the stronger the greater.
type sign uint8

const (
	noSign      sign = iota
	signTrunk        // the trunk's name
	signTo           // Microsoft's name in To, which an SBC may pass on
	signFrom         // the same in From, or the product's
	signAddress      // Microsoft is called
	signContact      // Microsoft calls
)

func (l *leg) signOf(h *hop, peers []netip.Prefix) (s sign, outbound bool) {
	from, to := h.ends()
	switch v := &h.invite; {
	case v.named || isMicrosoft(from, peers):
		return signContact, true
	case microsoftHost(v.uriHost), isMicrosoft(to, peers):
		return signAddress, false
	case v.agent, microsoftHost(v.callerHost):
		return signFrom, true
	case microsoftHost(v.toHost):
		return signTo, false
	default:
		return l.alongTrunk(v)
	}
}

// alongTrunk concludes from the trunk's name who called, if nothing else tells:
// Microsoft calls the trunk by it, and the SBC names itself so to Microsoft. A
// carrier may do the same, so that this counts only if the operator has said
// that the source is that of a trunk.
func (l *leg) alongTrunk(v *invite) (s sign, outbound bool) {
	if l.trunk == "" {
		return noSign, false
	}
	called, calling := l.owned(v.uriHost), l.owned(v.contactHost) || l.owned(v.callerHost)
	if called == calling {
		return noSign, false
	}
	return signTrunk, called
}

// asked reports whether an INVITE was seen.
func (l *leg) asked() bool {
	for i := range l.hops {
		if !l.hops[i].invite.at.IsZero() {
			return true
		}
	}
	return false
}

// ends returns who sent the INVITE and who received it.
func (h *hop) ends() (from, to netip.AddrPort) {
	if h.invite.fromA {
		return h.a, h.b
	}
	return h.b, h.a
}

// facingHops returns the hops between Microsoft and the first proxy. There can
// be several: an SBC tries another of Microsoft's proxies when one fails.
//
// Of the hops that an INVITE took, Microsoft is at the end from which it comes
// or to which it goes. That end has one of Microsoft's addresses; or nobody
// else sends to it, or from it; or the Request-URI is still, or only there, the
// one that Microsoft uses.
func (l *leg) facingHops(outbound bool) []*hop {
	best := 0
	var hops []*hop
	for i := range l.hops {
		h := &l.hops[i]
		if h.invite.at.IsZero() {
			continue
		}
		from, to := h.ends()
		end, uri := from, h.invite.uriHost == h.invite.toHost
		if !outbound {
			end, uri = to, microsoftHost(h.invite.uriHost)
		}
		rank := 1 + 4*btoi(isMicrosoft(end, l.peers)) + 2*btoi(l.isEnd(i, end, outbound)) + btoi(uri)
		if ms, one := l.oneMicrosoft(h); one && ms == end {
			rank = 8 // nothing else is needed
		}
		if rank > best {
			best, hops = rank, hops[:0]
		}
		if rank == best {
			hops = append(hops, h)
		}
	}
	return hops
}

// isEnd reports whether an INVITE went no further than to the given address of
// hop i, or came from no further.
func (l *leg) isEnd(i int, end netip.AddrPort, outbound bool) bool {
	for j := range l.hops {
		if j == i || l.hops[j].invite.at.IsZero() {
			continue
		}
		from, to := l.hops[j].ends()
		if outbound && to == end || !outbound && from == end {
			return false
		}
	}
	return true
}

// inverted is by how much an answer may seem to be older than the INVITE that it
// answers. Kamailio takes the time of a message that it sends after it has been
// sent, and may have read the answer to it by then.
const inverted = 250 * time.Millisecond

// read reads the facts of the ways to Microsoft, and returns the hosts that the
// INVITE has named on the one that decided how the call went.
func (v *view) read(l *leg, paths []path) (hosts inviteHosts) {
	var asked instant // when an INVITE was sent last, whichever way
	for i := range paths {
		p := &paths[i]
		v.cseq, asked = max(v.cseq, p.cseq), lastOf(asked, p.asked)
		for _, h := range p.invited {
			if v.invite == nil || h.invite.compare(v.invite) < 0 {
				v.invite = &h.invite
			}
			_, own := l.oneMicrosoft(h)
			v.lacking = v.lacking || !own
		}
	}
	var decided instant
	decide := func(p *path, at instant) {
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

func (v *view) addEnds(h *hop) {
	v.rang = firstOf(v.rang, h.rang)
	if !h.bye.at.IsZero() {
		v.bye.add(h.bye.at, h.bye.fromA)
	}
	if !h.cancel.at.IsZero() {
		v.cancel.add(h.cancel.at, h.cancel.fromA)
	}
}

// complete takes what was not seen on the ways to Microsoft from all hops of the
// leg. An answer that Microsoft was not given since it had been refused is none.
func (v *view) complete(l *leg) {
	var other view
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
		v.answer, v.lacking = answer.at, true
	}
	v.rang = firstOf(v.rang, other.rang)
	for _, m := range [...]struct{ to, from *moment }{{&v.bye, &other.bye}, {&v.cancel, &other.cancel}} {
		if m.to.at.IsZero() && !m.from.at.IsZero() {
			*m.to, v.lacking = *m.from, v.lacking || m.to == &v.bye // an SBC cancels what it has forked
		}
	}
	if v.established() {
		v.final, v.stale, v.asked = nil, nil, false
	}
}

// withinDialog reports whether a reply is one to an INVITE within the dialog that
// was seen: whoever gets the reply has sent one with no greater CSeq.
func (l *leg) withinDialog(h *hop, r *reply) bool {
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
func (v *view) refused() bool {
	return !v.established() && (v.bye.at.IsZero() || v.invite != nil && v.final != nil && v.final.cseq == v.cseq)
}

// established reports whether the call was.
func (v *view) established() bool { return !v.answer.IsZero() || v.talking && v.final == nil }

// ended reports whether all has been seen of the call that there is to see.
func (v *view) ended() bool {
	if v.invite == nil {
		return false
	}
	return v.established() && !v.bye.at.IsZero() || v.final != nil && !v.asked
}

// again returns for how long the caller may yet call again within the same dialog:
// it was challenged, sent elsewhere, or asked for a longer session; or the trunk or
// proxy was not there, so that the next one is asked at once. After these codes
// Teams does so (learn.microsoft.com, "Configure Direct Routing": failover), and
// SBCs do.
func (v *view) again(t *Times) time.Duration {
	if v.established() || v.final == nil {
		return 0
	}
	switch code := v.final.code; {
	case code < 400, code == 401, code == 407, code == 422:
		return t.Retry
	case code == 408, code == 503, code == 504:
		return t.Next
	}
	return 0
}

// trunks returns the host names that may be the trunk's: Microsoft calls it by
// its name, and requires that name in the Contact of what it is sent.
func (l *leg) trunks(v *view, hosts inviteHosts) []string {
	var all []string
	add := func(hosts ...string) {
		for _, host := range hosts {
			if host = strings.ToLower(strings.TrimSuffix(host, ".")); isName(host) {
				all = append(all, host)
			}
		}
	}
	switch {
	case v.invite == nil:
	case v.outbound:
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

// rowID returns the id of the leg's row: Microsoft's own if a message has told
// it, which is in its Contact, and is the Call-ID of the calls that it makes.
func (l *leg) rowID(outbound bool) call.GUID {
	if !l.says.id.id.IsZero() {
		return l.says.id.id
	}
	if g := guidOf(l.callID); outbound && !g.IsZero() {
		return g
	}
	return call.NameGUID("sip", l.callID)
}

// nameless reports whether rowID has to make an id up, which is another one than
// the messages that are missing may tell.
func (l *leg) nameless(v *view) bool {
	return l.says.id.id.IsZero() && (!v.outbound || guidOf(l.callID).IsZero())
}
