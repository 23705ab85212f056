package pcap

import (
	"bytes"
	"container/list"
	"encoding/binary"
	"net/netip"
	"time"
)

// The bounds of memory for connections.
const (
	maxStreams     = 1 << 14  // directions of connections at once
	maxStreamBytes = 64 << 20 // of all streams together
	maxEarly       = 1 << 8   // early segments of one stream
	maxEarlyBytes  = 256 << 10
	// earlyFor is how long the decoder waits for a missing segment, by the capture's clock. It may
	// have come out of order, or be repeated.
	earlyFor = 3 * time.Second
	// maxJump is how far a sequence number can be from the expected one and still be of the same
	// connection.
	maxJump = 16 << 20
)

// streams are the directions of recent connections.
type streams struct {
	by    map[streamKey]*list.Element
	old   *list.List // of *stream, the one silent for longest first
	bytes int
}

type streamKey struct{ src, dst netip.AddrPort }

// A stream is one direction of a connection (RFC 9293).
type stream struct {
	key    streamKey
	first  uint32    // the sequence number of its first byte
	next   uint32    // the expected one
	early  []segment // segments that came too early, by their numbers
	tls    bool
	parser parser
	bytes  int // of early and the parser
	// at and frame are those of the last segment read.
	at    time.Time
	frame int
}

type segment struct {
	seq   uint32
	data  []byte
	short int // bytes behind data that were not captured
	at    time.Time
	frame int
}

func newStreams() streams { return streams{by: map[streamKey]*list.Element{}, old: list.New()} }

// find returns the stream of a key, or nil.
func (s *streams) find(key streamKey) *stream {
	e, ok := s.by[key]
	if !ok {
		return nil
	}
	s.old.MoveToBack(e)
	return e.Value.(*stream)
}

// add begins a stream whose next byte has the given sequence number.
func (s *streams) add(key streamKey, next uint32) *stream {
	x := &stream{key: key, first: next, next: next}
	s.by[key] = s.old.PushBack(x)
	return x
}

func (s *streams) remove(x *stream) {
	s.old.Remove(s.by[x.key])
	delete(s.by, x.key)
	s.bytes -= x.bytes
}

// all returns all streams, and forgets them.
func (s *streams) all() (all []*stream) {
	for e := s.old.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*stream))
	}
	*s = newStreams()
	return all
}

const (
	flagFIN = 1
	flagSYN = 2
	flagRST = 4
)

// tcp reads a segment.
func (d *decoder) tcp(p *ipPacket) {
	if len(p.data) < 20 {
		return
	}
	head, flags, seq := int(p.data[12]>>4)*4, p.data[13], binary.BigEndian.Uint32(p.data[4:])
	if head < 20 || len(p.data) < head {
		d.left.broken++
		return
	}
	data := p.data[head:]
	key := streamKey{
		netip.AddrPortFrom(p.src, binary.BigEndian.Uint16(p.data)),
		netip.AddrPortFrom(p.dst, binary.BigEndian.Uint16(p.data[2:])),
	}
	s := d.streams.find(key)
	if flags&flagSYN != 0 {
		seq++
	}
	if s != nil && s.isOver(seq, flags&flagSYN != 0) {
		d.streams.remove(s)
		d.end(s)
		s = nil
	}
	if s == nil {
		if len(data) == 0 && flags&flagSYN == 0 {
			return
		}
		s = d.streams.add(key, seq)
		s.parser.lost = flags&flagSYN == 0
	}
	before := s.bytes
	d.segment(s, segment{seq, data, p.short, d.at, d.frame})
	d.streams.bytes += s.bytes - before
	if flags&flagRST != 0 || flags&flagFIN != 0 && len(s.early) == 0 {
		d.streams.remove(s)
		d.end(s)
	}
	for d.streams.old.Len() > maxStreams || d.streams.bytes > maxStreamBytes {
		s := d.streams.old.Front().Value.(*stream)
		if d.streams.remove(s); s.bytes > 0 {
			d.left.crowded++ // otherwise the decoder can resume it, as if the capture had begun in its middle
		}
		d.end(s)
	}
}

