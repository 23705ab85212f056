package pcap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func zip(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// sll returns b as Linux captures it on all interfaces.
func sll(b []byte) []byte {
	head := make([]byte, 14)
	return append(binary.BigEndian.AppendUint16(head, etherType(b)), b...)
}

func sll2(b []byte) []byte {
	head := binary.BigEndian.AppendUint16(nil, etherType(b))
	return append(append(head, make([]byte, 18)...), b...)
}

func gre(protocol uint16, flags uint16, extra int, inner []byte) []byte {
	b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, flags), protocol)
	b = append(append(b, make([]byte, extra)...), inner...)
	return ip(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), protoGRE, b)
}

// TestPlaces checks that the decoder finds a message at every possible place in a packet.
func TestPlaces(t *testing.T) {
	v4, v6 := udp(teams4, sbc4, msg("a", 0)), udp(teams6, sbc6, msg("a", 9))
	mpls := append(append(make([]byte, 12), 0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64), v4...)
	pppoe := append(append(make([]byte, 12), 0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0, 0x21), v4...)
	hops := ip(teams6.Addr(), sbc6.Addr(), protoHop, append([]byte{protoUDP, 0, 1, 4, 0, 0, 0, 0}, v6[40:]...))
	vxlan := udp(netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:4789"), append([]byte{8, 0, 0, 0, 0, 0, 1, 0}, ether(v4)...))
	padded := append(ether(udp(teams4, sbc4, msg("a", 0))), make([]byte, 20)...)
	for name, f := range map[string][]byte{
		"ethernet":         file(linkEthernet, ether(v4)),
		"ethernet, padded": file(linkEthernet, padded),
		"VLAN":             file(linkEthernet, ether(v4, 7)),
		"QinQ":             file(linkEthernet, ether(v6, 7, 8)),
		"MPLS":             file(linkEthernet, mpls),
		"PPPoE":            file(linkEthernet, pppoe),
		"PPP":              file(linkPPP, append([]byte{0xff, 3, 0, 0x57}, v6...)),
		"raw":              file(linkRaw, v4),
		"raw IPv6":         file(linkIPv6, v6),
		"raw of OpenBSD":   file(linkRaw14, v6),
		"loopback":         file(linkNull, append([]byte{2, 0, 0, 0}, v4...)),
		"loopback, BSD":    file(linkLoop, append([]byte{0, 0, 0, 30}, v6...)),
		"Linux cooked":     file(linkSLL, sll(v4)),
		"Linux cooked 2":   file(linkSLL2, sll2(v6)),
		"extension header": file(linkRaw, hops),
		"IP in IP":         file(linkRaw, ip(teams4.Addr(), sbc4.Addr(), protoIPv4, v4)),
		"IPv6 in IPv4":     file(linkRaw, ip(teams4.Addr(), sbc4.Addr(), protoIPv6, v6)),
		"GRE":              file(linkRaw, gre(0x86dd, 0x2000, 4, v6)),
		"GRE, ethernet":    file(linkRaw, gre(0x6558, 0xb000, 12, ether(v4))),
		"ERSPAN I":         file(linkRaw, gre(0x88be, 0, 0, ether(v4, 7))),
		"ERSPAN II":        file(linkRaw, gre(0x88be, 0x1000, 4+8, ether(v4))),
		"ERSPAN III":       file(linkRaw, gre(0x22eb, 0x1000, 4+12, ether(v4))),
		"VXLAN":            file(linkEthernet, ether(vxlan)),
		"big endian":       fileOf(binary.BigEndian, 0xa1b2c3d4, linkRaw, v4),
		"nanoseconds":      fileOf(binary.LittleEndian, 0xa1b23c4d, linkRaw, v4),
		"nanoseconds, big": fileOf(binary.BigEndian, 0xa1b23c4d, linkRaw, v4),
		"patched libpcap":  fileOf(binary.LittleEndian, 0xa1b2cd34, linkRaw, v4),
		"checksums":        file(linkEthernet|0x54000000, ether(v4)), // of frames, of 4 bytes
		"gzip":             zip(file(linkRaw, v4)),
		"gzip, of two":     join(zip(file(linkRaw, v4)[:30]), zip(file(linkRaw, v4)[30:])),
		"pcapng":           join(section(binary.LittleEndian), iface(binary.LittleEndian, linkRaw), enhanced(binary.LittleEndian, 0, uint64(start.UnixMicro()), v4)),
		"pcapng, gzip":     zip(join(section(binary.BigEndian), iface(binary.BigEndian, linkRaw), enhanced(binary.BigEndian, 0, uint64(start.UnixMicro()), v4))),
	} {
		var at []time.Time
		var paths []string
		for e, err := range Decoder(nil, func(s string) { t.Errorf("%s: note %q", name, s) })(bytes.NewReader(f)) {
			if err != nil || e.Call != "a" || !strings.HasPrefix(string(e.Signal.Raw), "INFO") || strings.Contains(string(e.Signal.Raw), "bbb") {
				t.Errorf("%s: %v, %v", name, e, err)
				continue
			}
			at = append(at, e.Signal.At)
			paths = append(paths, fmt.Sprint(e.Signal.Src, e.Signal.Dst))
		}
		if len(at) != 1 || !at[0].Equal(start) || paths[0] != fmt.Sprint(teams4, sbc4) && paths[0] != fmt.Sprint(teams6, sbc6) {
			t.Errorf("%s: %v, %v", name, at, paths)
		}
	}
}

// TestClocks checks the times of pcapng: each interface has a unit of its own, and
// an offset; a packet without a time gets that of the import.
func TestClocks(t *testing.T) {
	o := binary.BigEndian
	one := func(id string) []byte { return udp(teams4, sbc4, msg(id, 0)) }
	offset := o.AppendUint64([]byte{14}, uint64(start.Unix()-10))
	simple := block(o, blockSimple, append(o.AppendUint32(nil, uint32(len(one("simple")))), one("simple")...))
	old := o.AppendUint32(o.AppendUint32(o.AppendUint32(nil, 1<<16), uint32(uint64(start.UnixMilli())>>32)), uint32(start.UnixMilli()))
	old = append(o.AppendUint32(o.AppendUint32(old, uint32(len(one("old")))), uint32(len(one("old")))), one("old")...)
	f := join(section(o),
		iface(o, linkRaw), iface(o, linkRaw, []byte{9, 3}), iface(o, linkRaw, []byte{9, 9}, []byte{2, 'l', 'o'}), iface(o, linkRaw, []byte{9, 0x80 | 10}), iface(o, linkRaw, []byte{9, 6}, offset),
		iface(o, linkRaw, []byte{9, 127}), iface(o, linkRaw, []byte{9, 0xff}), iface(o, linkRaw, []byte{9, 12}),
		block(o, 5, make([]byte, 20)), block(o, 0xbad, make([]byte, 20)), // statistics, and somebody's own
		enhanced(o, 0, uint64(start.UnixMicro()), one("micro")),
		enhanced(o, 1, uint64(start.UnixMilli()), one("milli")),
		enhanced(o, 2, uint64(start.UnixNano()), one("nano")),
		enhanced(o, 3, uint64(start.Unix())<<10|512, one("binary")),
		enhanced(o, 4, 10_000_000, one("offset")),
		enhanced(o, 5, 1<<60, one("tiny")), enhanced(o, 6, 1<<60, one("tinier")),
		enhanced(o, 0, 0, one("none")),
		enhanced(o, 7, uint64(start.Unix()%1000)*1e12, one("pico")),
		block(o, blockOld, old), simple,
		section(binary.LittleEndian), iface(binary.LittleEndian, linkEthernet),
		enhanced(binary.LittleEndian, 0, uint64(start.UnixMicro()), ether(one("second section"))))
	now := start.AddDate(1, 0, 0)
	want := map[string]time.Time{"binary": start.Add(time.Second / 2), "tiny": now, "tinier": now, "none": now, "simple": now, "pico": time.Unix(start.Unix()%1000, 0)}
	n := 0
	var notes []string
	for e, err := range Decoder(func() time.Time { return now }, func(s string) { notes = append(notes, s) })(bytes.NewReader(f)) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		w, ok := want[e.Call]
		if !ok {
			w = start
		}
		if !e.Signal.At.Equal(w) {
			t.Errorf("%s: %v, want %v", e.Call, e.Signal.At, w)
		}
	}
	if n != 12 || fmt.Sprintf("%q", notes) != `["4 packets have no time and were given that of this import"]` {
		t.Errorf("%d messages, notes %q", n, notes)
	}
}

