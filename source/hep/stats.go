package hep

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// Stats are counts since the [Source] was made. Every packet is counted in
// Packets when it has been received and once more, later, in Messages or Refused.
// So is, in Further, every message that follows another one in a packet.
type Stats struct {
	Packets  uint64            // received, or what came in the place of one
	Bytes    uint64            // of them
	Lost     uint64            // of Bytes, over TCP: between packets, and part of none
	Further  uint64            // SIP messages behind the first of a packet
	Messages uint64            // SIP messages that the sink has accepted
	Refused  [NumCauses]uint64 // by [Cause]: packets, or messages in them, of which nothing came

	// Unread is how many messages were taken of which something could not be
	// read, by what that was; see [Cause.Partial].
	Unread [NumCauses]uint64

	// Retimed is how many of Messages had no time, or one that was years off,
	// and were given that of their arrival.
	Retimed uint64
	// KernelDrops is how many datagrams the kernel had no room for. They are
	// in no other count.
	KernelDrops uint64

	Connections int64               // that are open
	Accepted    uint64              // connections so far
	TurnedAway  [NumRefusals]uint64 // of them came to nothing, by [Refusal]

	ReceiveBuffer int64 // bytes that the kernel keeps for a UDP socket
}

// counters are the Stats of a source as it counts them.
type counters struct {
	packets, bytes, lost, further, messages, retimed, drops atomic.Uint64
	refused, unread                                         [NumCauses]atomic.Uint64
	accepted                                                atomic.Uint64
	turnedAway                                              [NumRefusals]atomic.Uint64
	connections, receiveBuffer                              atomic.Int64
	seen                                                    lastTime // of messages
}

// Stats returns the counts as they are now.
func (s *Source) Stats() Stats {
	c := &s.count
	out := Stats{
		// What is counted last is read first, so that no packet seems to have
		// come to something before it came.
		Messages: c.messages.Load(), Retimed: c.retimed.Load(), KernelDrops: c.drops.Load(),
		Connections: c.connections.Load(), ReceiveBuffer: c.receiveBuffer.Load(),
	}
	for i := range out.TurnedAway {
		out.TurnedAway[i] = c.turnedAway[i].Load()
	}
	out.Accepted = c.accepted.Load()
	for i := range out.Refused {
		out.Refused[i], out.Unread[i] = c.refused[i].Load(), c.unread[i].Load()
	}
	out.Lost = c.lost.Load()
	out.Packets, out.Bytes, out.Further = c.packets.Load(), c.bytes.Load(), c.further.Load()
	return out
}

// received counts packets.
func (s *Source) received(packets, bytes int) {
	s.count.packets.Add(uint64(packets))
	s.count.bytes.Add(uint64(bytes))
}

// lastTime is when something happened last: UnixNano, or 0.
type lastTime struct{ atomic.Int64 }

// time returns it, and the zero time if it has not happened yet.
func (t *lastTime) time() time.Time {
	n := t.Load()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// due reports whether it is as long ago as every, or the clock was set back, and
// notes that it happens now if so. Of several that ask at once one is told so.
func (t *lastTime) due(now time.Time, every time.Duration) bool {
	last, n := t.Load(), now.UnixNano()
	since := time.Duration(n - last)
	return (last == 0 || since < 0 || since >= every) && t.CompareAndSwap(last, n)
}

// refuse counts a packet that nothing comes of, and shows it to whoever wants to
// see such ones. from is who sent it; the packet or the message in it may be nil.
func (s *Source) refuse(cause Cause, from netip.AddrPort, packet, msg []byte) {
	s.count.refused[cause].Add(1)
	if cause != PayloadType { // agents send these on purpose
		s.reject(cause, from, packet, msg)
	}
}

// reject shows a packet, if none was shown for the same cause a second ago.
func (s *Source) reject(cause Cause, from netip.AddrPort, packet, msg []byte) {
	if s.o.Reject == nil || !s.said[cause].due(s.o.Now(), time.Second) {
		return
	}
	s.o.Reject(cause.String(), sample(from, packet, msg))
}
