package hep

import (
	"context"
	"net/netip"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip"
)

// maxBatch is the largest number of messages in one Put, unless the last packet holds more than
// one.
const maxBatch = 512

// maxSpare is the most memory for messages, in bytes, that a batch keeps for the next one.
const maxSpare = 1 << 20

// The bounds within which we believe a capture agent's clock. An hour off is a time zone and a day
// late is a slow network, but a call in 1970, or next year, comes from a device that does not know
// the time.
const (
	maxAhead  = 24 * time.Hour
	maxBehind = 365 * 24 * time.Hour
)

// A batch makes events of packets and puts them together. The caller must not write to the packets
// between add and put, because the texts of the events point into them.
type batch struct {
	source  *Source
	opener  opener
	from    netip.AddrPort // the sender of the packets that are added next
	signals []call.Signal
	events  []call.Event
	raw     []byte // the memory of the signals' Raw
	retimed uint64
}

func newBatch(s *Source) *batch { return &batch{source: s, opener: opener{key: s.key}} }

func (b *batch) full() bool { return len(b.signals) >= maxBatch }

// add takes one packet, which the caller has counted as received.
func (b *batch) add(packet []byte) {
	s := b.signal()
	msg, cause := b.opener.open(packet, s)
	b.take(s, packet, msg, cause)
	for msg = sip.Next(msg); msg != nil; msg = sip.Next(msg) {
		b.source.count.further.Add(1)
		s = b.signal()
		b.take(s, packet, msg, b.opener.read(msg, s))
	}
}

// signal appends an empty signal and returns it.
func (b *batch) signal() *call.Signal {
	b.signals = append(b.signals, call.Signal{})
	return &b.signals[len(b.signals)-1]
}

// take keeps s, the last of signals and that of msg. If there is a cause it drops s and refuses the
// message.
func (b *batch) take(s *call.Signal, packet, msg []byte, cause Cause) {
	if cause != 0 {
		b.signals = b.signals[:len(b.signals)-1]
		b.source.refuse(cause, b.from, packet, msg)
		return
	}
	if unread := b.opener.unread; unread != 0 {
		b.source.count.unread[unread].Add(1)
		b.source.reject(unread, b.from, packet, msg)
	}
	now := b.source.o.Now()
	if ahead := s.At.Sub(now); ahead > maxAhead || ahead < -maxBehind {
		if !s.At.IsZero() { // some agents never send a time, which retimed counts
			b.source.reject(Time, b.from, packet, msg)
		}
		s.At = now.Round(0).UTC()
		b.retimed++
	}
	if b.source.o.Raw {
		from := len(b.raw)
		b.raw = sip.Strip(b.raw, msg)
		s.Raw = b.raw[from:len(b.raw):len(b.raw)]
	}
}

// put puts the events, and empties the batch.
func (b *batch) put(ctx context.Context, sink call.Sink) error {
	if len(b.signals) == 0 {
		return nil
	}
	for i := range b.signals {
		b.events = append(b.events, call.Event{Kind: call.MessageEvent, Call: b.signals[i].CallID, Signal: &b.signals[i]})
	}
	err := put(ctx, sink, b.events)
	c := &b.source.count
	if err == nil {
		c.retimed.Add(b.retimed)
		c.messages.Add(uint64(len(b.events)))
		c.seen.Store(b.source.o.Now().UnixNano())
	} else {
		c.refused[Stopped].Add(uint64(len(b.events)))
	}
	// The cleared events must not keep old buffers alive.
	clear(b.signals)
	clear(b.events)
	b.signals, b.events, b.raw, b.retimed = b.signals[:0], b.events[:0], b.raw[:0], 0
	b.opener.release()
	if cap(b.raw) > maxSpare {
		b.raw = nil
	}
	if cap(b.opener.memory) > maxSpare {
		b.opener.memory = nil
	}
	return err
}
