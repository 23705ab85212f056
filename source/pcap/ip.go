package pcap

import (
	"encoding/binary"
	"net/netip"

	"github.com/trunklog/trunklog/sip"
)

// The protocols over IP that matter.
const (
	protoHop      = 0
	protoIPv4     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoAH       = 51
	protoOptions  = 60
	protoMobility = 135
)

// ip reads an IP packet of either version.
func (d *decoder) ip(b []byte, depth int) {
	if depth++; depth > maxDepth || len(b) == 0 {
		return
	}
	switch b[0] >> 4 {
	case 4:
		d.ipv4(b, depth)
	case 6:
		d.ipv6(b, depth)
	}
}

// ipv4 is RFC 791.
func (d *decoder) ipv4(b []byte, depth int) {
	head := int(b[0]&0xf) * 4
	if head < 20 || len(b) < head {
		d.left.broken++
		return
	}
	short := 0
	// If the network card computes lengths, the capture may lack this one.
	if total := int(binary.BigEndian.Uint16(b[2:])); total >= head {
		b, short = upTo(b, total)
	}
	p := ipPacket{src: netip.AddrFrom4([4]byte(b[12:16])), dst: netip.AddrFrom4([4]byte(b[16:20])), protocol: b[9], data: b[head:], short: short}
	p.id = uint32(binary.BigEndian.Uint16(b[4:]))
	part := binary.BigEndian.Uint16(b[6:])
	p.offset, p.more = int(part&0x1fff)*8, part&0x2000 != 0
	d.part(p, depth)
}

// upTo returns the first n bytes of b, and how many are missing.
func upTo(b []byte, n int) (have []byte, short int) {
	have = b[:min(len(b), n)]
	return have, n - len(have)
}

// ipv6 is RFC 8200.
func (d *decoder) ipv6(b []byte, depth int) {
	if len(b) < 40 {
		d.left.broken++
		return
	}
	short := 0
	if length := int(binary.BigEndian.Uint16(b[4:])); length > 0 {
		b, short = upTo(b, 40+length)
	}
	p := ipPacket{src: netip.AddrFrom16([16]byte(b[8:24])), dst: netip.AddrFrom16([16]byte(b[24:40])), protocol: b[6], data: b[40:], short: short}
	d.extended(p, depth)
}

// extended reads an IPv6 packet whose data may begin with extension headers.
func (d *decoder) extended(p ipPacket, depth int) {
	for len(p.data) >= 8 {
		size := 8 + int(p.data[1])*8
		switch p.protocol {
		case protoHop, protoRouting, protoOptions, protoMobility:
		case protoAH:
			size = 8 + int(p.data[1])*4
		case protoFragment:
			part := binary.BigEndian.Uint16(p.data[2:])
			p.offset, p.more, p.id = int(part&^7), part&1 != 0, binary.BigEndian.Uint32(p.data[4:])
			if size = 8; p.offset > 0 || p.more {
				p.protocol, p.data = p.data[0], p.data[size:]
				d.part(p, depth)
				return
			}
		default:
			d.transport(&p, depth)
			return
		}
		p.protocol, p.data = p.data[0], behind(p.data, size)
	}
}

// An ipPacket is an IP packet without its header, or a part of one.
type ipPacket struct {
	src, dst netip.Addr
	protocol uint8
	id       uint32 // common to the parts of one packet
	offset   int    // of data in the packet
	more     bool   // data is not its end
	data     []byte
	short    int // bytes behind data that were not captured
	parts    int // how many further parts it came in
}

// part collects a part of a packet, or reads the packet if it is complete.
func (d *decoder) part(p ipPacket, depth int) {
	if p.offset == 0 && !p.more {
		d.transport(&p, depth)
		return
	}
	whole, lost := d.fragments.add(&p, d.at, d.frame, depth)
	for _, f := range lost {
		d.giveUp(f)
	}
	switch {
	case whole == nil:
	case whole.src.Is6():
		d.extended(*whole, depth)
	default:
		d.transport(whole, depth)
	}
}

// transport reads a complete packet, or all that there is of one.
func (d *decoder) transport(p *ipPacket, depth int) {
	switch p.protocol {
	case protoUDP:
		d.udp(p, depth)
	case protoTCP:
		d.tcp(p)
	case protoIPv4, protoIPv6:
		d.ip(p.data, depth)
	case protoGRE:
		d.gre(p.data, depth)
	}
}

// portVXLAN is the port to which mirrors of cloud networks send.
const portVXLAN = 4789

// udp is RFC 768.
func (d *decoder) udp(p *ipPacket, depth int) {
	if len(p.data) < 8 {
		return
	}
	src, dst := binary.BigEndian.Uint16(p.data), binary.BigEndian.Uint16(p.data[2:])
	b := p.data[8:]
	if length := int(binary.BigEndian.Uint16(p.data[4:])); length >= 8 {
		b = b[:min(len(b), length-8)]
	}
	if dst == portVXLAN && len(b) > 8 && b[0]&0x08 != 0 { // RFC 7348
		d.ethernet(b[8:], depth)
		return
	}
	w := path{netip.AddrPortFrom(p.src, src), netip.AddrPortFrom(p.dst, dst), "udp"}
	if b, _ = trimBreaks(b); begins(b) != yes {
		return
	}
	d.isSIP(d.frame, p.parts)
	for ; b != nil; b = sip.Next(b) {
		d.message(w, d.at, d.frame, b)
	}
}

// isSIP notes that a frame carries SIP, together with earlier parts of it.
func (d *decoder) isSIP(frame, parts int) {
	if d.sipFrame != frame {
		d.sipFrame = frame
		d.left.others -= 1 + parts
	}
}
