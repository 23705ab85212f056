package pcap

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// left counts what the decoder left out of a capture.
type left struct {
	others  int            // packets without SIP
	cut     int            // packets whose end was not captured
	timed   int            // packets without a time
	missing int            // times that packets are missing
	crowded int            // connections and datagrams given up as there were too many at once
	tls     map[uint16]int // packets of TLS, by port
	links   map[int]int    // packets of unknown link types
	broken  int            // packets that contradict their headers

	unreadable int // messages with an unreadable part
}

func newLeft() left { return left{tls: map[uint16]int{}, links: map[int]int{}} }

// maxCounted is the most ports or link types with a count of their own.
const maxCounted = 1 << 10

// isTLS counts a packet of TLS under one of its two ports: SIP's, or else the lower one, which
// mostly is the server's.
func (l *left) isTLS(src, dst uint16) {
	port := min(src, dst)
	if src == portSIPS || dst == portSIPS {
		port = portSIPS
	}
	if _, there := l.tls[port]; there || len(l.tls) < maxCounted {
		l.tls[port]++
		l.others--
	}
}

// unread counts a packet of an unknown link type.
func (l *left) unread(link int) {
	if _, there := l.links[link]; there || len(l.links) < maxCounted {
		l.links[link]++
		l.others--
	}
}

const (
	portSIPS  = 5061
	portHTTPS = 443
)

// say reports all counts that are not 0.
func (l *left) say(note func(text string)) {
	ports := slices.SortedFunc(maps.Keys(l.tls), func(a, b uint16) int { return l.tls[b] - l.tls[a] })
	ports = slices.DeleteFunc(ports, func(p uint16) bool { return p == portHTTPS })
	for _, port := range ports[:min(len(ports), 3)] {
		note(fmt.Sprintf("%d packets of TLS on port %d cannot be read, as nobody can without the keys: let the SBC send what it says by HEP (docs/sources/hep.md)", l.tls[port], port))
	}
	for _, link := range slices.Sorted(maps.Keys(l.links)) {
		note(fmt.Sprintf("%d packets of link type %d cannot be read: %s can", l.links[link], link, readable))
	}
	for _, x := range []struct {
		n    int
		what string
	}{
		{l.others, "packets carry no SIP and are left out"},
		{l.cut, "packets are not whole: the capture kept only their beginning (tcpdump -s 0 keeps all)"},
		{l.timed, "packets have no time and were given that of this import"},
		{l.missing, "times the capture lacks packets: a SIP message that they belong to is missing, or was read as far as it is there"},
		{l.unreadable, "messages break off, or have a header, such as From or To, that cannot be read or is there twice: they are taken without it"},
		{l.broken, "packets are damaged"},
		{l.crowded, "connections or datagrams in parts were given up, as too many were open at once"},
	} {
		if x.n > 0 {
			note(fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
}

// readable names the link types that this package reads.
var readable = strings.Join([]string{"Ethernet (1)", "Linux cooked (113, 276)", "raw IP (101, 12, 14, 228, 229)", "loopback (0, 108)", "PPP (9, 50)"}, ", ")