// isOver reports whether a sequence number is that of another connection between the same ports.
func (s *stream) isOver(seq uint32, syn bool) bool {
	jump := int32(seq - s.next)
	return syn && seq != s.first || jump > maxJump || jump < -maxJump
}

// segment reads a segment of a stream, and those that waited for it.
func (d *decoder) segment(s *stream, g segment) {
	if len(g.data) == 0 && g.short == 0 {
		return
	}
	if int32(g.seq-s.next) <= 0 {
		d.take(s, g)
	} else {
		s.keep(g)
	}
	for len(s.early) > 0 {
		first := s.early[0]
		if int32(first.seq-s.next) > 0 {
			if len(s.early) <= maxEarly && s.bytes <= maxEarlyBytes && g.at.Sub(first.at) <= earlyFor {
				return
			}
			d.gap(s)
			s.next = first.seq
		}
		s.early = s.early[1:]
		s.bytes -= len(first.data)
		d.take(s, first)
	}
	s.early = nil
}

// keep keeps a segment that came too early.
func (s *stream) keep(g segment) {
	i := len(s.early)
	for i > 0 && int32(g.seq-s.early[i-1].seq) < 0 {
		i--
	}
	g.data = bytes.Clone(g.data)
	s.early = append(s.early, segment{})
	copy(s.early[i+1:], s.early[i:])
	s.early[i] = g
	s.bytes += len(g.data)
}

// take reads the new part of a segment.
func (d *decoder) take(s *stream, g segment) {
	known := int(int32(s.next - g.seq))
	if known >= len(g.data)+g.short {
		return
	}
	s.next = g.seq + uint32(len(g.data)+g.short)
	s.at, s.frame = g.at, g.frame
	d.feed(s, behind(g.data, known), g.frame)
	if g.short > 0 {
		d.gap(s)
	}
}

// feed gives a stream's next bytes to its parser.
func (d *decoder) feed(s *stream, data []byte, frame int) {
	if s.tls = s.tls || s.parser.idle() && isTLS(data); s.tls {
		d.left.isTLS(s.key.src.Port(), s.key.dst.Port())
		return
	}
	before := len(s.parser.held)
	for msg := range s.parser.messages(data) {
		d.heard(s, msg)
	}
	s.bytes += len(s.parser.held) - before
	if !s.parser.lost {
		d.isSIP(frame, 0)
	}
}

func (d *decoder) heard(s *stream, msg []byte) {
	d.isSIP(s.frame, 0)
	d.message(path{s.key.src, s.key.dst, "tcp"}, s.at, s.frame, msg)
}

// gap notes that the capture lacks the next bytes of a stream.
func (d *decoder) gap(s *stream) {
	if s.tls || s.parser.lost && len(s.parser.held) == 0 {
		return // the hole lies in no message
	}
	d.left.missing++
	d.cut(s)
}

// cut yields the incomplete message of a stream.
func (d *decoder) cut(s *stream) (was bool) {
	s.bytes -= len(s.parser.held)
	msg := s.parser.cut()
	if msg != nil {
		d.heard(s, msg)
	}
	return msg != nil
}

// end yields what a stream holds at its end. The caller has removed it from the streams.
func (d *decoder) end(s *stream) {
	for len(s.early) > 0 {
		first := s.early[0]
		s.early = s.early[1:]
		if int32(first.seq-s.next) > 0 {
			d.gap(s)
			s.next = first.seq
		}
		d.take(s, first)
	}
	if d.cut(s) {
		d.left.missing++
	}
}

// isTLS reports whether b begins with a record of TLS (RFC 8446, section 5.1).
func isTLS(b []byte) bool {
	return len(b) >= 5 && 20 <= b[0] && b[0] <= 23 && b[1] == 3 && b[2] <= 4 && int(b[3])<<8|int(b[4]) <= 1<<14+2048
}