// TestFiles checks the errors for files that are no captures, or damaged.
func TestFiles(t *testing.T) {
	a, b := udp(teams4, sbc4, msg("a", 0)), udp(teams4, sbc4, msg("b", 0))
	good := file(linkRaw, a, b)
	first := len(file(linkRaw, a))
	long := bytes.Clone(good)
	binary.LittleEndian.PutUint32(long[first+8:], 3<<30)
	le := binary.LittleEndian
	ng := join(section(le), iface(le, linkRaw), enhanced(le, 0, uint64(start.UnixMicro()), a))
	const ends = "<the file ends in the middle: packet 2 is not complete: unexpected EOF>"
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "[]"},
		{"no packets", file(linkRaw), "[]"},
		{"two", good, "[a b]"},
		{"cut in a header", good[:first+3], "[a " + ends + "]"},
		{"cut in a packet", good[:len(good)-1], "[a " + ends + "]"},
		{"gzip cut", zip(good)[:len(zip(good))-9], "[a b " + strings.Replace(ends, "packet 2", "packet 3", 1) + "]"},
		{"cut in the file's header", good[:20], "[<the file ends within its header: unexpected EOF>]"},
		{"a length of 3 GB", long, "[a <read packet 2: invalid: it says that it has 3221225472 bytes: the file is damaged from here on>]"},
		{"another link type", file(127, a), "[<invalid: captures of link type 127 cannot be read: " + readable + " can>]"},
		{"pcapng, cut", ng[:len(ng)-1], "[<the file ends in the middle: packet 1 is not complete: unexpected EOF>]"},
		{"pcapng, cut in a block's head", join(ng, ng[:5]), "[a " + ends + "]"},
		{"pcapng, no interface", join(section(le), enhanced(le, 0, 1, a)), "[<read packet 1: invalid: a packet of interface 0, of 0>]"},
		{"pcapng, a block of 4 bytes", join(ng, []byte{6, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0}), "[a <read packet 2: invalid: a block of 4 bytes: the file is damaged from here on>]"},
		{"pcapng, a huge block", join(ng, []byte{6, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0}), "[a <read packet 2: invalid: it says that it has 2147483648 bytes: the file is damaged from here on>]"},
		{"pcapng, many interfaces", join(section(le), bytes.Repeat(iface(le, linkRaw), maxInterfaces+1)), "[<read packet 1: invalid: more than 4096 interfaces>]"},
		{"pcapng, no order", block(le, blockSection, []byte("01234567")), "[<read packet 1: invalid: the file is damaged: a section does not show its order of bytes>]"},
		{"HEP", []byte("HEP3\x00\x10xxxxxxxxxxxxxxx"), "[<invalid: this is no capture (pcap or pcapng): it is a stream of HEP packets: trunklog import hep>]"},
		{"text", []byte("INVITE sip:a SIP/2.0\r\n"), "[<invalid: this is no capture (pcap or pcapng): it is text>]"},
		{"a little text", []byte("x"), "[<invalid: this is no capture (pcap or pcapng): it is text>]"},
		{"gzip of text", zip([]byte("hello")), "[<invalid: this is no capture (pcap or pcapng): what is packed in it is text>]"},
		{"zstd", []byte("\x28\xb5\x2f\xfd\x04\x00"), "[<invalid: this is no capture (pcap or pcapng): it is packed by zstd: unpack it (zstd -d)>]"},
		{"else", []byte{1, 2, 3, 4, 5}, "[<invalid: this is no capture (pcap or pcapng): it begins with 01 02 03 04>]"},
	} {
		if got, _ := read(test.file); fmt.Sprint(got) != test.want {
			t.Errorf("%s:\n%v, want\n%s", test.name, got, test.want)
		}
	}
}

