package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/gen"
	"github.com/trunklog/trunklog/source/hep"
)

// Common facts are those that several tenants' calls share, and no canaries: numbers, times, a
// correlation id, an id and a Call-ID. A tenant has one call of each at most.
type commonFacts struct {
	n    int
	used [10]bool
}

// wallsCommon hands them out.
type wallsCommon struct {
	mu  sync.Mutex
	all []*commonFacts
}

// of returns facts that the tenant of a digit has not used, mostly some that another has.
func (w *wallsCommon) of(rnd *rand.Rand, digits ...int) *commonFacts {
	w.mu.Lock()
	defer w.mu.Unlock()
	free := func(f *commonFacts) bool {
		for _, d := range digits {
			if f.used[d] {
				return false
			}
		}
		return true
	}
	var f *commonFacts
	for _, old := range w.all[max(0, len(w.all)-20):] {
		if free(old) && rnd.IntN(4) > 0 {
			f = old
		}
	}
	if f == nil {
		f = &commonFacts{n: len(w.all)}
		w.all = append(w.all, f)
	}
	for _, d := range digits {
		f.used[d] = true
	}
	return f
}

func (f *commonFacts) guid(of string) call.GUID { return call.NameGUID("walls", of, fmt.Sprint(f.n)) }

// newCall returns a call of the tenant's on a trunk, every part of which bears its canary, but for
// what it shares.
func (c *walled) newCall(rnd *rand.Rand, inbound bool, trunk string, f *commonFacts) call.Row {
	start := c.wall.began.Add(-time.Duration(3600+rnd.IntN(60_000)) * time.Second)
	r := call.Row{
		Tenant: c.id, ID: canaryGUID(rnd, c.digit), CorrelationID: canaryGUID(rnd, c.digit), UserID: canaryGUID(rnd, c.digit),
		UserPrincipalName: canaryWord(c.digit) + "@walls.test", UserDisplayName: canaryWord(c.digit) + "-name",
		Caller: canaryNumber(c.digit, rnd.IntN(10_000)), Callee: canaryNumber(c.digit, rnd.IntN(10_000)),
		CallType: "ByotOut", Trunk: trunk, Successful: true, FinalSIPPhrase: "BYE",
	}
	if inbound {
		r.CallType = "ByotIn"
	}
	if f != nil {
		start = c.wall.began.Add(-20*time.Hour - time.Duration(f.n)*7*time.Second)
		r.Caller, r.Callee = fmt.Sprintf("+4930111%05d", f.n), fmt.Sprintf("+4940222%05d", f.n)
		r.CorrelationID = f.guid("correlation")
	}
	r.Invite, r.Start, r.End = start, start.Add(3*time.Second), start.Add(10*time.Second)
	r.Duration = 7
	if f == nil && rnd.IntN(4) == 0 {
		r.Successful, r.Failure, r.FinalSIPCode, r.FinalSIPPhrase = false, r.Start, 486, "Busy "+canaryWord(c.digit)
		r.Start, r.End, r.Duration = r.Invite, time.Time{}, 0
	}
	return r
}

// wallsEnds are the addresses of a second SBC, and of the proxy of Microsoft's that it speaks to.
var wallsEnds = map[netip.AddrPort]netip.AddrPort{
	netip.MustParseAddrPort("10.1.2.3:5061"):     netip.MustParseAddrPort("10.1.2.4:5061"),
	netip.MustParseAddrPort("52.114.75.24:5061"): netip.MustParseAddrPort("52.114.76.10:5061"),
}

// packets returns the SIP of a call of the tenant's, with its canary in each message: the INVITE
// first, the rest sometimes in any order and some of it twice. With a callID, that is the call's;
// second has it carried by another SBC, and from names a trunk where it came from.
func (c *walled) packets(rnd *rand.Rand, r *call.Row, callID string, second bool, from string) (packets [][]byte) {
	word := canaryWord(c.digit)
	for _, m := range gen.SIP(r) {
		raw := string(m.Raw)
		raw = strings.ReplaceAll(raw, ".7\r\n", ".7 "+word+"\r\n")
		raw = strings.Replace(raw, "CONTENT-LENGTH", "X-Wall: "+word+"\r\nCONTENT-LENGTH", 1)
		if callID != "" {
			before, rest, _ := strings.Cut(raw, "CALL-ID: ")
			_, after, _ := strings.Cut(rest, "\r\n")
			raw = before + "CALL-ID: " + callID + "\r\n" + after
		}
		if from != "" {
			raw = strings.Replace(raw, "<sip:"+r.Caller+"@"+r.Trunk, "<sip:"+r.Caller+"@"+from, 1) // From, or To of an answer
		}
		p := hep.Packet{At: m.At, Src: m.Src, Dst: m.Dst, Protocol: 6, Payload: []byte(raw)}
		for _, end := range []*netip.AddrPort{&p.Src, &p.Dst} {
			if other, ok := wallsEnds[*end]; ok && second {
				*end = other
			}
		}
		packets = append(packets, p.Append(nil))
	}
	rest := packets[1:]
	if rnd.IntN(3) == 0 {
		rest = append(rest, rest[:rnd.IntN(len(rest))]...)
		rnd.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	}
	return append(packets[:1:1], rest...)
}

// A wallsSpeaker tells calls over a connection to a listener.
type wallsSpeaker struct {
	way, network, to, cert string
	of                     []*walled // whose calls it tells
	sure                   bool      // all that it tells of one tenant alone becomes rows
}

