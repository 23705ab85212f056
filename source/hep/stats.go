package hep

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// Stats are a [Source]'s counts since New. It counts every packet in Packets when it receives it,
// and later once more in Messages or Refused. Likewise it counts in Further, and later in Messages
// or Refused, every message behind the first of a packet.
type Stats struct {
	Packets  uint64            // received, whole or cut; a run of other bytes between packets counts as one
	Bytes    uint64            // of Packets
	Lost     uint64            // of Bytes: over TCP or TLS, between packets and part of none
	Further  uint64            // SIP messages behind the first of their packets
	Messages uint64            // SIP messages that the sink has accepted
	Refused  [NumCauses]uint64 // packets, or messages in them, that made no event, by [Cause]

	// Unread counts the messages that the source took without a part that was unreadable, by the
	// fault of that part; see [Cause.Partial].
	Unread [NumCauses]uint64

	// Retimed counts those of Messages that had no time, or one more than a day ahead of the clock
	// or a year behind it, and got the time of their arrival.
	Retimed uint64
	// KernelDrops counts the datagrams that the kernel dropped because its buffer was full. No
	// other count has them.
	KernelDrops uint64

	Connections int64               // open now
	Accepted    uint64              // connections so far
	TurnedAway  [NumRefusals]uint64 // refused of Accepted, by [Refusal]

	ReceiveBuffer int64 // size of the kernel's buffer for a UDP socket, in bytes; 0 if unknown
}

// counters are the Stats of a source as it counts them.
type counters struct {
	packets, bytes, lost, further, messages, retimed, drops atomic.Uint64
	refused, unread                                         [NumCauses]atomic.Uint64
	accepted                                                atomic.Uint64
	turnedAway                                              [NumRefusals]atomic.Uint64
	connections, receiveBuffer                              atomic.Int64
	seen                                                    lastTime // the last Put of messages
}

// Stats returns the counts as they are now.
func (s *Source) Stats() Stats {
	c := &s.count
	out := Stats{
		// Stats reads last what is counted first, so that Messages and Refused never exceed the
		// packets they came from.
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

// received counts packets and their bytes.
func (s *Source) received(packets, bytes int) {
	s.count.packets.Add(uint64(packets))
	s.count.bytes.Add(uint64(bytes))
}

// lastTime is the last time of something, in UnixNano, or 0 if it has not happened yet.
type lastTime struct{ atomic.Int64 }

// time returns t in UTC, or the zero time if it has not happened yet.
func (t *lastTime) time() time.Time {
	n := t.Load()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// due reports whether t is at least every ago, or the clock was set back, or it has not happened
// yet; and if so sets it to now. Of several goroutines that ask at once only one gets true.
func (t *lastTime) due(now time.Time, every time.Duration) bool {
	last, n := t.Load(), now.UnixNano()
	since := time.Duration(n - last)
	return (last == 0 || since < 0 || since >= every) && t.CompareAndSwap(last, n)
}

// refuse counts a packet, or a message in it, that makes no event, and shows it to Reject. from is
// its sender; packet and msg may be nil.
func (s *Source) refuse(cause Cause, from netip.AddrPort, packet, msg []byte) {
	s.count.refused[cause].Add(1)
	if cause != PayloadType { // agents send other payloads on purpose
		s.reject(cause, from, packet, msg)
	}
}

// reject shows a packet to Reject, unless it has shown one for the same cause within the last
// second.
func (s *Source) reject(cause Cause, from netip.AddrPort, packet, msg []byte) {
	if s.o.Reject == nil || !s.said[cause].due(s.o.Now(), time.Second) {
		return
	}
	s.o.Reject(cause.String(), sample(from, packet, msg))
}
