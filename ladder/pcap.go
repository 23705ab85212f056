package ladder

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// A Loss counts what a capture cannot hold of a call.
type Loss struct {
	// Cut is how many messages were longer than a datagram can be, and lost their last headers.
	Cut int
	// Times is how many messages are from before 1970 or after 2106, and have the end of that range
	// as their time.
	Times int
}

const (
	linkRaw   = 101     // LINKTYPE_RAW: packets begin with their IP header
	maxPacket = 262_144 // as much as readers take
	maxUDP4   = 0xffff - 20 - 8
	maxUDP6   = 0xffff - 8
	protoUDP  = 17
	hops      = 64
	seconds32 = 1<<32 - 1 // the last second of a capture's clock
)

// PCAP writes the messages as a capture in libpcap's format, with times in microseconds. Each
// message is one UDP datagram between its addresses and ports, whatever its transport was: for TCP
// and TLS only the messages are known. The error is that of w.
//
// The datagram is IPv4 if both addresses are, else IPv6 with IPv4 addresses as ::ffff:a.b.c.d.
func (c *Call) PCAP(w io.Writer) (Loss, error) {
	var loss Loss
	b := bufio.NewWriter(w)
	le := binary.LittleEndian
	head := le.AppendUint32(nil, 0xa1b2c3d4) // times in microseconds
	head = le.AppendUint16(head, 2)          // version 2.4
	head = le.AppendUint16(head, 4)
	head = le.AppendUint64(head, 0) // zone and accuracy, which readers ignore
	head = le.AppendUint32(head, maxPacket)
	head = le.AppendUint32(head, linkRaw)
	_, _ = b.Write(head) // Flush returns the error
	var packet []byte
	for i := range c.Messages {
		m := &c.Messages[i]
		var cut bool
		packet, cut = appendPacket(packet[:0], m.Src, m.Dst, uint16(i), m.Raw)
		seconds, micros, far := captureTime(m.At)
		if cut {
			loss.Cut++
		}
		if far {
			loss.Times++
		}
		record := le.AppendUint32(head[:0], seconds)
		record = le.AppendUint32(record, micros)
		record = le.AppendUint32(record, uint32(len(packet)))
		record = le.AppendUint32(record, uint32(len(packet)))
		_, _ = b.Write(record)
		_, _ = b.Write(packet)
	}
	if err := b.Flush(); err != nil {
		return loss, fmt.Errorf("write capture: %w", err)
	}
	return loss, nil
}

// captureTime returns t in the form of a capture; far says that t is out of its range.
func captureTime(t time.Time) (seconds, micros uint32, far bool) {
	switch s := t.Unix(); {
	case s < 0:
		return 0, 0, true
	case s > seconds32:
		return seconds32, 999_999, true
	default:
		return uint32(s), uint32(t.Nanosecond() / 1000), false
	}
}

// appendPacket appends an IP packet with one UDP datagram (RFC 791, RFC 8200,
// RFC 768).
func appendPacket(b []byte, src, dst netip.AddrPort, id uint16, payload []byte) (packet []byte, cut bool) {
	from, to := src.Addr().Unmap(), dst.Addr().Unmap()
	four := !from.Is6() && !to.Is6() // an unknown address can be either
	limit := maxUDP6
	if four {
		limit = maxUDP4
	}
	if cut = len(payload) > limit; cut {
		payload = shorten(payload, limit)
	}
	be := binary.BigEndian
	size := uint16(8 + len(payload))
	var ends []byte // both addresses
	if four {
		ends = append(as4(from), as4(to)...)
		at := len(b)
		b = append(b, 0x45, 0) // version 4, 5 words of header
		b = be.AppendUint16(b, 20+size)
		b = be.AppendUint16(b, id)
		b = append(b, 0, 0, hops, protoUDP, 0, 0)
		b = append(b, ends...)
		be.PutUint16(b[at+10:], ^sum(0, b[at:]))
	} else {
		ends = append(as16(from), as16(to)...)
		b = append(b, 0x60, 0, 0, 0) // version 6
		b = be.AppendUint16(b, size)
		b = append(b, protoUDP, hops)
		b = append(b, ends...)
	}
	at := len(b)
	b = be.AppendUint16(b, src.Port())
	b = be.AppendUint16(b, dst.Port())
	b = be.AppendUint16(b, size)
	b = append(b, 0, 0)
	b = append(b, payload...)
	// The checksum covers a header that no packet has: addresses, protocol, size.
	check := ^sum(uint32(sum(protoUDP+uint32(size), ends)), b[at:])
	if check == 0 {
		check = 0xffff // 0 would say that there is none
	}
	be.PutUint16(b[at+6:], check)
	return b, cut
}

// shorten returns the first headers of a message that fit into limit bytes, and an empty line.
func shorten(msg []byte, limit int) []byte {
	end := bytes.LastIndexByte(msg[:limit-2], '\n') + 1
	if end == 0 {
		return msg[:limit]
	}
	return append(msg[:end:end], "\r\n"...)
}

func as4(a netip.Addr) []byte {
	if !a.IsValid() {
		a = netip.IPv4Unspecified()
	}
	return a.AsSlice()
}

func as16(a netip.Addr) []byte {
	if !a.IsValid() {
		a = netip.IPv6Unspecified()
	}
	b := a.As16()
	return b[:]
}

// sum adds b to a checksum (RFC 1071).
func sum(start uint32, b []byte) uint16 {
	s := start
	for ; len(b) > 1; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) > 0 {
		s += uint32(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
