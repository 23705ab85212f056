package pcap

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"time"

	"github.com/trunklog/trunklog/call"
)

// The blocks of pcapng that this package reads (draft-ietf-opsawg-pcapng). It skips all others.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockOld       = 2 // packets before 2009
	blockSimple    = 3
	blockEnhanced  = 6

	orderMagic = 0x1a2b3c4d
)

// The limits of a section. A block with a packet is as long as a packet with many remarks.
const (
	maxInterfaces = 1 << 12
	maxBlock      = maxPacket + 64<<10
)

// ng is a file of pcapng: sections, one after another, each with its own interfaces and byte order.
type ng struct {
	r          *bufio.Reader
	order      binary.ByteOrder
	interfaces []ngInterface
	data       []byte
}

// An ngInterface is an interface of the capture, with its clock.
type ngInterface struct {
	link   int
	snap   uint32
	unit   byte  // of time: a negative power of 10, or with the highest bit of 2
	offset int64 // seconds to add
}

func (n *ng) next() (packet, error) {
	for {
		kind, body, err := n.block()
		if err != nil {
			return packet{}, err
		}
		p, ok, err := n.read(kind, body)
		if ok || err != nil {
			return p, err
		}
	}
}

// block returns the next block's type and contents, which are empty for skipped blocks.
func (n *ng) block() (kind uint32, body []byte, err error) {
	head, err := n.r.Peek(12)
	if len(head) == 0 {
		return 0, nil, err
	}
	if len(head) < 12 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	if binary.LittleEndian.Uint32(head) == blockSection { // the same in both orders
		switch {
		case binary.LittleEndian.Uint32(head[8:]) == orderMagic:
			n.order = binary.LittleEndian
		case binary.BigEndian.Uint32(head[8:]) == orderMagic:
			n.order = binary.BigEndian
		default:
			return 0, nil, fmt.Errorf("%w: the file is damaged: a section does not show its order of bytes", call.ErrInvalid)
		}
	}
	kind, size := n.order.Uint32(head), n.order.Uint32(head[4:])
	if size < 12 || size%4 != 0 && kind != blockSection {
		return 0, nil, fmt.Errorf("%w: a block of %d bytes: the file is damaged from here on", call.ErrInvalid, size)
	}
	switch kind {
	case blockInterface, blockOld, blockSimple, blockEnhanced:
	default:
		// Discard counts in int, and blocks may have 4 GiB.
		if _, err := io.CopyN(io.Discard, n.r, int64(size)); err != nil {
			return 0, nil, io.ErrUnexpectedEOF
		}
		return kind, nil, nil
	}
	if size > maxBlock {
		return 0, nil, tooLong(size)
	}
	if n.data, err = readInto(n.r, n.data, int(size)); err != nil {
		return 0, nil, err
	}
	return kind, n.data[8 : size-4], nil
}

// read reads one block. It returns the packet in it, if there is one.
func (n *ng) read(kind uint32, b []byte) (p packet, ok bool, err error) {
	short := fmt.Errorf("%w: a block of type %d is too short: the file is damaged from here on", call.ErrInvalid, kind)
	switch kind {
	case blockSection:
		n.interfaces = n.interfaces[:0]
	case blockInterface:
		if len(b) < 8 {
			return p, false, short
		}
		if len(n.interfaces) == maxInterfaces {
			return p, false, fmt.Errorf("%w: more than %d interfaces", call.ErrInvalid, maxInterfaces)
		}
		n.interfaces = append(n.interfaces, n.newInterface(b))
	case blockSimple:
		if len(b) < 4 {
			return p, false, short
		}
		i, err := n.iface(0)
		if err != nil {
			return p, false, err
		}
		length := n.order.Uint32(b)
		size := min(length, uint32(len(b)-4))
		if i.snap > 0 {
			size = min(size, i.snap)
		}
		return packet{link: i.link, data: b[4 : 4+size], length: int(length)}, true, nil
	case blockEnhanced, blockOld:
		if len(b) < 20 {
			return p, false, short
		}
		id := n.order.Uint32(b)
		if kind == blockOld {
			id = uint32(n.order.Uint16(b))
		}
		i, err := n.iface(id)
		if err != nil {
			return p, false, err
		}
		size, length := n.order.Uint32(b[12:]), n.order.Uint32(b[16:])
		if size > uint32(len(b)-20) {
			return p, false, short
		}
		ticks := uint64(n.order.Uint32(b[4:]))<<32 | uint64(n.order.Uint32(b[8:]))
		return packet{at: i.time(ticks), link: i.link, data: b[20 : 20+size], length: int(length)}, true, nil
	}
	return p, false, nil
}

func (n *ng) iface(id uint32) (*ngInterface, error) {
	if id >= uint32(len(n.interfaces)) {
		return nil, fmt.Errorf("%w: a packet of interface %d, of %d", call.ErrInvalid, id, len(n.interfaces))
	}
	return &n.interfaces[id], nil
}

// newInterface reads the description of an interface and its options, up to a damaged option.
func (n *ng) newInterface(b []byte) ngInterface {
	const optionResolution, optionOffset = 9, 14
	i := ngInterface{link: int(n.order.Uint16(b)), snap: n.order.Uint32(b[4:]), unit: 6}
	for b = b[8:]; len(b) >= 4; {
		code, size := n.order.Uint16(b), int(n.order.Uint16(b[2:]))
		padded := 4 + (size+3)&^3
		if code == 0 || padded > len(b) {
			break
		}
		switch value := b[4 : 4+size]; {
		case code == optionResolution && size >= 1:
			i.unit = value[0]
		case code == optionOffset && size >= 8:
			i.offset = int64(n.order.Uint64(value))
		}
		b = b[padded:]
	}
	return i
}

// time returns the time that is ticks of the interface's clock after 1970, or the zero time if that
// is 1970 itself or the unit is none of a clock.
func (i *ngInterface) time(ticks uint64) time.Time {
	perSecond := uint64(1)
	if exponent := i.unit & 0x7f; i.unit&0x80 != 0 && exponent < 64 {
		perSecond <<= exponent
	} else {
		for range min(exponent, 19) {
			perSecond *= 10
		}
	}
	seconds, rest := ticks/perSecond, ticks%perSecond
	hi, lo := bits.Mul64(rest, uint64(time.Second))
	nanos, _ := bits.Div64(hi, lo, perSecond)
	const far = 1 << 40 // seconds; a later time is damage
	s := int64(seconds) + i.offset
	if seconds == 0 || seconds > far || s <= 0 || s > far {
		return time.Time{}
	}
	return time.Unix(s, int64(nanos)).UTC()
}
