package call

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// The compact form of a message, for disk and between processes. It leaves out Leg and At, which
// are its key:
//
//	version    1 byte, messageVersion
//	transport  uvarint length, bytes
//	src, dst   uvarint length, netip.AddrPort.AppendBinary
//	raw        all that is left
const messageVersion = 1

// AppendBody appends the compact form of m, without its key, to b.
func (m *Message) AppendBody(b []byte) []byte {
	b = append(b, messageVersion)
	b = binary.AppendUvarint(b, uint64(len(m.Transport)))
	b = append(b, m.Transport...)
	b = appendAddrPort(b, m.Src)
	b = appendAddrPort(b, m.Dst)
	return append(b, m.Raw...)
}

func appendAddrPort(b []byte, a netip.AddrPort) []byte {
	var room [64]byte
	bin, err := a.AppendBinary(room[:0])
	if err != nil {
		panic(err) // it never fails
	}
	b = binary.AppendUvarint(b, uint64(len(bin)))
	return append(b, bin...)
}

// ParseBody sets m to the message with the given key and compact form. m.Raw is a part of body. The
// error wraps [ErrNewer] if a newer version has written the message, and [ErrInvalid] if it makes
// no sense.
func (m *Message) ParseBody(leg GUID, at time.Time, body []byte) error {
	p := messageParser{b: body}
	if v := p.take(1); len(v) == 1 && v[0] != messageVersion {
		if v[0] > messageVersion {
			return fmt.Errorf("message has version %d, and %d is known: %w", v[0], messageVersion, ErrNewer)
		}
		return fmt.Errorf("%w: message has version %d, which there never was", ErrInvalid, v[0])
	}
	*m = Message{Leg: leg, At: at, Transport: transportName(p.field())}
	src, dst := p.field(), p.field()
	if p.bad || m.Src.UnmarshalBinary(src) != nil || m.Dst.UnmarshalBinary(dst) != nil {
		return fmt.Errorf("%w: a message of %d bytes cannot be read", ErrInvalid, len(body))
	}
	m.Raw = p.b[:len(p.b):len(p.b)]
	return nil
}

// transportName returns b as a text. For the transports that sources know it does not allocate.
func transportName(b []byte) string {
	switch string(b) {
	case "udp":
		return "udp"
	case "tcp":
		return "tcp"
	case "tls":
		return "tls"
	case "ws":
		return "ws"
	}
	return string(b)
}

type messageParser struct {
	b   []byte
	bad bool
}

func (p *messageParser) take(n uint64) []byte {
	if p.bad || n > uint64(len(p.b)) {
		p.bad = true
		return nil
	}
	b := p.b[:n:n]
	p.b = p.b[n:]
	return b
}

// field takes a field that begins with its length.
func (p *messageParser) field() []byte {
	n, size := binary.Uvarint(p.b)
	if p.bad || size <= 0 {
		p.bad = true
		return nil
	}
	p.b = p.b[size:]
	return p.take(n)
}
