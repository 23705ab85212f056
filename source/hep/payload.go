package hep

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"slices"

	"github.com/trunklog/trunklog/sip"
)

// maxInflated is the largest size of a payload after decompression, in bytes. A packet without
// compression cannot carry more either.
const maxInflated = 64 << 10

// An unwrapper takes messages out of zlib, gzip and JSON. It writes them to its memory, which grows
// until its owner calls release.
type unwrapper struct {
	memory []byte
	in     bytes.Reader
	zlib   io.ReadCloser // a zlib.Resetter too
	gzip   *gzip.Reader
}

// release forgets all messages, whose memory the next ones take.
func (u *unwrapper) release() { u.memory = u.memory[:0] }

// message returns the SIP message that p carries. It points into the packet, or into u's memory if
// it was wrapped.
//
// A payload whose type is not SIP is refused, whatever it looks like, because a log may quote SIP.
// If the sender gives no type, as all senders that use hep-js 1.0.22 (npm's paStash for
// AudioCodes), the payload decides, because they send their reports in the same way.
func (u *unwrapper) message(p *Packet) ([]byte, Cause) {
	switch p.Type {
	case typeSIP:
		return u.unwrap(p)
	case 0:
		b, cause := u.unwrap(p)
		if cause == Compression || cause == Inflated || cause == 0 && sip.Starts(b) {
			return b, cause
		}
	}
	return nil, PayloadType
}

// unwrap returns the payload of p after decompression, or the message in its JSON.
func (u *unwrapper) unwrap(p *Packet) ([]byte, Cause) {
	b := p.Payload
	if len(b) == 0 {
		return nil, Payload
	}
	if p.Compressed {
		var cause Cause
		if b, cause = u.inflate(b); cause != 0 {
			return nil, cause
		}
	}
	if i := sip.SkipSpace(b, 0); i < len(b) && b[i] == '{' {
		return u.fromJSON(b)
	}
	return b, 0
}

// inflate decompresses zlib (RFC 1950) or gzip (RFC 1952).
func (u *unwrapper) inflate(b []byte) ([]byte, Cause) {
	r, err := u.inflater(b)
	if err != nil {
		return nil, Compression
	}
	from := len(u.memory)
	for {
		// There is room for one byte beyond the limit, which shows that the payload is too large.
		room := min(maxInflated+1-(len(u.memory)-from), 4<<10)
		if room == 0 {
			u.memory = u.memory[:from]
			return nil, Inflated
		}
		u.memory = slices.Grow(u.memory, room)
		n, err := r.Read(u.memory[len(u.memory) : len(u.memory)+room])
		u.memory = u.memory[:len(u.memory)+n]
		switch {
		case errors.Is(err, io.EOF):
			if len(u.memory)-from > maxInflated {
				u.memory = u.memory[:from]
				return nil, Inflated
			}
			return u.memory[from:len(u.memory):len(u.memory)], 0
		case err != nil:
			u.memory = u.memory[:from]
			return nil, Compression
		}
	}
}

// inflater returns a reader that decompresses b. It makes one of each kind, and uses it again.
func (u *unwrapper) inflater(b []byte) (io.Reader, error) {
	u.in.Reset(b)
	if len(b) > 1 && b[0] == 0x1f && b[1] == 0x8b {
		if u.gzip == nil {
			u.gzip = new(gzip.Reader)
		}
		if err := u.gzip.Reset(&u.in); err != nil {
			return nil, err
		}
		u.gzip.Multistream(false)
		return u.gzip, nil
	}
	if u.zlib == nil {
		z, err := zlib.NewReader(&u.in)
		u.zlib = z
		if err != nil {
			u.zlib = nil
		}
		return z, err
	}
	return u.zlib, u.zlib.(zlib.Resetter).Reset(&u.in, nil)
}
