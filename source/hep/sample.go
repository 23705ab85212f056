package hep

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// maxSample is the length of the longest sample.
const maxSample = 4 << 10

// sample describes a packet of which nothing came, as text for the operator: who
// sent it, how long it is, its chunks, and the SIP message as far as
// [appendMessage] shows it. The packet b may be nil, and so may msg, the message
// in it, if it is not known; from is not valid if nobody knows.
//
// It is built of what is known to be harmless, and not by taking secrets away.
// Where a packet cannot be read nobody knows what its bytes are: keys of media,
// passwords and the auth key may be anywhere. So bytes are never copied from it
// unless they have been understood, and compressed ones not at all.
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

// appendPacket describes the packet b, as far as its chunks can be told apart,
// and returns its payload if that may be SIP and is not compressed.
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
		if isText(vendor, kind) { // what was in front had a wrong length
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
			p.chunk(&f, kind, rest[chunkSize:end]) // part of a payload is one, too
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

// isText reports whether what should be a chunk's vendor and type must be text,
// since there are none with such numbers.
func isText(vendor, kind uint16) bool { return vendor > 0xff || kind > 0xff }

// appendChunkName appends a chunk's vendor, type and length. It leaves the length of an
// auth key away, since that would help whoever guesses the key.
func appendChunkName(out []byte, vendor, kind uint16, n int) []byte {
	out = append(out, ", "...)
	if vendor != 0 {
		out = fmt.Appendf(out, "vendor %d ", vendor)
	} else if kind == chunkKey {
		return fmt.Appendf(out, "%#x (auth key)", kind)
	}
	return fmt.Appendf(out, "%#x (%d)", kind, n)
}

// appendFields tells what p says of where its message was heard.
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

// headSize is how many bytes are shown of what is no packet. They tell TLS
// (16 03).
const headSize = 8

// appendHead shows the first bytes of what is no packet in hexadecimal. Those
// that may be text are not shown: it may be the middle of a message.
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
