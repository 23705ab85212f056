package hep

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// maxSample is the length of the longest sample, in bytes.
const maxSample = 4 << 10

// sample describes a refused or damaged packet to the operator, as text: its sender, its length,
// its chunks, and the SIP message as far as [appendMessage] shows it. The packet b may be nil. msg
// is the message in it, or nil if it is unknown; from is not valid if the sender is unknown.
//
// It shows what is known to be harmless; it does not copy the packet and take the secrets out. In
// an unreadable packet, media keys, passwords and the auth key may be anywhere. So it copies only
// bytes that it has understood, and none that are compressed.
func sample(from netip.AddrPort, b, msg []byte) []byte {
	out := make([]byte, 0, 1<<10)
	if from.IsValid() {
		out = fmt.Appendf(out, "from %v: ", netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
	out = fmt.Appendf(out, "%d bytes", len(b))
	if len(b) >= headerSize && string(b[:len(magic)]) == magic {
		var inside []byte
		out, inside = appendPacket(out, b)
		if msg == nil {
			msg = bareMessage(inside)
		}
	} else {
		out = appendHead(out, b)
		if msg == nil {
			msg = findMessage(b)
		}
	}
	out = append(out, '\n')
	if msg != nil {
		out = appendMessage(out, msg)
	}
	return out[:min(len(out), maxSample)]
}

// appendPacket describes the packet b, as far as its chunks can be told apart, and returns its
// payload if that may be SIP and is not compressed.
func appendPacket(out, b []byte) (described, payload []byte) {
	out = fmt.Appendf(out, ", HEP3 of %d", binary.BigEndian.Uint16(b[len(magic):]))
	var p Packet
	var f fields
	var chunks []byte
	for rest := b[headerSize:]; len(rest) > 0; {
		if len(rest) < chunkSize {
			chunks = fmt.Appendf(chunks, ", %d bytes", len(rest))
			break
		}
		vendor, kind, n := binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:]), int(binary.BigEndian.Uint16(rest[4:]))
		if isText(vendor, kind) { // the length of the chunk in front was wrong
			chunks = fmt.Appendf(chunks, ", %d bytes that are no chunk", len(rest))
			break
		}
		if n < chunkSize {
			chunks = fmt.Appendf(chunks, ", %#x that is shorter than its header", kind)
			break
		}
		chunks = appendChunkName(chunks, vendor, kind, n-chunkSize)
		end := min(n, len(rest))
		if vendor == 0 {
			p.chunk(&f, kind, rest[chunkSize:end]) // shows as much of a cut payload as there is
		}
		if n != end {
			chunks = fmt.Appendf(chunks, " of which there are %d bytes", len(rest)-chunkSize)
			break
		}
		rest = rest[n:]
	}
	p.settle(&f)
	out = appendFields(out, &p)
	out = append(append(out, "\nchunks: "...), bytes.TrimPrefix(chunks, []byte(", "))...)
	if p.Compressed || p.Type != typeSIP && p.Type != 0 {
		return out, nil
	}
	return out, p.Payload
}

// isText reports whether the bytes in the place of a chunk's vendor and type must be text, since no
// chunk has such numbers.
func isText(vendor, kind uint16) bool { return vendor > 0xff || kind > 0xff }

// appendChunkName appends a chunk's vendor, type and length. It leaves out the length of an auth
// key, which would help an attacker to guess the key.
func appendChunkName(out []byte, vendor, kind uint16, n int) []byte {
	out = append(out, ", "...)
	if vendor != 0 {
		out = fmt.Appendf(out, "vendor %d ", vendor)
	} else if kind == chunkKey {
		return fmt.Appendf(out, "%#x (auth key)", kind)
	}
	return fmt.Appendf(out, "%#x (%d)", kind, n)
}

// appendFields appends what p says of the place and time at which its message was captured.
func appendFields(out []byte, p *Packet) []byte {
	if p.Agent != 0 {
		out = fmt.Appendf(out, ", agent %d", p.Agent)
	}
	if p.Src.IsValid() || p.Dst.IsValid() {
		out = fmt.Appendf(out, ", %v > %v", p.Src, p.Dst)
	}
	if !p.At.IsZero() {
		out = fmt.Appendf(out, ", %s", p.At.Format(time.RFC3339Nano))
	}
	if p.Type != 0 {
		out = fmt.Appendf(out, ", payload type %d", p.Type)
	}
	return out
}

// headSize is the number of bytes that a sample shows of what is no packet. They identify TLS (16
// 03).
const headSize = 8

// appendHead shows the first bytes of what is no packet in hexadecimal. It hides those that may be
// text, because they may be the middle of a message.
func appendHead(out, b []byte) []byte {
	switch {
	case len(b) == 0:
		return out
	case bytes.HasPrefix(b, []byte(magic[:3])):
		return append(out, ", begins with HEP"...)
	case isHTTP(b):
		return append(out, ", a request by HTTP"...)
	case oldVersion(b) != 0:
		return fmt.Appendf(out, ", sends HEP version %d: set it to 3, as hep=3 does in FreeSWITCH", oldVersion(b))
	}
	out = append(out, ", begins with"...)
	for _, c := range b[:min(len(b), headSize)] {
		if ' ' <= c && c < 0x7f {
			out = append(out, " .."...)
		} else {
			out = fmt.Appendf(out, " %02x", c)
		}
	}
	return append(out, " (.. is text)"...)
}

func isHTTP(b []byte) bool {
	line, _ := cutText(b)
	return bytes.HasSuffix(line, []byte(" HTTP/1.0")) || bytes.HasSuffix(line, []byte(" HTTP/1.1"))
}
