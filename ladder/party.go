package ladder

import (
	"net/netip"
	"slices"
	"strings"
)

// A party is one side of the ladder: an address and its label.
type party struct {
	name  string // the address
	label string // "Microsoft", the name of the SBC, or nothing
}

// parties gives each rung its two sides and returns all of them, in the order of appearance.
//
// A party is an IP address whatever the port, because TCP connections come from any port. Only
// where an address talks to itself do ports tell its programs apart.
func (c *Call) parties(rungs []rung, sbc string) []party {
	byPort := map[netip.Addr]bool{}
	for _, r := range rungs {
		if src, dst := plainAddr(r.Src), plainAddr(r.Dst); src.Addr() == dst.Addr() && src != dst {
			byPort[src.Addr()] = true
		}
	}
	var places []netip.AddrPort
	place := func(a netip.AddrPort) int {
		a = plainAddr(a)
		if !byPort[a.Addr()] {
			a = netip.AddrPortFrom(a.Addr(), 0)
		}
		i := slices.Index(places, a)
		if i < 0 {
			i = len(places)
			places = append(places, a)
		}
		return i
	}
	for i := range rungs {
		rungs[i].from = place(rungs[i].Src)
		rungs[i].to = place(rungs[i].Dst)
	}
	all := make([]party, len(places))
	for i, a := range places {
		switch {
		case byPort[a.Addr()] && a.Addr().IsValid():
			all[i].name = a.String()
		case a.Addr().IsValid():
			all[i].name = a.Addr().String()
		default:
			all[i].name = "unknown"
		}
	}
	c.mark(rungs, all, sbc)
	return all
}

// plainAddr returns a in its shortest form.
func plainAddr(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// microsoftName is the label of Microsoft's side.
const microsoftName = "Microsoft"

// mark labels Microsoft's side of the leg that faces it, and the party that talks to it there.
func (c *Call) mark(rungs []rung, all []party, sbc string) {
	var main []*rung
	for i := range rungs {
		if n := rungs[i].leg; n > 0 && c.Legs[n-1].Main {
			main = append(main, &rungs[i])
		}
	}
	for _, i := range microsoftSides(main) {
		all[i].label = microsoftName
	}
	for _, r := range main {
		for _, side := range [...][2]int{{r.from, r.to}, {r.to, r.from}} {
			if all[side[0]].label == microsoftName && all[side[1]].label == "" {
				all[side[1]].label = sbc
				return
			}
		}
	}
}

// microsoftSides returns which parties are Microsoft's: those in its networks. If there are none,
// as behind a proxy or in a laboratory, it is the first sender of a message in Microsoft's style,
// or else the last target of calls to Microsoft's hosts.
func microsoftSides(main []*rung) (sides []int) {
	for _, r := range main {
		for _, side := range [...]struct {
			party int
			addr  netip.AddrPort
		}{{r.from, r.Src}, {r.to, r.Dst}} {
			if inMicrosoftNetworks(side.addr.Addr().Unmap()) {
				sides = append(sides, side.party)
			}
		}
	}
	if sides != nil {
		return sides
	}
	for _, r := range main {
		if strings.HasPrefix(r.UserAgent, "Microsoft.PSTNHub") || strings.Contains(r.Contact.Host, microsoftHost) {
			return []int{r.from}
		}
	}
	for _, r := range slices.Backward(main) {
		if strings.Contains(r.URI.Host, microsoftHost) {
			return []int{r.to}
		}
	}
	return nil
}

// microsoftHost is the common part of the names of Microsoft's SIP proxies in every cloud:
// sip.pstnhub.microsoft.com, sip.pstnhub.dod.teams.microsoft.us.
const microsoftHost = ".pstnhub."

// inMicrosoftNetworks reports whether Microsoft's SIP proxies are in the network of a (Microsoft,
// "Plan Direct Routing", ports and IP ranges).
func inMicrosoftNetworks(a netip.Addr) bool {
	for _, n := range [...]netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{52, 112}), 14),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{52, 120}), 14),
	} {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
