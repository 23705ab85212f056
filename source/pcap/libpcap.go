package pcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A form is one of the forms of pcap: its unit of time, and the length of a record's header.
type form struct {
	unit   time.Duration
	header int
}

// forms are those of pcap by their magic number (draft-ietf-opsawg-pcap). The last is that of a
// patched libpcap of about 2000, which some devices have.
var forms = map[uint32]form{
	0xa1b2c3d4: {time.Microsecond, 16},
	0xa1b23c4d: {time.Nanosecond, 16},
	0xa1b2cd34: {time.Microsecond, 24},
}

// libpcap is a file of pcap.
type libpcap struct {
	r     io.Reader
	order binary.ByteOrder
	form  form
	link  int
	head  [24]byte
	data  []byte
}

func openLibpcap(r io.Reader, order binary.ByteOrder, f form) (capture, error) {
	p := &libpcap{r: r, order: order, form: f}
	if _, err := io.ReadFull(r, p.head[:]); err != nil {
		return nil, fmt.Errorf("the file ends within its header: %w", io.ErrUnexpectedEOF)
	}
	p.link = int(order.Uint32(p.head[20:]) & 0xffff) // the bits above hold the length of frames' checksums
	if !known(p.link) {
		return nil, fmt.Errorf("%w: captures of link type %d cannot be read: %s can", call.ErrInvalid, p.link, readable)
	}
	return p, nil
}

func (p *libpcap) next() (packet, error) {
	head := p.head[:p.form.header]
	if _, err := io.ReadFull(p.r, head); err != nil {
		return packet{}, err // io.EOF only between packets
	}
	seconds, fraction := p.order.Uint32(head), p.order.Uint32(head[4:])
	size, length := p.order.Uint32(head[8:]), p.order.Uint32(head[12:])
	if size > maxPacket {
		return packet{}, tooLong(size)
	}
	var err error
	if p.data, err = readInto(p.r, p.data, int(size)); err != nil {
		return packet{}, err
	}
	out := packet{link: p.link, data: p.data, length: int(length)}
	if seconds != 0 {
		out.at = time.Unix(int64(seconds), int64(fraction)*int64(p.form.unit)).UTC()
	}
	return out, nil
}

// tooLong is the error about a packet whose header claims n bytes.
func tooLong(n uint32) error {
	return fmt.Errorf("%w: it says that it has %d bytes: the file is damaged from here on", call.ErrInvalid, n)
}

// readInto reads n bytes into b, and grows b if needed.
func readInto(r io.Reader, b []byte, n int) ([]byte, error) {
	if cap(b) < n {
		b = make([]byte, n, max(n, 2<<10))
	}
	b = b[:n]
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}
