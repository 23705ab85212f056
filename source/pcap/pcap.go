// Package pcap reads SIP out of captures of network packets, in the formats pcap and pcapng, as
// tcpdump, Wireshark, sngrep and SBCs write them.
//
// A capture may come from anyone, so the package trusts nothing in it, and bounds all that it keeps
// while reading: connections, fragments, segments that came too early. It gives up and counts what
// is beyond the bounds.
//
//   - capture.go finds the format of a file; libpcap.go and pcapng.go read it
//   - link.go finds the IP packets, ip.go and fragment.go what is in them
//   - tcp.go makes streams of segments, and stream.go messages of streams
package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip"
)

// Decoder reads captures, packed by gzip or not. Each SIP message over UDP or TCP, on whichever
// port, becomes an event with its [call.Signal], Raw included.
//
// An unreadable SIP message yields a [call.SyntaxError] that names its frame by the number that
// Wireshark shows. The decoder leaves out all else in a capture; note, which may be nil, receives
// for the importing user how much that was, and what of it may have been SIP. A file that is no
// capture, or that ends in the middle, yields an error as its last.
//
// Times are those of the capture. A packet without one gets that of now.
func Decoder(now func() time.Time, note func(text string)) call.Decoder {
	return func(r io.Reader) iter.Seq2[call.Event, error] {
		return func(yield func(call.Event, error) bool) {
			d := newDecoder(now, yield)
			err := d.read(r)
			if d.stopped {
				return
			}
			if note != nil {
				d.left.say(note)
			}
			if err != nil {
				yield(call.Event{}, err)
			}
		}
	}
}

// A decoder reads one file.
type decoder struct {
	now     func() time.Time
	yield   func(call.Event, error) bool
	stopped bool // the caller wants no more events

	frame     int       // the packet's number, counted from 1
	at        time.Time // when it was captured
	sipFrame  int       // the last frame known to carry SIP
	fragments fragments
	streams   streams
	left      left
}

func newDecoder(now func() time.Time, yield func(call.Event, error) bool) *decoder {
	return &decoder{now: now, yield: yield, fragments: newFragments(), streams: newStreams(), left: newLeft()}
}

// read reads all packets, and then what they left unfinished.
func (d *decoder) read(r io.Reader) error {
	c, err := open(r)
	if err != nil {
		return err
	}
	for !d.stopped {
		p, err := c.next()
		if err == nil {
			d.packet(&p)
			continue
		}
		d.finish()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("the file ends in the middle: packet %d is not complete: %w", d.frame+1, err)
		}
		return fmt.Errorf("read packet %d: %w", d.frame+1, err)
	}
	return nil
}

// packet reads one packet of the file.
func (d *decoder) packet(p *packet) {
	d.frame++
	if d.at = p.at; d.at.IsZero() {
		d.at = d.now().Round(0).UTC()
		d.left.timed++
	}
	if len(p.data) < p.length {
		d.left.cut++
	}
	d.left.others++ // isSIP takes it back
	if !d.link(p.link, p.data, 0) {
		d.left.unread(p.link)
	}
}

// finish reads what fragments and streams still hold.
func (d *decoder) finish() {
	for _, f := range d.fragments.all() {
		d.giveUp(f)
	}
	for _, s := range d.streams.all() {
		d.end(s)
	}
}

// A path is the way of a message: its addresses and transport.
type path struct {
	src, dst  netip.AddrPort
	transport string
}

// message yields a copy of a SIP message, with the given time and frame.
func (d *decoder) message(p path, at time.Time, frame int, msg []byte) {
	if d.stopped {
		return
	}
	s := &call.Signal{At: at, Src: p.src, Dst: p.dst, Transport: p.transport}
	msg = bytes.Clone(msg)
	var e call.Event
	unread, err := sip.Scan(msg, s)
	if err == nil {
		if unread != 0 {
			d.left.unreadable++
		}
		s.Raw = sip.Strip(nil, msg)
		e = call.Event{Kind: call.MessageEvent, Call: s.CallID, Signal: s}
	} else {
		err = &call.SyntaxError{
			Raw: fmt.Appendf(nil, "frame %d, %s, %v > %v over %s, %d bytes\n", frame, at.Format(time.RFC3339Nano), p.src, p.dst, p.transport, len(msg)),
			Err: fmt.Errorf("%w: frame %d: %w", call.ErrInvalid, frame, err),
		}
	}
	d.stopped = !d.yield(e, err)
}
