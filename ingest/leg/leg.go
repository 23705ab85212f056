package leg

import (
	"bytes"
	"net/netip"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A Leg is everything that is known of one dialog: of all messages with one
// Call-ID that one source has seen. A proxy passes a dialog on, so that its
// messages are seen on several hops; a back-to-back user agent makes a new leg
// of it with a Call-ID of its own.
//
// A leg only ever gains facts, each by a rule that is commutative, associative
// and idempotent: the earliest answer, the greatest final code by time. So the
// order in which messages arrive, repeats and replays do not matter. What is to
// be concluded from the facts is concluded from all of them, anew each time
// (see row.go).
//
// The rules follow RFC 3261: section 12 (a dialog), 13.2.2.4 (any 2xx
// establishes the call), 9.1 (a CANCEL that comes too late has no effect), 22.2
// (a challenged request is sent again with a higher CSeq).
type Leg struct {
	ID call.GUID // [call.Message.Leg], see [IDOf] and [IDWithin]; it stays
	// Source is the name of the source that has heard it, and CallID what the source
	// calls it.
	Source, CallID string
	Tenant         call.GUID // whose it is, once that is known: it stays
	Told           call.Witness
	Trunk          string // that the source is bound to, if it is
	// Microsoft are further addresses of Microsoft's. They are not kept with the leg.
	Microsoft []netip.Prefix
	// Life is what has become of it.
	Life Life

	hops []hop
	says microsoftSays

	// session and correlation tell which other legs belong to the same call.
	session     least
	correlation least
	// contact is a host name in a Contact of the SBC's or the carrier's; from and
	// to are whom the answers to an INVITE name. They stand in for an INVITE that
	// was not seen.
	contact, from, to least
	// parties are whom the other messages name. They stand in for all of these,
	// and are nil when an INVITE was seen: calls in progress are many.
	parties *parties

	timer  timer
	toward bool    // a request went to a host of Microsoft's
	first  Instant // of all messages, by the agent's clock
	last   Instant
}

// IDOf returns the name of a leg among all messages that are kept: of all that a source
// calls so.
func IDOf(source, callID string) call.GUID { return call.NameGUID(source, "leg", callID) }

// IDWithin returns the name of a leg of a source that hears the calls of several
// tenants: of all that it calls so and that is the tenant's.
func IDWithin(tenant call.GUID, source, callID string) call.GUID {
	return call.NameGUID(source, "leg", callID, tenant.String())
}

// Opens reports whether a message tells enough of a call that a leg is made of
// it. What else belongs to a call comes before or after one that does.
func Opens(s *call.Signal) bool {
	switch s.Method {
	case methodInvite, methodBye, methodCancel:
		return true
	case "":
		return s.CSeqMethod == methodInvite && s.Code >= 180
	}
	return false
}

// Span returns when the first of the leg's messages was seen, and the last, by the
// clock of the agent that saw them.
func (l *Leg) Span() Span { return Span{l.first, l.last} }

// Refresh returns how often the call refreshes its session, in seconds; 0 if it does
// not (RFC 4028).
func (l *Leg) Refresh() int { return l.timer.seconds }

// A timer is that of the session (RFC 4028): what the last 2xx to an INVITE or an
// UPDATE says, because whoever answers decides (section 9). What the request
// offers is no timer, and an answer that names none ends one (section 7.2).
type timer struct {
	at      Instant
	seconds int
}

func (t *timer) add(s *call.Signal) bool {
	if s.Code/100 != 2 || s.CSeqMethod != methodInvite && s.CSeqMethod != methodUpdate {
		return false
	}
	at := instantOf(s.At)
	if at.Before(t.at) || at == t.at && s.SessionExpires <= t.seconds {
		return false
	}
	t.at, t.seconds = at, s.SessionExpires
	return true
}

// A Life is what has become of a leg: no facts, but what was done about them. Whoever
// holds the leg says it; it is kept with the leg.
type Life struct {
	Opened    time.Time // when the first message arrived, by our clock
	Heard     time.Time // when the last one did
	Closed    time.Time // when the row was written, or the leg was given up
	Row       call.Cursor
	RowTenant call.GUID
	PartOf    call.GUID // the leg whose call this is another leg of

	Inferred bool // it was closed by a limit
	Settled  bool // a message has told how the call of its row went
	Changed  bool // it has facts that the row does not have
	Linked   bool // the store knows whose messages the leg's are
	Cut      bool // the SBC has restarted, and knows nothing of the call
	Recorded bool // the messages were saved before, and are not heard now
}

// microsoftSays are the facts that only Microsoft's messages have.
type microsoftSays struct {
	id          ranked // x-c
	correlation ranked // x-i
	reason      ranked // the GUID in a Reason header's text
	region      rankedText
	mediaPath   bool // X-MS-MediaPath was there
}

// A least keeps the smallest of the texts that it was given.
type least struct{ s string }

func (l *least) add(s string) bool {
	if s == "" || l.s != "" && l.s <= s {
		return false
	}
	l.s = strings.Clone(s)
	return true
}

// A ranked keeps the GUID with the highest rank, and the smallest of those.
type ranked struct {
	rank uint8
	id   call.GUID
}

func (r *ranked) add(rank uint8, id call.GUID) bool {
	if id.IsZero() || rank < r.rank || rank == r.rank && bytes.Compare(id[:], r.id[:]) >= 0 {
		return false
	}
	r.rank, r.id = rank, id
	return true
}

// A rankedText keeps the text with the highest rank, and the smallest of those.
type rankedText struct {
	rank uint8
	s    string
}

func (r *rankedText) add(rank uint8, s string) bool {
	if s == "" || rank < r.rank || rank == r.rank && s >= r.s {
		return false
	}
	r.rank, r.s = rank, strings.Clone(s)
	return true
}

// The ranks of a message that names a call: what Microsoft asks for itself,
// what it agreed to, and all else.
const (
	rankOther uint8 = iota + 1
	rankAnswer
	rankInvite
)

// maxHops is on how many hops a leg is followed. What is seen beyond is added
// to the last one.
const maxHops = 16

// Add adds what a message says to the leg and reports whether that was new.
func (l *Leg) Add(s *call.Signal) (changed bool) {
	at := instantOf(s.At)
	if l.first.IsZero() || at.Before(l.first) {
		l.first, changed = at, true
	}
	if at.After(l.last) {
		l.last = at // the leg need not be saved for this alone
	}
	if strings.Trim(s.SessionID, "0") != "" && l.session.add(s.SessionID) { // nothing but zeros is none (RFC 7989, section 5)
		changed = true
	}
	if l.correlation.add(s.Correlation) {
		changed = true
	}
	if l.timer.add(s) {
		changed = true
	}
	if s.Method != "" && !l.toward && microsoftHost(s.URI.Host) {
		l.toward, changed = true, true
	}
	if l.says.add(s) {
		changed = true
	}
	if s.CSeqMethod == methodInvite && l.addAnswer(s) {
		changed = true
	}
	if h := l.hopOf(s); h.add(s) {
		changed = true
		if s.Method == methodInvite {
			l.share(h)
		}
	}
	return l.addParties(s) || changed
}

// Parties are who speaks with whom: somebody at a host of Microsoft's, and
// somebody at another one.
type parties struct {
	here, there, host least
}

func (p *parties) leasts() [3]*least { return [...]*least{&p.here, &p.there, &p.host} }

// addParties adds who speaks with whom, as long as no INVITE tells it better.
func (l *Leg) addParties(s *call.Signal) (changed bool) {
	if l.Asked() {
		l.parties = nil
		return false
	}
	fromHere, known := l.fromMicrosoft(s)
	if !known {
		return false
	}
	here, there := &s.From, &s.To
	if !fromHere {
		here, there = there, here
	}
	p := l.parties
	if p == nil {
		p = &parties{}
		l.parties, changed = p, true
	}
	if p.here.add(clip(subscriber(here.User))) {
		changed = true
	}
	if p.there.add(clip(subscriber(there.User))) {
		changed = true
	}
	if isName(there.Host) && p.host.add(clip(there.Host)) {
		changed = true
	}
	return changed
}

// fromMicrosoft reports whether From names somebody at Microsoft's end, and To
// somebody else, and whether that is known: by who sent the message, or else by
// their hosts, which an SBC may hide.
func (l *Leg) fromMicrosoft(s *call.Signal) (yes, known bool) {
	request := s.Method != ""
	switch src, dst := isMicrosoft(s.Src, l.Microsoft), isMicrosoft(s.Dst, l.Microsoft); {
	case microsoftSent(s), src && !dst:
		return request, true
	case dst && !src:
		return !request, true
	}
	from, to := microsoftHost(s.From.Host), microsoftHost(s.To.Host)
	return from, from != to
}

// share lets the INVITE of a hop use the texts of the others: a proxy passes most
// of them on as they are, and calls in progress are many.
func (l *Leg) share(h *hop) {
	for i := range l.hops {
		o := &l.hops[i]
		if o == h || o.invite.at.IsZero() {
			continue
		}
		var texts [inviteTexts]string
		n := 0
		o.invite.texts(func(s *string) { texts[n] = *s; n++ })
		n = 0
		h.invite.texts(func(s *string) {
			if *s == texts[n] {
				*s = texts[n]
			}
			n++
		})
	}
	for _, p := range [...]struct {
		l *least
		s string
	}{{&l.from, h.invite.caller}, {&l.to, h.invite.callee}} {
		if p.l.s == p.s {
			p.l.s = p.s
		}
	}
}

// addAnswer adds what stands in for the INVITE that a message belongs to.
func (l *Leg) addAnswer(s *call.Signal) (changed bool) {
	if !microsoftSent(s) && isName(s.Contact.Host) {
		changed = l.contact.add(clip(s.Contact.Host))
	}
	if s.Code == 0 {
		return changed
	}
	from, to := l.from.add(clip(subscriber(s.From.User))), l.to.add(clip(subscriber(s.To.User)))
	return changed || from || to
}

// isName reports whether a host is neither an address nor Microsoft's. The last
// part of a name is never a number (RFC 3696, section 2), and of an address it is,
// unless that is one of IPv6.
func isName(host string) bool {
	if host == "" || microsoftHost(host) {
		return false
	}
	if last := host[len(host)-1]; (last < '0' || last > '9') && strings.IndexByte(host, ':') < 0 {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err != nil
}

// hopOf returns the hop that a message was seen on.
func (l *Leg) hopOf(s *call.Signal) *hop {
	a, b := s.Src, s.Dst
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	for i := range l.hops {
		if l.hops[i].a == a && l.hops[i].b == b {
			return &l.hops[i]
		}
	}
	if len(l.hops) == maxHops {
		return &l.hops[maxHops-1]
	}
	l.hops = append(l.hops, hop{a: a, b: b})
	return &l.hops[len(l.hops)-1]
}

// add adds what Microsoft says of itself in a message, if the message is one of
// Microsoft's. A proxy passes it on as it is.
func (m *microsoftSays) add(s *call.Signal) (changed bool) {
	if !microsoftSent(s) {
		return false
	}
	rank := rankOther
	switch {
	case s.Method == methodInvite && s.ToTag == "":
		rank = rankInvite
	case s.CSeqMethod == methodInvite && s.Code/100 == 2:
		rank = rankAnswer
	}
	if m.id.add(rank, guidOf(firstPart(param(s.Contact.Params, "x-c")))) {
		changed = true
	}
	if m.correlation.add(rank, guidOf(param(s.Contact.Params, "x-i"))) {
		changed = true
	}
	if m.reason.add(rank, reasonGUID(s.Reason)) {
		changed = true
	}
	if m.region.add(rank, region(s.UserAgent)) {
		changed = true
	}
	if s.MediaPath != "" && !m.mediaPath {
		m.mediaPath, changed = true, true
	}
	return changed
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
