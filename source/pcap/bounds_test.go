package pcap

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// TestBounds reads hostile captures: the decoder's memory has a bound, and it reads the message
// behind them.
func TestBounds(t *testing.T) {
	port := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 22), byte(i >> 14), byte(i >> 6)}), uint16(i%60000+1))
	}
	open := bytes.Repeat([]byte("INVITE sip:a@b SIP/2.0\r\nX: "), 150)
	deep := udp(teams4, sbc4, msg("deep", 0))
	for range 100 {
		deep = ip(teams4.Addr(), sbc4.Addr(), protoIPv4, deep)
	}
	for name, packet := range map[string]func(i int) []byte{
		"connections":           func(i int) []byte { return tcp(port(i), sbc4, 1, flagSYN, nil) },
		"messages without end":  func(i int) []byte { return tcp(port(i%200_000), sbc4, 1+uint32(i/200_000), flagSYN, open) },
		"a message without end": func(i int) []byte { return tcp(teams4, sbc4, uint32(i*len(open)), 0, open) },
		"a line without end":    func(i int) []byte { return tcp(teams4, sbc4, uint32(i*1000), 0, bytes.Repeat([]byte("A"), 1000)) },
		"segments with holes":   func(i int) []byte { return tcp(teams4, sbc4, uint32(i*2000), 0, open) },
		"holes in connections":  func(i int) []byte { return tcp(port(i%4096), sbc4, uint32(i/4096)*2000, 0, open) },
		"parts without end": func(i int) []byte {
			return fragment(teams4.Addr(), sbc4.Addr(), protoUDP, uint32(i), 0, true, open[:1000])
		},
		"parts of one datagram": func(i int) []byte {
			return fragment(teams4.Addr(), sbc4.Addr(), protoUDP, 1, i*16%65536, true, open[:8])
		},
		"parts of IPv6 datagrams": func(i int) []byte {
			return fragment(teams6.Addr(), sbc6.Addr(), protoUDP, uint32(i+1), 8, true, open[:1000])
		},
		"packets within packets": func(int) []byte { return deep },
		"TLS on all ports": func(i int) []byte {
			return tcp(netip.AddrPortFrom(teams4.Addr(), uint16(i)), netip.AddrPortFrom(sbc4.Addr(), 65535), 1, 0, []byte{22, 3, 1, 0, 5, 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := scale(30_000)
			at := 0
			d := newDecoder(nil, func(call.Event, error) bool { return true })
			next := func() io.Reader {
				if at++; at > n {
					return nil
				}
				return bytes.NewReader(file(linkRaw, packet(at))[24:])
			}
			if err := d.read(&endless{r: bytes.NewReader(file(linkRaw)), next: func() io.Reader {
				if at%1000 == 0 || at == n {
					d.checkBounds(t)
				}
				return next()
			}}); err != nil {
				t.Fatal(err)
			}
			if d.frame != n {
				t.Errorf("%d packets, want %d", d.frame, n)
			}
		})
	}
}

// checkBounds counts all that is kept.
func (d *decoder) checkBounds(t *testing.T) {
	t.Helper()
	held, early := 0, 0
	for e := d.streams.old.Front(); e != nil; e = e.Next() {
		s := e.Value.(*stream)
		held += len(s.parser.held)
		early = max(early, len(s.early))
		for _, g := range s.early {
			held += len(g.data)
		}
	}
	parts := 0
	for e := d.fragments.old.Front(); e != nil; e = e.Next() {
		for _, p := range e.Value.(*fragmented).pieces {
			parts += len(p.data)
		}
	}
	if held != d.streams.bytes || parts != d.fragments.bytes {
		t.Fatalf("%d and %d bytes are held, and %d and %d counted", held, parts, d.streams.bytes, d.fragments.bytes)
	}
	if n := d.streams.old.Len(); held > maxStreamBytes || n > maxStreams || early > maxEarly || n != len(d.streams.by) {
		t.Fatalf("%d bytes of %d connections are held, %d segments of one", held, n, early)
	}
	if n := d.fragments.old.Len(); parts > maxFragmentBytes || n > maxFragmented || n != len(d.fragments.by) {
		t.Fatalf("%d bytes of %d packets in parts are held", parts, n)
	}
	if len(d.left.tls) > maxCounted {
		t.Fatalf("%d ports are counted", len(d.left.tls))
	}
}

// endless reads what next makes, until that is nil.
type endless struct {
	r    io.Reader
	next func() io.Reader
}

func (e *endless) Read(b []byte) (int, error) {
	for {
		if n, err := e.r.Read(b); n > 0 || err == nil {
			return n, nil
		}
		if e.r = e.next(); e.r == nil {
			e.r = bytes.NewReader(nil)
			return 0, io.EOF
		}
	}
}

// FuzzCapture reads bytes of all kinds as a capture, and as the payload of the
// packets of one.
func FuzzCapture(f *testing.F) {
	le := binary.LittleEndian
	a, b := udp(teams4, sbc4, msg("a", 10)), udp(teams6, sbc6, msg("b", 2000))
	f.Add(file(linkEthernet, ether(a, 7), ether(b, 7, 8)))
	f.Add(file(linkRaw, append(parts(b, 5, 512), parts(a, 6, 64)...)...))
	f.Add(file(linkSLL, sll(a), sll(tcp(teams4, sbc4, 0, flagSYN, nil)), sll(tcp(teams4, sbc4, 20, 0, msg("c", 0)[19:])), sll(tcp(teams4, sbc4, 1, flagFIN, msg("c", 0)[:30]))))
	f.Add(file(linkRaw, gre(0x88be, 0x1000, 12, ether(a)), gre(0x22eb, 0x1000, 16, ether(b))))
	f.Add(fileOf(binary.BigEndian, 0xa1b2cd34, linkNull, append([]byte{0, 0, 0, 2}, a...)))
	f.Add(join(section(le), iface(le, linkRaw, []byte{9, 0x8a}, []byte{2, 'l', 'o'}), enhanced(le, 0, 1<<40, a), section(binary.BigEndian), iface(binary.BigEndian, linkSLL2), enhanced(binary.BigEndian, 0, 1<<50, sll2(b))))
	f.Add(zip(file(linkRaw, a)))
	f.Add(msg("d", 0))
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, b := range [][]byte{in, file(linkRaw, in), file(linkEthernet, in, in), file(linkRaw, tcp(teams4, sbc4, 1, 0, in), tcp(teams4, sbc4, 1+uint32(len(in)), 0, in))} {
			if len(in) > 60_000 {
				return
			}
			for e, err := range Decoder(func() time.Time { return start }, func(string) {})(bytes.NewReader(b)) {
				if err == nil && (e.Kind != call.MessageEvent || e.Signal == nil || e.Call == "" || len(e.Signal.Raw) == 0 || e.Signal.At.IsZero()) {
					t.Errorf("event %+v", e)
				}
			}
		}
	})
}
