package cert

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// newNames returns the names for a certificate. It returns an error if one of hosts is neither a
// name nor an address, and leaves out a hostname that is not a name.
func newNames(hosts []string, hostname string) (names, error) {
	n := names{dns: []string{"localhost"}, ips: []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback}}
	if h := strings.ToLower(hostname); isName(h) {
		short, _, _ := strings.Cut(h, ".")
		n.dns = append(n.dns, h, short)
	}
	for _, h := range hosts {
		name := strings.ToLower(strings.TrimSuffix(h, "."))
		ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
		switch {
		case err == nil && ip.Zone() == "":
			n.ips = append(n.ips, ip.Unmap().AsSlice())
		case isName(strings.TrimPrefix(name, "*.")):
			n.dns = append(n.dns, name)
		default:
			return names{}, fmt.Errorf("%q is not a host name or IP address (a name of other letters than a to z is written in its xn-- form)", h)
		}
	}
	slices.Sort(n.dns)
	n.dns = slices.Compact(n.dns)
	slices.SortFunc(n.ips, func(a, b net.IP) int { return bytes.Compare(a, b) })
	n.ips = slices.CompactFunc(n.ips, net.IP.Equal)
	return n, nil
}

// isName reports whether s can be the name of a host (RFC 1123, section 2.1). It also accepts the
// underscores that some hosts have against the rule.
func isName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			switch c := label[i]; {
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			default:
				return false
			}
		}
	}
	return true
}
