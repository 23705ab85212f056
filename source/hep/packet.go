package hep

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// A Packet is one HEP packet, taken apart. Its slices point into the bytes that it was decoded
// from.
type Packet struct {
	At          time.Time // by the capture agent's clock, in UTC; zero if it gave none
	Src, Dst    netip.AddrPort
	Protocol    uint8  // of IP: 6 is TCP, 17 UDP; Kamailio sends 22 for TLS and WebSocket
	Type        uint8  // of the payload: 1 is SIP, 0 means that the packet does not say
	Agent       uint32 // the id that its operator gave the capture agent
	Key         []byte // the auth key, in clear text
	Node        []byte // the name of the capturing node
	Correlation []byte // the agent's id of the call that this belongs to
	Payload     []byte
	Compressed  bool // the payload is compressed: zlib or gzip
}

// The layout of a packet (HEP/EEP protocol specification, revision 37): the letters HEP3, the
// length of the packet, and chunks. Each chunk has a vendor, a type, and its own length. All
// numbers are big endian; lengths include their headers.
const (
	magic      = "HEP3"
	headerSize = len(magic) + 2
	chunkSize  = 6
	// MaxPacket is the length of the longest packet, in bytes.
	MaxPacket = 1<<16 - 1
)

// The chunks of vendor 0 that we read.
const (
	chunkFamily      = 0x01
	chunkProtocol    = 0x02
	chunkSrc4        = 0x03
	chunkDst4        = 0x04
	chunkSrc6        = 0x05
	chunkDst6        = 0x06
	chunkSrcPort     = 0x07
	chunkDstPort     = 0x08
	chunkSeconds     = 0x09
	chunkMicros      = 0x0a
	chunkType        = 0x0b
	chunkAgent       = 0x0c
	chunkKey         = 0x0e
	chunkPayload     = 0x0f
	chunkCompressed  = 0x10
	chunkCorrelation = 0x11
	chunkNode        = 0x13
)

const typeSIP = 1

// fixedSize returns the length of the data of a chunk whose length never varies, or -1.
func fixedSize(chunk uint16) int {
	switch chunk {
	case chunkFamily, chunkProtocol, chunkType:
		return 1
	case chunkSrcPort, chunkDstPort:
		return 2
	case chunkSrc4, chunkDst4, chunkSeconds, chunkMicros, chunkAgent:
		return 4
	case chunkSrc6, chunkDst6:
		return 16
	}
	return -1
}

// frame returns the length of the packet at the beginning of b, or 0 if b is too short to tell. As
// soon as b cannot be the beginning of a packet it returns [Magic], [Version] or [Length].
func frame(b []byte) (int, Cause) {
	for i := range min(len(b), len(magic)) {
		if b[i] != magic[i] {
			return 0, notHEP3(b)
		}
	}
	if len(b) < headerSize {
		return 0, 0
	}
	n := int(binary.BigEndian.Uint16(b[len(magic):]))
	if n < headerSize {
		return 0, Length
	}
	return n, 0
}

// notHEP3 returns the cause for bytes that are no packet of HEP 3, or 0 if b is too short to tell.
func notHEP3(b []byte) Cause {
	if len(b) > 3 && string(b[:3]) == magic[:3] || oldVersion(b) != 0 {
		return Version
	}
	if len(b) < oldHeader && (b[0] == 1 || b[0] == 2) {
		return 0
	}
	return Magic
}

// oldHeader is the number of bytes that identify a packet of HEP 1 or 2.
const oldHeader = 4

// oldVersion returns 1 or 2 if b begins as a packet of that version of HEP does: with its number,
// the length of a header, and the family and protocol of IP. It does not check the length: in
// version 1 that is 16 for IPv4 and 40 for IPv6, in version 2 it is 12 more, or 10 (Kamailio,
// FreeSWITCH), and sngrep has a part of another length there.
func oldVersion(b []byte) int {
	if len(b) < oldHeader || b[0] != 1 && b[0] != 2 {
		return 0
	}
	switch b[2] { // 2 is IPv4 everywhere; the others are IPv6 of Linux, Windows and the BSDs
	case 2, 10, 23, 24, 28, 30:
	default:
		return 0
	}
	switch b[3] {
	case 6, 17, 22, 132:
		return int(b[0])
	}
	return 0
}

