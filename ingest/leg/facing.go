package leg

import (
	"net/netip"
)

// A Facing is how surely a leg faces Microsoft.
type Facing uint8

// The facings, in rising order.
const (
	NotFacing Facing = iota
	MaybeFacing
	SurelyFacing
)

// isMicrosoft reports whether an address is in Microsoft's networks, or in those that the operator
// has named.
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

// facesByAddress reports whether a hop has one of Microsoft's addresses at just one end.
func (l *Leg) facesByAddress() bool {
	for i := range l.hops {
		if _, one := l.oneMicrosoft(&l.hops[i]); one {
			return true
		}
	}
	return false
}

// Facing returns [View.Facing] at a lower cost than [Leg.View].
func (l *Leg) Facing(owner Owner) Facing {
	f, _ := l.direction(owner)
	return f
}

// direction returns how surely the leg faces Microsoft, and whether Microsoft called. The hops
// stand in the order of their first messages, which must not matter, so the strongest of their
// signs counts.
func (l *Leg) direction(owner Owner) (f Facing, outbound bool) {
	best, asked, address := noSign, false, false
	for i := range l.hops {
		h := &l.hops[i]
		if h.invite.at.IsZero() {
			_, one := l.oneMicrosoft(h)
			address = address || one
			continue
		}
		if asked = true; h.invite.recorder {
			return NotFacing, false
		}
		if s, out := l.signOf(h, owner); s > best || s == best && out {
			best, outbound = s, out
		}
	}
	switch s := &l.says; {
	case best >= signAddress:
		return SurelyFacing, outbound
	case s.id.rank > 0:
		// Microsoft's Contact was in an answer to the INVITE, or in a later message. The INVITE
		// that was seen may be the one that the SBC has passed on.
		return SurelyFacing, l.madeByMicrosoft()
	case s.correlation.rank > 0:
		return SurelyFacing, !asked && l.madeByMicrosoft()
	case (address || l.toward) && !asked:
		return SurelyFacing, l.madeByMicrosoft()
	case best > noSign:
		return MaybeFacing, outbound
	case s.region.s != "", l.parties != nil && l.parties.host.s != "":
		return MaybeFacing, !asked && l.madeByMicrosoft()
	}
	return NotFacing, false
}

// madeByMicrosoft reports whether Microsoft began a dialog whose INVITE was not seen. The Call-ID
// is then the id that Microsoft gives the call, which is also x-c in its Contact. SBCs make
// Call-IDs that are GUIDs as well (Asterisk, FreeSWITCH, drachtio), with hyphens and of version 4;
// Microsoft's are 32 digits and of version 5.
func (l *Leg) madeByMicrosoft() bool {
	id := guidOf(l.CallID)
	switch s := &l.says; {
	case s.id.rank > 0:
		return id == s.id.id
	case s.correlation.rank == rankAnswer:
		return false
	}
	return len(l.CallID) == 32 && id[6]>>4 == 5
}

// A sign is what in an INVITE points to Microsoft, in rising strength.
type sign uint8

const (
	noSign      sign = iota
	signTrunk        // the trunk's name, in the Request-URI, Contact or From
	signTo           // Microsoft's name in To, which an SBC may pass on to its other side
	signFrom         // Microsoft's name in From, or its product's in User-Agent
	signAddress      // the Request-URI or the receiver's address is Microsoft's
	signContact      // Contact or the sender's address is Microsoft's
)

func (l *Leg) signOf(h *hop, owner Owner) (s sign, outbound bool) {
	from, to := h.ends()
	switch v := &h.invite; {
	case v.named || isMicrosoft(from, l.Microsoft):
		return signContact, true
	case microsoftHost(v.uriHost), isMicrosoft(to, l.Microsoft):
		return signAddress, false
	case v.agent, microsoftHost(v.callerHost):
		return signFrom, true
	case microsoftHost(v.toHost):
		return signTo, false
	default:
		return l.alongTrunk(v, owner)
	}
}

// alongTrunk infers from the trunk's name which side called, if nothing else tells: Microsoft calls
// the trunk by it, and the SBC names itself so to Microsoft. A carrier may use the same name, so
// this counts only if the operator has bound the source to a trunk.
func (l *Leg) alongTrunk(v *invite, owner Owner) (s sign, outbound bool) {
	if l.Trunk == "" {
		return noSign, false
	}
	called, calling := l.owned(v.uriHost, owner), l.owned(v.contactHost, owner) || l.owned(v.callerHost, owner)
	if called == calling {
		return noSign, false
	}
	return signTrunk, called
}

// Asked reports whether an INVITE was seen.
func (l *Leg) Asked() bool {
	for i := range l.hops {
		if !l.hops[i].invite.at.IsZero() {
			return true
		}
	}
	return false
}

// ends returns the sender of the INVITE and its receiver.
func (h *hop) ends() (from, to netip.AddrPort) {
	if h.invite.fromA {
		return h.a, h.b
	}
	return h.b, h.a
}

// facingHops returns the hops between Microsoft and the first proxy. There can be several: an SBC
// tries another of Microsoft's proxies when one fails.
//
// Of the hops that an INVITE took, Microsoft is at the end from which it comes or to which it goes.
// That end has one of Microsoft's addresses; or no other hop leads to it, or from it; or the
// Request-URI is the one that Microsoft uses, which a proxy has not changed yet, or has only set
// there.
func (l *Leg) facingHops(outbound bool) []*hop {
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
		rank := 1 + 4*btoi(isMicrosoft(end, l.Microsoft)) + 2*btoi(l.isEnd(i, end, outbound)) + btoi(uri)
		if ms, one := l.oneMicrosoft(h); one && ms == end {
			rank = 8 // the addresses alone decide
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

// isEnd reports whether the INVITE came from no further than the given end of hop i, if outbound,
// or went no further, if not: no other hop has an INVITE to it, or from it.
func (l *Leg) isEnd(i int, end netip.AddrPort, outbound bool) bool {
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