// TestLeft checks the notes on packets that are left out.
func TestLeft(t *testing.T) {
	record := []byte{23, 3, 3, 0, 100, 1, 2, 3}
	sbc := netip.AddrPortFrom(sbc4.Addr(), 40000)
	tlsPort := netip.AddrPortFrom(teams4.Addr(), 5061)
	broken := strings.Replace(string(msg("x", 0)), "Call-ID: x\r\n", "", 1)
	cut := file(linkRaw, udp(teams4, sbc4, msg("cut", 500)))
	binary.LittleEndian.PutUint32(cut[24+12:], 4000)
	le := binary.LittleEndian
	for _, test := range []struct {
		name       string
		file       []byte
		got, notes string
	}{
		{
			"TLS", file(linkRaw, tcp(sbc, tlsPort, 1, flagSYN, nil), tcp(sbc, tlsPort, 2, 0, record), tcp(sbc, tlsPort, 10, 0, []byte("more")), tcp(tlsPort, sbc, 1, 0, record)), `[]`,
			`["3 packets of TLS on port 5061 cannot be read, as nobody can without the keys: let the SBC send what it says by HEP (docs/sources/hep.md)" "1 packets carry no SIP and are left out"]`,
		},
		{"no SIP", file(linkRaw, udp(teams4, sbc4, []byte("\x80\x08rtp")), udp(teams4, sbc4, []byte("\r\n\r\n")), udp(teams4, sbc4, msg("a", 0)), ip(teams4.Addr(), sbc4.Addr(), 1, []byte("ping"))), `["a"]`, `["3 packets carry no SIP and are left out"]`},
		{"SIP that is none", file(linkRaw, udp(teams4, sbc4, []byte(broken))), `["<invalid: frame 1: the Call-ID is missing, empty or longer than 1,024 bytes>"]`, `[]`},
		{"snap length", cut, `["cut"]`, `["1 packets are not whole: the capture kept only their beginning (tcpdump -s 0 keeps all)"]`},
		{
			"an interface that is not known", join(section(le), iface(le, linkRaw), iface(le, 220), enhanced(le, 1, 1, []byte("usb")), enhanced(le, 0, uint64(start.UnixMicro()), udp(teams4, sbc4, msg("a", 0)))), `["a"]`,
			`["1 packets of link type 220 cannot be read: ` + readable + ` can" "1 packets have no time and were given that of this import"]`,
		},
	} {
		got, notes := read(test.file)
		if fmt.Sprintf("%q", got) != test.got || fmt.Sprintf("%q", notes) != test.notes {
			t.Errorf("%s:\n%q, want\n%s\nnotes\n%q, want\n%s", test.name, got, test.got, notes, test.notes)
		}
	}
}
