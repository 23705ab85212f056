package hep

import (
	"context"
	"net/netip"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip"
)

// maxBatch is the most messages that are put at once.
const maxBatch = 512

// maxSpare is the most memory for messages that is kept for the next batch.
const maxSpare = 1 << 20

// How far the clock of a capture agent may be off before we do not believe it.
// An hour is somebody's time zone and a day late is somebody's network, but a
// call in 1970, or next year, is a device that does not know the time.
const (
	maxAhead  = 24 * time.Hour
	maxBehind = 365 * 24 * time.Hour
)

// A batch makes events of packets and puts them together. Between two calls of
// put, the packets must not be written to.
type batch struct {
	source  *Source
	opener  opener
	from    netip.AddrPort // the sender of what is added next
	signals []call.Signal
	events  []call.Event
	raw     []byte // what the signals' Raw lies in
	retimed uint64
}

func newBatch(s *Source) *batch { return &batch{source: s, opener: opener{key: s.key}} }

func (b *batch) full() bool { return len(b.signals) >= maxBatch }

// add takes one packet, which is counted as received.
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

// signal returns room for one more, which is the last of signals.
func (b *batch) signal() *call.Signal {
	b.signals = append(b.signals, call.Signal{})
	return &b.signals[len(b.signals)-1]
}

// take keeps the last of signals, which is that of msg, unless there is a cause
// why it cannot be read.
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
		if !s.At.IsZero() { // to have none is how some agents are, and is counted
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

// put puts what was added, and forgets it.
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
	// Texts that nothing points to any more must not keep old buffers alive.
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
