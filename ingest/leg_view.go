package ingest

import (
	"net/netip"
	"slices"
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
	invite   *invite  // the first one on the hop that faces Microsoft; nil: not seen
	asked    bool     // an INVITE waits for an answer
	answer   moment   // the first 2xx
	final    *final   // the last other answer, of a call that has none of 2xx
	bye      moment   // zero: not seen
	cancel   moment   // zero: not seen
	cseq     uint32   // of the INVITE that was sent last to begin the call
	stale    *final   // an answer that an INVITE may have followed, if asked
	trunks   []string // host names that may be the trunk's, the best first
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
	v.facing, v.outbound = l.direction(l.peers)
	hops := l.facingHops(v.outbound, l.peers)
	v.read(hops, l.hops)
	v.complete(l.hops)
	v.trunks = l.trunks(&v)
	return v
}

// direction returns whether the leg faces Microsoft and who called. The hops
// stand in the order in which they were seen, which must not matter: of their
// signs the strongest counts.
func (l *leg) direction(peers []netip.Prefix) (facing, bool) {
	best, outbound := noSign, false
	for i := range l.hops {
		h := &l.hops[i]
		if h.invite.at.IsZero() {
			continue
		}
		if s, out := l.signOf(h, peers); s > best || s == best && out {
			best, outbound = s, out
		}
	}
	switch s := &l.says; {
	case best >= signAddress:
		return surelyFacing, outbound
	case s.id.rank > 0, s.correlation.rank > 0:
		// Microsoft's Contact in an answer. If the INVITE was not seen, who
		// answered was called, and a Call-ID that is a GUID is Microsoft's.
		return surelyFacing, s.id.rank != rankAnswer && !l.asked() && !guidOf(l.callID).IsZero()
	case best > noSign:
		return maybeFacing, outbound
	case s.region.s != "", l.parties != nil && l.parties.host.s != "":
		return maybeFacing, !l.asked() && !guidOf(l.callID).IsZero()
	}
	return notFacing, false
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
func (l *leg) facingHops(outbound bool, peers []netip.Prefix) []*hop {
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
		rank := 1 + 4*btoi(isMicrosoft(end, peers)) + 2*btoi(l.isEnd(i, end, outbound)) + btoi(uri)
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

// read reads the facts of the hops that face Microsoft, of all hops of the leg.
func (v *view) read(hops []*hop, all []hop) {
	var asked instant // when an INVITE was sent last, to whichever proxy
	for _, h := range hops {
		v.cseq, asked = max(v.cseq, h.lastCSeq), lastOf(asked, h.asked)
		if v.invite == nil || h.invite.compare(v.invite) < 0 {
			v.invite = &h.invite
		}
	}
	for _, h := range hops {
		var f *final
		for _, o := range h.same(all, v.outbound) {
			if !o.answer.IsZero() {
				v.answer.add(o.answer, false)
			}
			v.addEnds(o)
			if g := o.final(); g != nil && (f == nil || g.compare(f) > 0) {
				f = g
			}
		}
		switch {
		case h.lastCSeq != v.cseq:
			// it was asked again, perhaps with credentials
		case f == nil && h.asked.Before(asked.Add(-inverted)):
			// a proxy that did not answer, so that another was asked
		case f == nil || f.cseq < v.cseq:
			v.asked = true
		case h.askedAfter(f):
			v.asked, v.stale = true, f
		case v.final == nil || f.compare(v.final) > 0:
			v.final = f
		}
	}
}

// askedAfter reports whether an INVITE was sent behind an answer to one with the
// same number, so that another answer will come. If there was but one INVITE,
// the clock was set back.
func (h *hop) askedAfter(f *final) bool {
	return h.asked.After(h.invite.at) && f.last.Before(h.asked.Add(-inverted))
}

// same returns h and those of all hops that are the same one by other ports: no
// INVITE was seen there, and they end at the same address of Microsoft's. Over
// TCP and TLS the SBC's end of a connection has a port that says nothing, and
// Kamailio reports 0 for what it reads from a connection that it has opened.
func (h *hop) same(all []hop, outbound bool) []*hop {
	end, to := h.ends()
	if !outbound {
		end = to
	}
	out := []*hop{h}
	for i := range all {
		if o := &all[i]; o.invite.at.IsZero() && slices.Contains([]netip.AddrPort{o.a, o.b}, end) {
			out = append(out, o)
		}
	}
	return out
}

func (v *view) addEnds(h *hop) {
	if !h.bye.at.IsZero() {
		v.bye.add(h.bye.at, h.bye.fromA)
	}
	if !h.cancel.at.IsZero() {
		v.cancel.add(h.cancel.at, h.cancel.fromA)
	}
}

// complete takes what was not seen on the hops that face Microsoft from the
// others.
func (v *view) complete(hops []hop) {
	var other view
	for i := range hops {
		h := &hops[i]
		if !h.answer.IsZero() {
			other.answer.add(h.answer, false)
		}
		other.addEnds(h)
		if f := h.final(); f != nil && (other.final == nil || f.compare(other.final) > 0) {
			other.final = f
		}
	}
	for _, m := range [...]struct{ to, from *moment }{{&v.answer, &other.answer}, {&v.bye, &other.bye}, {&v.cancel, &other.cancel}} {
		if m.to.at.IsZero() {
			*m.to = *m.from
		}
	}
	if v.final == nil && v.invite == nil {
		v.final = other.final
	}
	if !v.answer.at.IsZero() {
		v.final, v.stale, v.asked = nil, nil, false
	}
}

// refused reports whether the call came to nothing. A BYE without an answer
// stands for one, unless it was an early dialog that it ended, whose INVITE is
// refused then (RFC 3261, section 15).
func (v *view) refused() bool {
	return !v.established() && (v.bye.at.IsZero() || v.invite != nil && v.final != nil && v.final.cseq == v.cseq)
}

// established reports whether the call was.
func (v *view) established() bool { return !v.answer.at.IsZero() }

// ended reports whether all has been seen of the call that there is to see.
func (v *view) ended() bool {
	if v.invite == nil {
		return false
	}
	return v.established() && !v.bye.at.IsZero() || v.final != nil && !v.asked
}

// again reports whether the caller may yet call again within the same dialog:
// it was challenged, sent elsewhere, or asked for a longer session.
func (v *view) again() bool {
	if v.established() || v.final == nil {
		return false
	}
	switch code := v.final.code; code {
	case 401, 407, 422:
		return true
	default:
		return code < 400
	}
}

// trunks returns the host names that may be the trunk's: Microsoft calls it by
// its name, and requires that name in the Contact of what it is sent.
func (l *leg) trunks(v *view) []string {
	var all []string
	add := func(hosts ...string) {
		for _, host := range hosts {
			if host = strings.ToLower(strings.TrimSuffix(host, ".")); isName(host) {
				all = append(all, host)
			}
		}
	}
	if v.invite != nil {
		if v.outbound {
			add(v.invite.uriHost, v.invite.toHost)
		} else {
			add(v.invite.contactHost, v.invite.callerHost)
		}
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
