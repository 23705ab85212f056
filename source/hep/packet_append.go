package hep

import (
	"encoding/binary"
	"net/netip"
)

// Append appends the packet to b, as a capture agent sends it. A Type of 0 becomes 1, SIP. Append
// cuts off what does not fit of the payload.
func (p *Packet) Append(b []byte) []byte {
	start := len(b)
	b = append(b, magic+"\x00\x00"...)
	family := byte(2)
	if p.Src.Addr().Is6() && !p.Src.Addr().Is4In6() {
		family = 10
	}
	b = appendChunk(b, chunkFamily, family)
	b = appendChunk(b, chunkProtocol, p.Protocol)
	b = appendAddress(b, chunkSrc4, chunkSrc6, chunkSrcPort, p.Src)
	b = appendAddress(b, chunkDst4, chunkDst6, chunkDstPort, p.Dst)
	if !p.At.IsZero() {
		b = appendChunk(b, chunkSeconds, be32(uint32(p.At.Unix()))...)
		b = appendChunk(b, chunkMicros, be32(uint32(p.At.Nanosecond()/1000))...)
	}
	kind := p.Type
	if kind == 0 {
		kind = typeSIP
	}
	b = appendChunk(b, chunkType, kind)
	b = appendChunk(b, chunkAgent, be32(p.Agent)...)
	for _, c := range [...]struct {
		kind uint16
		data []byte
	}{{chunkKey, p.Key}, {chunkNode, p.Node}, {chunkCorrelation, p.Correlation}} {
		if len(c.data) > 0 {
			b = appendChunk(b, c.kind, c.data...)
		}
	}
	payload := uint16(chunkPayload)
	if p.Compressed {
		payload = chunkCompressed
	}
	room := MaxPacket - (len(b) - start) - chunkSize
	b = appendChunk(b, payload, p.Payload[:max(0, min(len(p.Payload), room))]...)
	binary.BigEndian.PutUint16(b[start+len(magic):], uint16(len(b)-start))
	return b
}

func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func appendChunk(b []byte, kind uint16, data ...byte) []byte {
	b = append(b, 0, 0) // vendor
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(chunkSize+len(data)))
	return append(b, data...)
}

func appendAddress(b []byte, kind4, kind6, port uint16, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return b
	}
	kind, addr := kind4, a.Addr().Unmap()
	if addr.Is6() {
		kind = kind6
	}
	b = appendChunk(b, kind, addr.AsSlice()...)
	return appendChunk(b, port, byte(a.Port()>>8), byte(a.Port()))
}
