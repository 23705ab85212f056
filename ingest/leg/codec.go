package leg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/trunklog/trunklog/call"
)

// How the store keeps a leg while its call is in progress, and afterwards for as long as late
// messages may come:
//
//	version   1 byte
//	witness   1 byte
//	...       every field, in the order of [Leg.Encode]
//
// A number is a uvarint, and a text has its length in front. The first time is in nanoseconds since
// 1970. The others are nanoseconds from the first on in zigzag form, plus one; 0 is no time.
//
// Version 1 had no parties, no rank of the region, and of a refusal only its first time. Version 2
// had the greatest session timer that a message named; it had of each hop only the time of the
// first 2xx, and the refusals; it had neither the hosts of the last INVITE, nor when it rang, nor
// INVITEs within the dialog, nor whether a request went to Microsoft, nor whether the leg is
// settled.
const version = 3

// Encode appends the form in which the store keeps l to b.
func (l *Leg) Encode(b []byte) []byte {
	w := writer{b: append(b, version, byte(l.Told)), base: l.first.Time()}
	w.number(uint64(l.first))
	w.text(l.Source)
	w.text(l.CallID)
	w.text(l.Trunk)
	w.guid(l.Tenant)
	for _, t := range l.leasts() {
		w.text(t.s)
	}
	w.bools(l.parties != nil)
	if l.parties != nil {
		for _, t := range l.parties.leasts() {
			w.text(t.s)
		}
	}
	w.time(l.timer.at.Time())
	w.number(uint64(l.timer.seconds))
	w.bools(l.toward)
	w.time(l.last.Time())
	w.says(&l.says)
	w.life(&l.Life)
	w.number(uint64(len(l.hops)))
	for i := range l.hops {
		w.hop(&l.hops[i])
	}
	return w.b
}

func (l *Leg) leasts() [5]*least {
	return [...]*least{&l.session, &l.correlation, &l.contact, &l.from, &l.to}
}

type writer struct {
	b    []byte
	base time.Time
}

func (w *writer) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) guid(g call.GUID) {
	if g.IsZero() {
		w.b = append(w.b, 0)
		return
	}
	w.b = append(append(w.b, 1), g[:]...)
}

func (w *writer) text(s string) {
	w.number(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.number(0)
		return
	}
	d := t.UnixNano() - w.base.UnixNano()
	w.number(uint64(d<<1^d>>63) + 1) // zigzag: small in both directions
}

func (w *writer) bools(all ...bool) {
	n := byte(0)
	for i, b := range all {
		n |= byte(btoi(b)) << i
	}
	w.b = append(w.b, n)
}

func (w *writer) addr(a netip.AddrPort) {
	at := len(w.b)
	w.b, _ = a.AppendBinary(append(w.b, 0)) // it never returns an error
	w.b[at] = byte(len(w.b) - at - 1)
}

func (w *writer) moment(m moment) {
	w.time(m.at.Time())
	w.bools(m.fromA)
}

func (w *writer) says(m *microsoftSays) {
	for _, r := range [...]*ranked{&m.id, &m.correlation, &m.reason} {
		w.b = append(w.b, r.rank)
		w.guid(r.id)
	}
	w.b = append(w.b, m.region.rank)
	w.text(m.region.s)
	w.bools(m.mediaPath)
}

func (w *writer) life(l *Life) {
	w.time(l.Opened)
	w.time(l.Heard)
	w.time(l.Closed)
	w.bools(l.Inferred, l.Changed, l.Recorded, l.Cut, l.Linked, l.Settled)
	w.time(l.Row.Start)
	w.guid(l.Row.ID)
	w.guid(l.RowTenant)
	w.guid(l.PartOf)
}

func (w *writer) hop(h *hop) {
	w.addr(h.a)
	w.addr(h.b)
	w.time(h.invite.at.Time())
	if v := &h.invite; !v.at.IsZero() {
		w.number(uint64(v.cseq))
		w.bools(v.fromA, v.agent, v.named, v.forwarded, v.emergency, v.recorder)
		v.texts(func(s *string) { w.text(*s) })
	}
	w.number(uint64(h.lastCSeq))
	w.time(h.asked.Time())
	asked := inviteHosts{h.invite.uriHost, h.invite.contactHost}
	w.bools(h.hosts != asked)
	if h.hosts != asked { // seldom: most calls have one INVITE
		w.text(h.hosts.uri)
		w.text(h.hosts.contact)
	}
	w.time(h.rang.Time())
	w.number(uint64(h.again[0]))
	w.number(uint64(h.again[1]))
	w.number(uint64(len(h.replies)))
	for i := range h.replies {
		f := &h.replies[i]
		w.number(uint64(f.cseq))
		w.number(uint64(f.code))
		w.text(f.phrase)
		w.moment(moment{f.at, f.fromA})
		w.time(f.last.Time())
	}
	w.moment(h.bye)
	w.moment(h.cancel)
}

// Decode reads what [Leg.Encode] has written. The leg shares no memory with b. Its ID is that of
// [IDOf]; a caller that keeps the leg under another id must set that. An error is a
// [call.CorruptError], or wraps [call.ErrNewer].
func Decode(b []byte) (*Leg, error) {
	if len(b) < 2 {
		return nil, errLeg
	}
	if b[0] == 0 || b[0] > version {
		return nil, fmt.Errorf("a call in progress has version %d: %w", b[0], call.ErrNewer)
	}
	r := reader{s: string(b[2:]), version: b[0]}
	l := &Leg{Told: call.Witness(b[1])}
	r.base = time.Unix(0, int64(r.number())).UTC()
	l.first = instantOf(r.base)
	l.Source, l.CallID, l.Trunk = r.text(), r.text(), r.text()
	l.Tenant = r.guid()
	for _, t := range l.leasts() {
		t.s = r.text()
	}
	if r.version > 1 {
		r.parties(l)
	}
	if r.version > 2 {
		l.timer.at = r.Instant()
	} else {
		l.timer.at = l.first
	}
	l.timer.seconds = r.count(1 << 31)
	if r.version > 2 {
		r.bools(&l.toward)
	}
	l.last = r.Instant()
	r.says(&l.says)
	r.life(&l.Life)
	for range r.count(maxHops) {
		l.hops = append(l.hops, r.hop())
	}
	if r.bad || r.s != "" {
		return nil, errLeg
	}
	l.ID = IDOf(l.Source, l.CallID)
	return l, nil
}