// speakers are the ways in which SIP comes.
func (w *walls) speakers() []wallsSpeaker {
	all := []wallsSpeaker{
		{"HEP/UDP of one tenant", "udp", "own", "", w.tenants[:1], false},
		{"HEP/TCP, shared", "tcp", "carrier1", "", w.tenants, true},
		{"HEP/UDP, shared", "udp", "carrier2", "", w.tenants, false},
		{"HEP/TLS of an agent, shared", "tcp", "carrier2tls", "agent", w.tenants, false},
	}
	for _, c := range w.tenants {
		all = append(all, wallsSpeaker{"HEP/TLS of a trunk, shared", "tcp", "carrier2tls", c.name, []*walled{c}, true})
	}
	// A trunk that tells of others' calls is believed little, or not at all.
	return append(all, wallsSpeaker{"HEP/TLS of a foreign trunk", "tcp", "carrier2tls", "bravo", []*walled{w.tenants[0], w.tenants[2]}, false})
}

// speak has all of them tell calls, in the course of the round.
func (w *walls) speak() {
	var all sync.WaitGroup
	for i, s := range w.speakers() {
		all.Go(func() {
			if err := w.tell(&s, w.rnd(uint64(400+i))); err != nil && w.ctx.Err() == nil {
				w.wrong("%s: %v", s.way, err)
			}
		})
	}
	all.Wait()
}

func (w *walls) tell(s *wallsSpeaker, rnd *rand.Rand) error {
	conn, err := w.dial(s.network, s.to, s.cert)
	if err != nil {
		return err
	}
	defer conn.Close()
	n := 15 + int(w.want/2000)
	for i := 0; w.pace(i, n); i++ {
		var lines [][][]byte
		for range 1 + rnd.IntN(3) {
			lines = append(lines, w.story(s, rnd)...)
		}
		if err := sendMixed(conn, rnd, s.network == "udp", lines); err != nil {
			return err
		}
	}
	return nil
}

// story returns what is heard of one call, or of two that have one Call-ID.
func (w *walls) story(s *wallsSpeaker, rnd *rand.Rand) [][][]byte {
	order := rnd.Perm(len(s.of))
	a := s.of[order[0]]
	trunk := a.trunks[0]
	if s.cert == "" {
		trunk = a.trunks[rnd.IntN(2)]
	}
	kind := rnd.IntN(3)
	if kind == 0 || len(order) == 1 {
		var f *commonFacts
		if rnd.IntN(3) == 0 {
			f = w.common.of(rnd, a.digit)
		}
		r := a.newCall(rnd, rnd.IntN(2) == 0, trunk, f)
		a.expect(s.way, &r, s.sure, true)
		return [][][]byte{a.packets(rnd, &r, "", false, "")}
	}
	b := s.of[order[1]]
	f := w.common.of(rnd, a.digit, b.digit)
	callID := fmt.Sprintf("%d@walls.test", f.n)
	// Two SBCs gave one name to two calls, or one call is passed on from a to b.
	one, other := a.newCall(rnd, false, trunk, f), b.newCall(rnd, kind == 1, b.trunks[0], f)
	from := ""
	if kind == 1 {
		from = a.plain
	}
	a.expect(s.way+", one Call-ID", &one, s.sure, true)
	b.expect(s.way+", one Call-ID", &other, s.sure, true)
	return [][][]byte{a.packets(rnd, &one, callID, false, ""), b.packets(rnd, &other, callID, true, from)}
}

// expect notes a call that was told. If it is not sure to become a row, some of those of its way
// have to.
func (c *walled) expect(way string, r *call.Row, sure, sip bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, wallsCall{way: way, row: *r, sure: sure, sip: sip})
}

// sendMixed sends lines of packets, each in its order and all mixed.
func sendMixed(conn net.Conn, rnd *rand.Rand, udp bool, lines [][][]byte) error {
	var all bytes.Buffer
	for n := 0; len(lines) > 0; n++ {
		i := rnd.IntN(len(lines))
		if udp {
			if _, err := conn.Write(lines[i][0]); err != nil {
				return err
			}
			if n%16 == 15 {
				time.Sleep(time.Millisecond) // what is not read yet is lost
			}
		} else {
			all.Write(lines[i][0])
		}
		if lines[i] = lines[i][1:]; len(lines[i]) == 0 {
			lines = append(lines[:i], lines[i+1:]...)
		}
	}
	if udp {
		return nil
	}
	_, err := conn.Write(all.Bytes())
	return err
}

// capture returns a capture of the tenant's calls, as a card of the SBC's would show them if they
// were not encrypted: libpcap's format, of IP packets alone.
func capture(c *walled, rows []call.Row) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(le.AppendUint32(b, 65535), 101) // LINKTYPE_RAW
	for i := range rows {
		for _, m := range gen.SIP(&rows[i]) {
			raw := bytes.Replace(m.Raw, []byte("CONTENT-LENGTH"), []byte("X-Wall: "+canaryWord(c.digit)+"\r\nCONTENT-LENGTH"), 1)
			size := 28 + len(raw)
			b = le.AppendUint32(le.AppendUint32(b, uint32(m.At.Unix())), uint32(m.At.Nanosecond()/1000))
			b = le.AppendUint32(le.AppendUint32(b, uint32(size)), uint32(size))
			b = append(b, 0x45, 0, byte(size>>8), byte(size), 0, 0, 0, 0, 64, 17, 0, 0)
			src, dst := m.Src.Addr().As4(), m.Dst.Addr().As4()
			b = append(append(b, src[:]...), dst[:]...)
			for _, n := range []uint16{m.Src.Port(), m.Dst.Port(), uint16(size - 20), 0} {
				b = binary.BigEndian.AppendUint16(b, n)
			}
			b = append(b, raw...)
		}
	}
	return b
}
