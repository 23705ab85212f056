package hep

import (
	"crypto/subtle"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip"
)

// An opener makes signals of packets, one at a time. Messages that were wrapped
// lie in its memory until it is told to release them.
type opener struct {
	key    []byte // that packets must carry; empty if they need none
	packet Packet
	unread Cause // what could not be read of the last message, or 0
	unwrapper
}

// open reads the packet b into s, but for s.Raw, and returns the message in it,
// in which s lies. If there is a cause why it cannot, it returns the message only
// if it is the message that is wrong. Another one may follow it: see [sip.Next].
func (o *opener) open(b []byte, s *call.Signal) (msg []byte, cause Cause) {
	p := &o.packet
	if cause := p.decode(b); cause != 0 {
		return nil, cause
	}
	if len(o.key) > 0 && subtle.ConstantTimeCompare(o.key, p.Key) == 0 {
		return nil, Auth
	}
	msg, cause = o.message(p)
	if cause != 0 {
		return nil, cause
	}
	return msg, o.read(msg, s)
}

// read reads a message of the packet that was opened last into s.
func (o *opener) read(msg []byte, s *call.Signal) Cause {
	p := &o.packet
	s.At, s.Src, s.Dst, s.Agent, s.Raw = p.At, p.Src, p.Dst, p.Agent, nil
	s.Transport = transport(p.Protocol)
	s.Correlation = sip.UTF8(sip.Text(p.Correlation))
	unread, err := sip.Scan(msg, s)
	o.unread = causeOfFault(unread)
	return causeOf(err)
}
