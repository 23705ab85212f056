package hep

import (
	"crypto/subtle"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip"
)

// An opener makes signals of packets, one at a time. It keeps in its memory the messages that it
// has unwrapped, until its owner calls release.
type opener struct {
	key    []byte // the auth key of every packet; empty if they need none
	packet Packet
	unread Cause // the fault in a message that it took all the same, or 0
	unwrapper
}

// open reads the packet b into s, all but s.Raw, and returns the SIP message in it, in which the
// texts of s lie. If it returns a cause, s is of no use, and msg is nil unless the message itself
// is at fault. Another message may follow this one in the packet: see [sip.Next].
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

// read reads msg, a message of the packet that was opened last, into s.
func (o *opener) read(msg []byte, s *call.Signal) Cause {
	p := &o.packet
	s.At, s.Src, s.Dst, s.Agent, s.Raw = p.At, p.Src, p.Dst, p.Agent, nil
	s.Transport = transport(p.Protocol)
	s.Correlation = sip.UTF8(sip.Text(p.Correlation))
	unread, err := sip.Scan(msg, s)
	o.unread = causeOfFault(unread)
	return causeOf(err)
}
