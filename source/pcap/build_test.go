package pcap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the captures of the tests begin.
var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var (
	teams4 = netip.MustParseAddrPort("52.114.75.24:12301")
	sbc4   = netip.MustParseAddrPort("192.0.2.10:5061")
	teams6 = netip.MustParseAddrPort("[2603:1063::24]:12301")
	sbc6   = netip.MustParseAddrPort("[2001:db8::10]:5061")
)

// msg returns a message with the given Call-ID and a body of n bytes, which ends
// with a line break if it has room for one.
func msg(id string, n int) []byte {
	body := bytes.Repeat([]byte("b"), n)
	if n > 2 {
		copy(body[n-2:], "\r\n")
	}
	return fmt.Appendf(nil, "INFO sip:a@b SIP/2.0\r\nVia: SIP/2.0/X 192.0.2.10\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>;tag=2\r\nCall-ID: %s\r\nCSeq: 1 INFO\r\nContent-Length: %d\r\n\r\n%s", id, n, body)
}

// udp returns an IP packet with one datagram.
func udp(src, dst netip.AddrPort, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	b = append(b, 0, 0)
	return ip(src.Addr(), dst.Addr(), protoUDP, append(b, payload...))
}

// tcp returns an IP packet with one segment.
func tcp(src, dst netip.AddrPort, seq uint32, flags byte, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	b = binary.BigEndian.AppendUint32(b, seq)
	b = append(b, 0, 0, 0, 0, 5<<4, flags|0x10, 0xff, 0xff, 0, 0, 0, 0)
	return ip(src.Addr(), dst.Addr(), protoTCP, append(b, payload...))
}

func ip(src, dst netip.Addr, protocol byte, data []byte) []byte {
	return fragment(src, dst, protocol, 0, 0, false, data)
}

// fragment returns a part of an IP packet, which is the whole if id is 0.
func fragment(src, dst netip.Addr, protocol byte, id uint32, offset int, more bool, data []byte) []byte {
	be := binary.BigEndian
	if src.Is4() {
		part := uint16(offset / 8)
		if more {
			part |= 0x2000
		}
		b := be.AppendUint16([]byte{0x45, 0}, uint16(20+len(data)))
		b = be.AppendUint16(be.AppendUint16(b, uint16(id)), part)
		b = append(b, 64, protocol, 0, 0)
		b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
		return append(b, data...)
	}
	var head []byte
	next := protocol
	if id != 0 {
		part := uint16(offset)
		if more {
			part |= 1
		}
		next = protoFragment
		head = be.AppendUint32(be.AppendUint16([]byte{protocol, 0}, part), id)
	}
	b := be.AppendUint16([]byte{0x60, 0, 0, 0}, uint16(len(head)+len(data)))
	b = append(b, next, 64)
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	return append(append(b, head...), data...)
}

// parts cuts an IP packet into parts of at most size bytes of data.
func parts(packet []byte, id uint32, size int) (all [][]byte) {
	head, protocol := 20, packet[9]
	src, dst := netip.AddrFrom4([4]byte(packet[12:16])), netip.AddrFrom4([4]byte(packet[16:20]))
	if packet[0]>>4 == 6 {
		head, protocol = 40, packet[6]
		src, dst = netip.AddrFrom16([16]byte(packet[8:24])), netip.AddrFrom16([16]byte(packet[24:40]))
	}
	data := packet[head:]
	size = size &^ 7
	for at := 0; at < len(data); at += size {
		end := min(len(data), at+size)
		all = append(all, fragment(src, dst, protocol, id, at, end < len(data), data[at:end]))
	}
	return all
}

// ether returns b behind a header of Ethernet and tags of VLANs.
func ether(b []byte, tags ...uint16) []byte {
	out := make([]byte, 12)
	for i, tag := range tags {
		out = binary.BigEndian.AppendUint16(out, []uint16{0x88a8, 0x8100}[min(i+2-min(len(tags), 2), 1)])
		out = binary.BigEndian.AppendUint16(out, tag)
	}
	out = binary.BigEndian.AppendUint16(out, etherType(b))
	return append(out, b...)
}

func etherType(b []byte) uint16 {
	if b[0]>>4 == 6 {
		return 0x86dd
	}
	return 0x0800
}

// file returns a capture in the form of pcap, of packets a millisecond apart.
func file(link uint32, packets ...[]byte) []byte {
	return fileOf(binary.LittleEndian, 0xa1b2c3d4, link, packets...)
}

type order interface {
	binary.AppendByteOrder
	binary.ByteOrder
}

func fileOf(o order, magic, link uint32, packets ...[]byte) []byte {
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(o.AppendUint16(b, 2), 4)
	b = o.AppendUint32(o.AppendUint64(b, 0), 1<<18)
	b = o.AppendUint32(b, link)
	for i, p := range packets {
		at := start.Add(time.Duration(i) * time.Millisecond)
		b = o.AppendUint32(b, uint32(at.Unix()))
		b = o.AppendUint32(b, uint32(time.Duration(at.Nanosecond())/forms[magic].unit))
		b = o.AppendUint32(o.AppendUint32(b, uint32(len(p))), uint32(len(p)))
		b = append(b, make([]byte, forms[magic].header-16)...)
		b = append(b, p...)
	}
	return b
}

// block returns a block of pcapng.
func block(o order, kind uint32, body []byte) []byte {
	body = append(body, make([]byte, -len(body)&3)...)
	b := o.AppendUint32(o.AppendUint32(nil, kind), uint32(12+len(body)))
	return o.AppendUint32(append(b, body...), uint32(12+len(body)))
}

func section(o order) []byte {
	b := o.AppendUint16(o.AppendUint16(o.AppendUint32(nil, orderMagic), 1), 0)
	return block(o, blockSection, o.AppendUint64(b, 1<<64-1))
}

// iface returns the description of an interface with options, each of them its
// code and its value.
func iface(o order, link uint16, options ...[]byte) []byte {
	b := o.AppendUint32(o.AppendUint16(o.AppendUint16(nil, link), 0), 0)
	for _, x := range options {
		b = o.AppendUint16(o.AppendUint16(b, uint16(x[0])), uint16(len(x)-1))
		b = append(append(b, x[1:]...), make([]byte, -(len(x)-1)&3)...)
	}
	return block(o, blockInterface, o.AppendUint32(b, 0))
}

func enhanced(o order, id uint32, ticks uint64, p []byte) []byte {
	b := o.AppendUint32(o.AppendUint32(o.AppendUint32(nil, id), uint32(ticks>>32)), uint32(ticks))
	b = o.AppendUint32(o.AppendUint32(b, uint32(len(p))), uint32(len(p)))
	return block(o, blockEnhanced, append(b, p...))
}

// read returns what comes of a file: Call-IDs with how they went, and errors in
// angle brackets; and what is noted.
func read(b []byte) (got, notes []string) {
	now := func() time.Time { return start.AddDate(1, 0, 0) }
	for e, err := range Decoder(now, func(s string) { notes = append(notes, s) })(bytes.NewReader(b)) {
		if err != nil {
			got = append(got, "<"+err.Error()+">")
			continue
		}
		got = append(got, e.Signal.CallID)
	}
	return got, notes
}

// scale multiplies how much is tried; see TRUNKLOG_SCALE.
func scale(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("TRUNKLOG_SCALE"), 64); err == nil && f > 0 {
		n = int(float64(n) * f)
	}
	if testing.Short() {
		n /= 10
	}
	return max(n, 1)
}
