package pcap

import (
	"bytes"
	"container/list"
	"net/netip"
	"time"
)

// The bounds of memory for fragmented packets.
const (
	maxFragmented    = 1 << 10 // fragmented packets at once
	maxFragmentBytes = 8 << 20 // of all their parts
	maxWhole         = 1 << 16 // bytes of a packet
	maxPieces        = 256     // parts of one packet
	// fragmentsFor is how long the decoder waits for the parts of a packet, by the capture's clock:
	// senders soon use an id again.
	fragmentsFor = 30 * time.Second
	// repeatedFor is how long a part counts as a repetition from a complete packet: a capture may
	// hold packets twice.
	repeatedFor = time.Second
)

// fragments collects the parts of packets (RFC 791, RFC 8200 section 4.5).
type fragments struct {
	by    map[fragmentKey]*list.Element
	old   *list.List // of *fragmented, the oldest first
	bytes int
}

// fragmentKey is what the parts of one packet have in common.
type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	protocol uint8
}

// A fragmented is a packet that lacks parts.
type fragmented struct {
	key   fragmentKey
	at    time.Time // when its first part came
	frame int
	depth int
	// protocol is that of the first part; IPv6 allows others in later parts, which do not count.
	protocol uint8
	pieces   []piece // by their place, none over another
	size     int     // of the packet; 0 if unknown
	done     bool    // it was complete, and only repeated parts may come
	bytes    int     // of all pieces
}

type piece struct {
	offset int
	data   []byte
}

func newFragments() fragments {
	return fragments{by: map[fragmentKey]*list.Element{}, old: list.New()}
}

// add takes a part. It returns the packet if it is complete now, and those that it gives up.
func (f *fragments) add(p *ipPacket, at time.Time, frame, depth int) (whole *ipPacket, lost []*fragmented) {
	key := fragmentKey{p.src, p.dst, p.id, p.protocol}
	if p.src.Is6() {
		key.protocol = 0 // the parts of an IPv6 packet may name others
	}
	e, ok := f.by[key]
	if ok {
		w := e.Value.(*fragmented)
		age := at.Sub(w.at).Abs()
		switch {
		case w.done && age <= repeatedFor:
			return nil, nil
		case w.done || age > fragmentsFor:
			lost = f.remove(e, lost)
			ok = false
		}
	}
	if !ok {
		e = f.old.PushBack(&fragmented{key: key, at: at, frame: frame, depth: depth})
		f.by[key] = e
	}
	w := e.Value.(*fragmented)
	before := w.bytes
	w.put(p)
	f.bytes += w.bytes - before
	if data := w.whole(); data != nil {
		f.bytes -= w.bytes
		pieces := len(w.pieces)
		w.done, w.at, w.pieces, w.bytes = true, at, nil, 0
		return &ipPacket{src: p.src, dst: p.dst, protocol: w.protocol, data: data, parts: pieces - 1}, lost
	}
	for f.old.Len() > maxFragmented || f.bytes > maxFragmentBytes {
		lost = f.remove(f.old.Front(), lost)
	}
	return nil, lost
}

// remove forgets a packet, and adds it to lost if it is not complete.
func (f *fragments) remove(e *list.Element, lost []*fragmented) []*fragmented {
	w := f.old.Remove(e).(*fragmented)
	delete(f.by, w.key)
	f.bytes -= w.bytes
	if w.done {
		return lost
	}
	return append(lost, w)
}

// all returns all incomplete packets, and forgets them.
func (f *fragments) all() (all []*fragmented) {
	for f.old.Len() > 0 {
		all = f.remove(f.old.Front(), all)
	}
	return all
}

// put adds a part. Bytes that are there already stay.
func (w *fragmented) put(p *ipPacket) {
	if p.offset == 0 {
		w.protocol = p.protocol
	}
	end := p.offset + len(p.data)
	if end > maxWhole || len(w.pieces) == maxPieces {
		return
	}
	if !p.more && w.size == 0 {
		w.size = end
	}
	i := 0
	for i < len(w.pieces) && w.pieces[i].offset < p.offset {
		i++
	}
	from := p.offset
	if i > 0 {
		from = max(from, w.pieces[i-1].offset+len(w.pieces[i-1].data))
	}
	if i < len(w.pieces) {
		end = min(end, w.pieces[i].offset)
	}
	if from >= end {
		return
	}
	data := bytes.Clone(p.data[from-p.offset : end-p.offset])
	w.pieces = append(w.pieces, piece{})
	copy(w.pieces[i+1:], w.pieces[i:])
	w.pieces[i] = piece{from, data}
	w.bytes += len(data)
}

// whole returns the packet, or nil if a part is missing.
func (w *fragmented) whole() []byte {
	if w.size == 0 {
		return nil
	}
	if b := w.beginning(); len(b) >= w.size {
		return b[:w.size]
	}
	return nil
}

// beginning returns the packet up to the first missing part.
func (w *fragmented) beginning() []byte {
	var b []byte
	for _, p := range w.pieces {
		if p.offset != len(b) {
			break
		}
		b = append(b, p.data...)
	}
	return b
}

// giveUp reads an incomplete packet as far as it goes: a capture of "port 5060" has only the first
// part of each long datagram, because only that one has a port.
func (d *decoder) giveUp(f *fragmented) {
	b := f.beginning()
	if len(b) == 0 {
		d.left.missing++
		return
	}
	p := ipPacket{src: f.key.src, dst: f.key.dst, protocol: f.protocol, data: b, parts: len(f.pieces) - 1}
	at, frame := d.at, d.frame
	if d.at, d.frame = f.at, f.frame; p.protocol == protoUDP {
		d.transport(&p, f.depth)
	}
	if d.sipFrame == d.frame {
		d.left.missing++
	}
	d.at, d.frame = at, frame
}
