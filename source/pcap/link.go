package pcap

import "encoding/binary"

// Link types (the tcpdump group's list).
const (
	linkNull     = 0
	linkEthernet = 1
	linkPPP      = 9
	linkRaw12    = 12 // OpenBSD's number
	linkRaw14    = 14
	linkPPPHDLC  = 50
	linkRaw      = 101
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

// known reports whether this package reads packets of a link type.
func known(link int) bool {
	switch link {
	case linkNull, linkEthernet, linkPPP, linkRaw12, linkRaw14, linkPPPHDLC, linkRaw, linkLoop, linkSLL, linkIPv4, linkIPv6, linkSLL2:
		return true
	}
	return false
}

// maxDepth is how many packets may be within one another.
const maxDepth = 8

// link reads the captured bytes of a packet, and reports whether it knows the link type.
func (d *decoder) link(link int, b []byte, depth int) bool {
	switch link {
	case linkEthernet:
		d.ethernet(b, depth)
	case linkRaw, linkRaw12, linkRaw14, linkIPv4, linkIPv6:
		d.ip(b, depth)
	case linkNull, linkLoop: // the address family, by the capturing machine's numbers
		d.ip(behind(b, 4), depth)
	case linkSLL:
		if len(b) >= 16 {
			d.network(binary.BigEndian.Uint16(b[14:]), b[16:], depth)
		}
	case linkSLL2:
		if len(b) >= 20 {
			d.network(binary.BigEndian.Uint16(b), b[20:], depth)
		}
	case linkPPP, linkPPPHDLC:
		if len(b) >= 2 && b[0] == 0xff { // address and control (RFC 1662)
			b = b[2:]
		}
		d.ppp(b, depth)
	default:
		return false
	}
	return true
}

// behind returns b without its first n bytes, or nothing.
func behind(b []byte, n int) []byte { return b[min(len(b), n):] }

func (d *decoder) ethernet(b []byte, depth int) {
	if len(b) >= 14 {
		d.network(binary.BigEndian.Uint16(b[12:]), b[14:], depth)
	}
}

// network reads the bytes behind an EtherType. VLAN tags (IEEE 802.1Q and 802.1ad, and older
// numbers) may come first.
func (d *decoder) network(protocol uint16, b []byte, depth int) {
	const (
		ipv4, ipv6     = 0x0800, 0x86dd
		mpls, mplsMany = 0x8847, 0x8848
		pppoe          = 0x8864
	)
	for range maxDepth {
		switch protocol {
		case 0x8100, 0x88a8, 0x9100, 0x9200:
			if len(b) < 4 {
				return
			}
			protocol, b = binary.BigEndian.Uint16(b[2:]), b[4:]
			continue
		case ipv4, ipv6:
			d.ip(b, depth)
		case mpls, mplsMany:
			for last := false; !last && len(b) >= 4; b = b[4:] {
				last = b[2]&1 != 0
			}
			d.ip(b, depth)
		case pppoe:
			d.ppp(behind(b, 6), depth)
		}
		return
	}
}

// ppp reads a protocol number of PPP and the bytes behind it.
func (d *decoder) ppp(b []byte, depth int) {
	if len(b) >= 2 {
		if p := binary.BigEndian.Uint16(b); p == 0x0021 || p == 0x0057 { // IPv4, IPv6
			d.ip(b[2:], depth)
		}
	}
}

// gre reads the contents of a GRE tunnel (RFC 2784 and 2890), such as ERSPAN, by which switches
// mirror packets.
func (d *decoder) gre(b []byte, depth int) {
	const (
		ethernet          = 0x6558
		erspan2, erspan3  = 0x88be, 0x22eb
		checksum, routing = 0x8000, 0x4000
		key, sequence     = 0x2000, 0x1000
	)
	if len(b) < 4 {
		return
	}
	flags, protocol := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	head := 4
	for _, flag := range []uint16{checksum | routing, key, sequence} {
		if flags&flag != 0 {
			head += 4
		}
	}
	b = behind(b, head)
	switch protocol {
	case ethernet:
		d.ethernet(b, depth)
	case erspan2:
		if flags&sequence != 0 { // type I has neither sequence numbers nor a header
			b = behind(b, 8)
		}
		d.ethernet(b, depth)
	case erspan3:
		head := 12
		if len(b) >= 12 && b[11]&1 != 0 {
			head += 8
		}
		d.ethernet(behind(b, head), depth)
	default:
		d.network(protocol, b, depth)
	}
}