var errLeg = &call.CorruptError{Offset: -1, Err: errors.New("a call in progress cannot be read")}

// A reader reads a leg. After bytes that it cannot read it is bad, and returns zeros.
type reader struct {
	s       string
	version byte
	base    time.Time
	bad     bool
}

func (r *reader) number() uint64 {
	var n uint64
	for i := 0; i < len(r.s) && i < binary.MaxVarintLen64; i++ {
		n |= uint64(r.s[i]&0x7f) << (7 * i)
		if r.s[i] < 0x80 {
			r.s = r.s[i+1:]
			return n
		}
	}
	r.bad, r.s = true, ""
	return 0
}

// count reads a number that must not be greater than most.
func (r *reader) count(most uint64) int {
	n := r.number()
	if n > most {
		r.bad, r.s = true, ""
		return 0
	}
	return int(n)
}

func (r *reader) take(n int) string {
	if n < 0 || n > len(r.s) {
		r.bad, r.s = true, ""
		return ""
	}
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *reader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *reader) bools(all ...*bool) {
	n := r.byte()
	for i, p := range all {
		*p = n>>i&1 != 0
	}
}

func (r *reader) text() string { return r.take(r.count(1 << 20)) }

func (r *reader) guid() (g call.GUID) {
	if r.byte() != 0 {
		copy(g[:], r.take(len(g)))
	}
	return g
}

func (r *reader) time() time.Time {
	n := r.number()
	if n == 0 {
		return time.Time{}
	}
	n--
	return r.base.Add(time.Duration(int64(n>>1) ^ -int64(n&1)))
}

func (r *reader) Instant() Instant { return instantOf(r.time()) }

func (r *reader) addr() (a netip.AddrPort) {
	if err := a.UnmarshalBinary([]byte(r.take(int(r.byte())))); err != nil {
		r.bad = true
	}
	return a
}

func (r *reader) moment() (m moment) {
	m.at = r.Instant()
	r.bools(&m.fromA)
	return m
}

func (r *reader) parties(l *Leg) {
	if r.byte() == 0 {
		return
	}
	l.parties = &parties{}
	for _, t := range l.parties.leasts() {
		t.s = r.text()
	}
}

func (r *reader) says(m *microsoftSays) {
	for _, p := range [...]*ranked{&m.id, &m.correlation, &m.reason} {
		p.rank = r.byte()
		p.id = r.guid()
	}
	if m.region.rank = rankOther; r.version > 1 {
		m.region.rank = r.byte()
	}
	m.region.s = r.text()
	r.bools(&m.mediaPath)
}

func (r *reader) life(l *Life) {
	l.Opened, l.Heard, l.Closed = r.time(), r.time(), r.time()
	r.bools(&l.Inferred, &l.Changed, &l.Recorded, &l.Cut, &l.Linked, &l.Settled)
	if r.version < 3 {
		l.Settled = !l.Inferred && !l.Closed.IsZero()
	}
	l.Row.Start, l.Row.ID = r.time(), r.guid()
	l.RowTenant, l.PartOf = r.guid(), r.guid()
}

func (r *reader) hop() (h hop) {
	h.a, h.b = r.addr(), r.addr()
	h.invite.at = r.Instant()
	if v := &h.invite; !v.at.IsZero() {
		v.cseq = uint32(r.number())
		r.bools(&v.fromA, &v.agent, &v.named, &v.forwarded, &v.emergency, &v.recorder)
		v.texts(func(s *string) { *s = r.text() })
	}
	h.lastCSeq = uint32(r.number())
	h.asked = r.Instant()
	if r.version < 3 {
		r.oldReplies(&h)
	} else {
		if h.hosts = (inviteHosts{h.invite.uriHost, h.invite.contactHost}); r.byte() != 0 {
			h.hosts = inviteHosts{shared(r.text()), shared(r.text())}
		}
		h.rang = r.Instant()
		h.again = [2]uint32{uint32(r.number()), uint32(r.number())}
		for range r.count(2 * (maxFinals + maxAnswers)) {
			h.replies = append(h.replies, r.reply())
		}
	}
	h.bye, h.cancel = r.moment(), r.moment()
	return h
}

// reply reads a reply. Version 1 has only its first time.
func (r *reader) reply() (f reply) {
	f.cseq, f.code, f.phrase = uint32(r.number()), int16(r.count(999)), r.text()
	m := r.moment()
	f.at, f.last, f.fromA = m.at, m.at, m.fromA
	if r.version > 1 {
		f.last = r.Instant()
	}
	return f
}

// oldReplies reads the answers to INVITEs that versions 1 and 2 kept. It takes the 2xx for the
// callee's answer to the INVITE that was sent last.
func (r *reader) oldReplies(h *hop) {
	h.hosts = inviteHosts{h.invite.uriHost, h.invite.contactHost}
	if at := r.Instant(); !at.IsZero() {
		h.replies = append(h.replies, reply{cseq: h.lastCSeq, code: 200, fromA: !h.invite.fromA, at: at, last: at})
	}
	for range r.count(maxFinals) {
		h.replies = append(h.replies, r.reply())
	}
}
