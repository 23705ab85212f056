package hep

import (
	"bufio"
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

// Decoder reads a file of packets, one behind another as they came over a connection. Each SIP
// message in them becomes an event with its [call.Signal], Raw included.
//
// A packet that is unreadable yields a [call.SyntaxError], and reading goes on behind it, or, where
// its length may be wrong, at the next place where a packet can begin. Decoder leaves out packets
// that carry something else than SIP. At the end it tells note, which may be nil, how many these
// were, and in how many messages a header was unreadable: in words for the operator who imports the
// file.
//
// Decoder takes times as they are, however long ago; a packet without one is an error. It does not
// check auth keys: anyone with the file can read them.
func Decoder(note func(text string)) call.Decoder { return DecoderAt(nil, note) }

// DecoderAt is [Decoder] with a clock: a packet without a time, as some agents send all of theirs,
// gets the time at which it is read, since the file does not say when it arrived. DecoderAt tells
// note how many these were. A nil now is no clock.
func DecoderAt(now func() time.Time, note func(text string)) call.Decoder {
	return func(r io.Reader) iter.Seq2[call.Event, error] {
		return func(yield func(call.Event, error) bool) {
			f := fileReader{r: bufio.NewReaderSize(r, 2*MaxPacket), now: now, yield: yield}
			for f.next() {
			}
			if f.others > 0 && note != nil {
				note(fmt.Sprintf("%d packets carry something else than SIP and are left out", f.others))
			}
			if f.unread > 0 && note != nil {
				note(fmt.Sprintf("%d messages have a header, such as From or To, that cannot be read or is there twice: they are taken without it", f.unread))
			}
			if f.timed > 0 && note != nil {
				note(fmt.Sprintf("%d packets have no time and were given that of this import, which is not when their calls were made", f.timed))
			}
		}
	}
}

// Looks reports whether a file that begins with head holds packets of HEP.
func Looks(head []byte) bool {
	return bytes.HasPrefix(head, []byte(magic))
}

// A fileReader reads the packets of one file.
type fileReader struct {
	r      *bufio.Reader
	now    func() time.Time // for packets without a time; may be nil
	yield  func(call.Event, error) bool
	o      opener
	at     int64 // offset of the next packet
	number int64 // of the next packet, counted from 1
	others int   // packets that carry something else than SIP
	unread int   // messages with a fault, such as an unreadable header
	timed  int   // messages that had no time
}

// next reads one packet and reports whether to go on.
func (f *fileReader) next() bool {
	f.number++
	head, err := f.r.Peek(headerSize)
	n, cause := frame(head)
	switch {
	case len(head) == 0 && errors.Is(err, io.EOF):
		return false
	case cause != 0:
		return f.resync(cause)
	case n == 0:
		return f.cut(err)
	}
	b, err := f.r.Peek(n)
	if err != nil {
		if bytes.Contains(b[headerSize:], []byte(magic)) {
			return f.resync(Length) // another packet begins before this one's end
		}
		return f.cut(err)
	}
	return f.packet(bytes.Clone(b))
}

// packet yields the messages of b, the next packet of the file. They belong to the receiver, so b
// has memory of its own, into which their texts point.
func (f *fileReader) packet(b []byte) bool {
	f.o.memory = nil // its texts belong to the receiver as well
	s := new(call.Signal)
	msg, cause := f.o.open(b, s)
	switch cause {
	case ChunkZero, ChunkOverrun, ChunkSize:
		return f.resync(cause) // the packet's length may be wrong as well
	}
	at := f.at
	f.skip(len(b))
	if cause == PayloadType {
		f.others++
		return true
	}
	more := f.message(at, b, msg, s, cause)
	for msg = sip.Next(msg); more && msg != nil; msg = sip.Next(msg) {
		s = new(call.Signal)
		more = f.message(at, b, msg, s, f.o.read(msg, s))
	}
	return more
}

// message yields one message of the packet b, which begins at the offset at.
func (f *fileReader) message(at int64, b, msg []byte, s *call.Signal, cause Cause) bool {
	switch {
	case cause != 0 || !s.At.IsZero():
	case f.now == nil:
		cause = Time
	default:
		s.At = f.now().Round(0).UTC()
		f.timed++
	}
	if cause != 0 {
		return f.report(at, sample(netip.AddrPort{}, b, msg), cause)
	}
	if f.o.unread != 0 {
		f.unread++
	}
	s.Raw = sip.Strip(nil, msg)
	return f.yield(call.Event{Kind: call.MessageEvent, Call: s.CallID, Signal: s}, nil)
}

// resync reports bytes that are no packet, and goes to the next place where a packet can begin.
func (f *fileReader) resync(cause Cause) bool {
	from := f.at
	b, _ := f.r.Peek(maxSample)
	head := bytes.Clone(b)
	f.skip(1)
	for more := true; more; {
		b, err := f.r.Peek(MaxPacket)
		i := bytes.Index(b, []byte(magic))
		switch more = i < 0 && err == nil; {
		case more:
			f.skip(len(b) - len(magic) + 1) // the window may end within the letters
		case i < 0:
			f.skip(len(b))
		default:
			f.skip(i)
		}
	}
	return f.report(from, sample(netip.AddrPort{}, head[:min(int64(len(head)), f.at-from)], nil), cause)
}

// skip passes over n bytes that Peek has returned.
func (f *fileReader) skip(n int) {
	n, _ = f.r.Discard(n)
	f.at += int64(n)
}

// cut yields an error about a file that ends, or becomes unreadable, in the middle of a packet. It
// returns false.
func (f *fileReader) cut(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("the file ends in the middle: packet %d, which begins at byte %d, is not complete: %w", f.number, f.at, io.ErrUnexpectedEOF)
	} else {
		err = fmt.Errorf("read packet %d at byte %d: %w", f.number, f.at, err)
	}
	f.yield(call.Event{}, err)
	return false
}

// report yields an error about the packet that begins at the offset at.
func (f *fileReader) report(at int64, raw []byte, cause Cause) bool {
	return f.yield(call.Event{}, &call.SyntaxError{
		Raw: raw,
		Err: fmt.Errorf("%w: packet %d, which begins at byte %d: %w", call.ErrInvalid, f.number, at, cause),
	})
}