// Decode takes b apart, which must be one whole packet and nothing else. It ignores chunks of other
// vendors and of unknown types; of two chunks of the same type the later counts. Any error is a
// [Cause], and p is then of no use. Decode allocates nothing.
func (p *Packet) Decode(b []byte) error { return p.decode(b).err() }

func (p *Packet) decode(b []byte) Cause {
	*p = Packet{}
	switch n, cause := frame(b); {
	case cause != 0:
		return cause
	case n == 0:
		return Short
	case n != len(b):
		return Length
	}
	var f fields
	for rest := b[headerSize:]; len(rest) > 0; {
		if len(rest) < chunkSize {
			return ChunkOverrun
		}
		n := int(binary.BigEndian.Uint16(rest[4:]))
		switch {
		case n < chunkSize:
			return ChunkZero
		case n > len(rest):
			return ChunkOverrun
		}
		if vendor := binary.BigEndian.Uint16(rest); vendor == 0 {
			if !p.chunk(&f, binary.BigEndian.Uint16(rest[2:]), rest[chunkSize:n]) {
				return ChunkSize
			}
		}
		rest = rest[n:]
	}
	p.settle(&f)
	return 0
}

// fields are the parts of addresses and times, which have chunks of their own, in any order.
type fields struct {
	family                 uint8
	src4, dst4, src6, dst6 netip.Addr
	srcPort, dstPort       uint16
	seconds, micros        uint32
}

// chunk notes one chunk's data, and reports whether it has the size that its type requires.
func (p *Packet) chunk(f *fields, chunk uint16, data []byte) bool {
	if n := fixedSize(chunk); n >= 0 && n != len(data) {
		return false
	}
	switch chunk {
	case chunkFamily:
		f.family = data[0]
	case chunkProtocol:
		p.Protocol = data[0]
	case chunkSrc4:
		f.src4 = netip.AddrFrom4([4]byte(data))
	case chunkDst4:
		f.dst4 = netip.AddrFrom4([4]byte(data))
	case chunkSrc6:
		f.src6 = netip.AddrFrom16([16]byte(data)).Unmap()
	case chunkDst6:
		f.dst6 = netip.AddrFrom16([16]byte(data)).Unmap()
	case chunkSrcPort:
		f.srcPort = binary.BigEndian.Uint16(data)
	case chunkDstPort:
		f.dstPort = binary.BigEndian.Uint16(data)
	case chunkSeconds:
		f.seconds = binary.BigEndian.Uint32(data)
	case chunkMicros:
		f.micros = binary.BigEndian.Uint32(data)
	case chunkType:
		p.Type = data[0]
	case chunkAgent:
		p.Agent = binary.BigEndian.Uint32(data)
	case chunkKey:
		p.Key = data
	case chunkPayload, chunkCompressed:
		p.Payload, p.Compressed = data, chunk == chunkCompressed
	case chunkCorrelation:
		p.Correlation = data
	case chunkNode:
		p.Node = data
	}
	return true
}

// settle joins the parts of addresses and times. The family decides only if a packet has addresses
// of both families and the one of IPv6 is not ::, because systems number IPv6 differently, and
// hep-js sends 0 as the family.
func (p *Packet) settle(f *fields) {
	const inet = 2
	p.Src = addrPort(f.family == inet, f.src4, f.src6, f.srcPort)
	p.Dst = addrPort(f.family == inet, f.dst4, f.dst6, f.dstPort)
	if f.seconds == 0 {
		return
	}
	if f.micros >= 1e6 {
		f.micros = 0 // not a fraction of a second
	}
	p.At = time.Unix(int64(f.seconds), int64(f.micros)*1000).UTC()
}

func addrPort(prefer4 bool, a4, a6 netip.Addr, port uint16) netip.AddrPort {
	a := a6
	if !a6.IsValid() || a4.IsValid() && (prefer4 || a6.IsUnspecified()) {
		a = a4
	}
	if !a.IsValid() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, port)
}

// transport returns the name of the IP protocol, as in [call.Signal]. Kamailio sends 22 for TLS and
// for WebSocket; the message's Via says which it is.
func transport(protocol uint8) string {
	switch protocol {
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 22:
		return "tls"
	}
	return ""
}
