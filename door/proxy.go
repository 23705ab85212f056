package door

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks of trusted proxies. They say where a request comes from.
type Proxies []netip.Prefix

// ParseProxies reads addresses and networks, such as 10.0.0.5 or 10.0.0.0/8.
func ParseProxies(list []string) (Proxies, error) {
	var all Proxies
	for _, one := range list {
		p, err := netip.ParsePrefix(one)
		if err != nil {
			a, err := netip.ParseAddr(one)
			if err != nil {
				return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", one)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// Trusted reports whether an address is that of a proxy.
func (p Proxies) Trusted(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, x := range p {
		if x.Contains(a) {
			return true
		}
	}
	return false
}

// Client returns the address that a request comes from: the other end of the connection, or if that
// is a proxy, the last address on the way that is none. Proxies add to X-Forwarded-For, or to
// Forwarded (RFC 7239), at the end: a stranger may have written what stands in front of the last
// trusted entry. A proxy that writes one of the two may pass on the other from a stranger, so
// Client trusts neither if both are there.
func (p Proxies) Client(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr) // the zero address if it is none
	addr := at.Addr().Unmap()
	if !p.Trusted(addr) {
		return addr
	}
	x, f := r.Header.Values("X-Forwarded-For"), r.Header.Values("Forwarded")
	if len(x) > 0 && len(f) > 0 {
		return addr
	}
	hops, parse := strings.Split(strings.Join(x, ","), ","), parseNode
	if len(f) > 0 {
		hops, parse = strings.Split(strings.Join(f, ","), ","), parseForwarded
	}
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := parse(strings.TrimSpace(hops[i]))
		if !ok {
			return addr // nothing else is known
		}
		addr = hop
		if !p.Trusted(addr) {
			return addr
		}
	}
	return addr
}

// parseForwarded returns the address in the "for" of one element of Forwarded (RFC 7239, section
// 4).
func parseForwarded(element string) (netip.Addr, bool) {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if strings.EqualFold(name, "for") {
			return parseNode(strings.Trim(value, `"`))
		}
	}
	return netip.Addr{}, false
}

// parseNode reads an address with or without a port (RFC 7239, section 6).
func parseNode(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddrPort(s)
	return a.Addr().Unmap().WithZone(""), err == nil
}
