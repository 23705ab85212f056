package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/trunklog/trunklog/call"
)

// How a leg lies in the store's state while its call is in progress, and for as
// long afterwards as late messages are expected:
//
//	version   1 byte, legVersion
//	witness   1 byte
//	...       every field, in the order of encode
//
// Numbers are uvarints, texts have their length in front, times are
// nanoseconds from the first message on, plus one; 0 is no time.
//
// Version 1 had no parties, no rank of the region, and of a refusal only when it
// was given first. Version 2 had the greatest session timer that was named, of
// each hop the first 2xx and the refusals without who gave them, and neither the
// hosts of the last INVITE, nor when it rang, nor INVITEs within the dialog.
const legVersion = 3

// encode appends the form in which l is kept to b.
func (l *leg) encode(b []byte) []byte {
	w := legWriter{b: append(b, legVersion, byte(l.told)), base: l.first.time()}
	w.number(uint64(l.first))
	w.text(l.source)
	w.text(l.callID)
	w.text(l.trunk)
	w.guid(l.tenant)
	for _, t := range l.leasts() {
		w.text(t.s)
	}
	w.bools(l.parties != nil)
	if l.parties != nil {
		for _, t := range l.parties.leasts() {
			w.text(t.s)
		}
	}
	w.time(l.timer.at.time())
	w.number(uint64(l.timer.seconds))
	w.bools(l.toward)
	w.time(l.last.time())
	w.says(&l.says)
	w.life(&l.life)
	w.number(uint64(len(l.hops)))
	for i := range l.hops {
		w.hop(&l.hops[i])
	}
	return w.b
}

func (l *leg) leasts() [5]*least {
	return [...]*least{&l.session, &l.correlation, &l.contact, &l.from, &l.to}
}

type legWriter struct {
	b    []byte
	base time.Time
}

func (w *legWriter) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *legWriter) guid(g call.GUID) {
	if g.IsZero() {
		w.b = append(w.b, 0)
		return
	}
	w.b = append(append(w.b, 1), g[:]...)
}

func (w *legWriter) text(s string) {
	w.number(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *legWriter) time(t time.Time) {
	if t.IsZero() {
		w.number(0)
		return
	}
	d := t.UnixNano() - w.base.UnixNano()
	w.number(uint64(d<<1^d>>63) + 1) // small in both directions
}

func (w *legWriter) bools(all ...bool) {
	n := byte(0)
	for i, b := range all {
		n |= byte(btoi(b)) << i
	}
	w.b = append(w.b, n)
}

func (w *legWriter) addr(a netip.AddrPort) {
	at := len(w.b)
	w.b, _ = a.AppendBinary(append(w.b, 0)) // has no error
	w.b[at] = byte(len(w.b) - at - 1)
}

func (w *legWriter) moment(m moment) {
	w.time(m.at.time())
	w.bools(m.fromA)
}

func (w *legWriter) says(m *microsoftSays) {
	for _, r := range [...]*ranked{&m.id, &m.correlation, &m.reason} {
		w.b = append(w.b, r.rank)
		w.guid(r.id)
	}
	w.b = append(w.b, m.region.rank)
	w.text(m.region.s)
	w.bools(m.mediaPath)
}

func (w *legWriter) life(l *legLife) {
	w.time(l.opened)
	w.time(l.heard)
	w.time(l.closed)
	w.bools(l.inferred, l.changed, l.recorded, l.cut, l.linked, l.settled)
	w.time(l.row.Start)
	w.guid(l.row.ID)
	w.guid(l.rowTenant)
	w.guid(l.partOf)
}

func (w *legWriter) hop(h *hop) {
	w.addr(h.a)
	w.addr(h.b)
	w.time(h.invite.at.time())
	if v := &h.invite; !v.at.IsZero() {
		w.number(uint64(v.cseq))
		w.bools(v.fromA, v.agent, v.named, v.forwarded, v.emergency, v.recorder)
		v.texts(func(s *string) { w.text(*s) })
	}
	w.number(uint64(h.lastCSeq))
	w.time(h.asked.time())
	asked := inviteHosts{h.invite.uriHost, h.invite.contactHost}
	w.bools(h.hosts != asked)
	if h.hosts != asked { // mostly there was one INVITE
		w.text(h.hosts.uri)
		w.text(h.hosts.contact)
	}
	w.time(h.rang.time())
	w.number(uint64(h.again[0]))
	w.number(uint64(h.again[1]))
	w.number(uint64(len(h.replies)))
	for i := range h.replies {
		f := &h.replies[i]
		w.number(uint64(f.cseq))
		w.number(uint64(f.code))
		w.text(f.phrase)
		w.moment(moment{f.at, f.fromA})
		w.time(f.last.time())
	}
	w.moment(h.bye)
	w.moment(h.cancel)
}

// decodeLeg reads what encode has written. The leg shares no memory with b.
func decodeLeg(b []byte) (*leg, error) {
	if len(b) < 2 {
		return nil, errLeg
	}
	if b[0] == 0 || b[0] > legVersion {
		return nil, fmt.Errorf("a call in progress has version %d: %w", b[0], call.ErrNewer)
	}
	r := legReader{s: string(b[2:]), version: b[0]}
	l := &leg{told: call.Witness(b[1])}
	r.base = time.Unix(0, int64(r.number())).UTC()
	l.first = instantOf(r.base)
	l.source, l.callID, l.trunk = r.text(), r.text(), r.text()
	l.tenant = r.guid()
	for _, t := range l.leasts() {
		t.s = r.text()
	}
	if r.version > 1 {
		r.parties(l)
	}
	if r.version > 2 {
		l.timer.at = r.instant()
	} else {
		l.timer.at = l.first
	}
	l.timer.seconds = r.count(1 << 31)
	if r.version > 2 {
		r.bools(&l.toward)
	}
	l.last = r.instant()
	r.says(&l.says)
	r.life(&l.life)
	for range r.count(maxHops) {
		l.hops = append(l.hops, r.hop())
	}
	if r.bad || r.s != "" {
		return nil, errLeg
	}
	l.id = legID(l.source, l.callID)
	return l, nil
}

var errLeg = &call.CorruptError{Offset: -1, Err: errors.New("a call in progress cannot be read")}

// A legReader reads a leg. After anything that cannot be read it is bad, and
// gives zeros.
type legReader struct {
	s       string
	version byte
	base    time.Time
	bad     bool
}

func (r *legReader) number() uint64 {
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

// count reads how many of something there are.
func (r *legReader) count(most uint64) int {
	n := r.number()
	if n > most {
		r.bad, r.s = true, ""
		return 0
	}
	return int(n)
}

func (r *legReader) take(n int) string {
	if n < 0 || n > len(r.s) {
		r.bad, r.s = true, ""
		return ""
	}
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *legReader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *legReader) bools(all ...*bool) {
	n := r.byte()
	for i, p := range all {
		*p = n>>i&1 != 0
	}
}

func (r *legReader) text() string { return r.take(r.count(1 << 20)) }

func (r *legReader) guid() (g call.GUID) {
	if r.byte() != 0 {
		copy(g[:], r.take(len(g)))
	}
	return g
}

func (r *legReader) time() time.Time {
	n := r.number()
	if n == 0 {
		return time.Time{}
	}
	n--
	return r.base.Add(time.Duration(int64(n>>1) ^ -int64(n&1)))
}

func (r *legReader) instant() instant { return instantOf(r.time()) }

func (r *legReader) addr() (a netip.AddrPort) {
	if err := a.UnmarshalBinary([]byte(r.take(int(r.byte())))); err != nil {
		r.bad = true
	}
	return a
}

func (r *legReader) moment() (m moment) {
	m.at = r.instant()
	r.bools(&m.fromA)
	return m
}

func (r *legReader) parties(l *leg) {
	if r.byte() == 0 {
		return
	}
	l.parties = &parties{}
	for _, t := range l.parties.leasts() {
		t.s = r.text()
	}
}

func (r *legReader) says(m *microsoftSays) {
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

func (r *legReader) life(l *legLife) {
	l.opened, l.heard, l.closed = r.time(), r.time(), r.time()
	r.bools(&l.inferred, &l.changed, &l.recorded, &l.cut, &l.linked, &l.settled)
	if r.version < 3 {
		l.settled = !l.inferred && !l.closed.IsZero()
	}
	l.row.Start, l.row.ID = r.time(), r.guid()
	l.rowTenant, l.partOf = r.guid(), r.guid()
	l.saved, l.learned = l.heard, l.heard
}

func (r *legReader) hop() (h hop) {
	h.a, h.b = r.addr(), r.addr()
	h.invite.at = r.instant()
	if v := &h.invite; !v.at.IsZero() {
		v.cseq = uint32(r.number())
		r.bools(&v.fromA, &v.agent, &v.named, &v.forwarded, &v.emergency, &v.recorder)
		v.texts(func(s *string) { *s = r.text() })
	}
	h.lastCSeq = uint32(r.number())
	h.asked = r.instant()
	if r.version < 3 {
		r.oldReplies(&h)
	} else {
		if h.hosts = (inviteHosts{h.invite.uriHost, h.invite.contactHost}); r.byte() != 0 {
			h.hosts = inviteHosts{shared(r.text()), shared(r.text())}
		}
		h.rang = r.instant()
		h.again = [2]uint32{uint32(r.number()), uint32(r.number())}
		for range r.count(2 * (maxFinals + maxAnswers)) {
			h.replies = append(h.replies, r.reply())
		}
	}
	h.bye, h.cancel = r.moment(), r.moment()
	return h
}

// reply reads a reply. Version 1 has not kept when it was given last.
func (r *legReader) reply() (f reply) {
	f.cseq, f.code, f.phrase = uint32(r.number()), int16(r.count(999)), r.text()
	m := r.moment()
	f.at, f.last, f.fromA = m.at, m.at, m.fromA
	if r.version > 1 {
		f.last = r.instant()
	}
	return f
}

// oldReplies reads what versions 1 and 2 have kept of the answers to INVITEs. A 2xx
// was that of whoever was called, to the INVITE that was sent last.
func (r *legReader) oldReplies(h *hop) {
	h.hosts = inviteHosts{h.invite.uriHost, h.invite.contactHost}
	if at := r.instant(); !at.IsZero() {
		h.replies = append(h.replies, reply{cseq: h.lastCSeq, code: 200, fromA: !h.invite.fromA, at: at, last: at})
	}
	for range r.count(maxFinals) {
		h.replies = append(h.replies, r.reply())
	}
}
