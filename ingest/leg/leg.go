package leg

import (
	"bytes"
	"net/netip"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A Leg holds all facts of one dialog: of all messages with one Call-ID that one source has seen. A
// proxy passes a dialog on, so that a source sees its messages on several hops. A back-to-back user
// agent makes a new leg of it, with another Call-ID.
//
// A leg only ever gains facts, each by a rule that is commutative, associative and idempotent, such
// as the earliest answer, or the last refusal of the INVITE with the greatest CSeq. So the order in
// which messages arrive, repeats and replays do not matter. Each conclusion is drawn anew from all
// facts, see [Leg.View].
//
// The rules follow RFC 3261: section 12 (a dialog), 13.2.2.4 (any 2xx establishes the call), 9.1 (a
// CANCEL that comes too late has no effect), 22.2 (the client repeats a challenged request with a
// higher CSeq).
type Leg struct {
	ID call.GUID // [call.Message.Leg], see [IDOf] and [IDWithin]; it never changes
	// Source is the name of the source that has heard the dialog, and CallID the dialog's Call-ID.
	Source, CallID string
	Tenant         call.GUID // owner, zero until it is known; then it never changes
	Told           call.Witness
	Trunk          string // the trunk that the source is bound to, or empty
	// Microsoft are further addresses of Microsoft's. The store does not keep them.
	Microsoft []netip.Prefix
	// Life is the state of the leg's processing.
	Life Life

	hops []hop
	says microsoftSays

	// session and correlation tie the leg to the other legs of its call.
	session     least
	correlation least
	// contact is a host name in a Contact of the SBC's or the carrier's. from and to are the users
	// that the answers to an INVITE name. They stand in for an INVITE that was not seen.
	contact, from, to least
	// parties are the users that the other messages name. They stand in for all of the above. The
	// pointer is nil once an INVITE was seen, which saves memory: there are many calls in progress.
	parties *parties

	timer  timer
	toward bool    // a request went to a host of Microsoft's
	first  Instant // the time of the first message, by the agent's clock
	last   Instant
}

// IDOf returns the id of the leg of a source with the given Call-ID, under which the store also
// keeps its messages.
func IDOf(source, callID string) call.GUID { return call.NameGUID(source, "leg", callID) }

// IDWithin returns the same for a leg of one tenant, where the source hears the calls of several.
func IDWithin(tenant call.GUID, source, callID string) call.GUID {
	return call.NameGUID(source, "leg", callID, tenant.String())
}

// Opens reports whether a message tells enough of a call to begin a leg. The other messages of a
// call come before or after one that does.
func Opens(s *call.Signal) bool {
	switch s.Method {
	case methodInvite, methodBye, methodCancel:
		return true
	case "":
		return s.CSeqMethod == methodInvite && s.Code >= 180
	}
	return false
}

// Span returns the times of the leg's first message and of its last, by the clock of the agent that
// saw them.
func (l *Leg) Span() Span { return Span{l.first, l.last} }

// Refresh returns the interval at which the call refreshes its session, in seconds; 0 if it does
// not (RFC 4028).
func (l *Leg) Refresh() int { return l.timer.seconds }

// A timer is the session timer (RFC 4028) that the last 2xx to an INVITE or an UPDATE sets, because
// the answering side decides (section 9). A request's offer sets no timer, and an answer without
// one ends it (section 7.2).
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

// A Life is the state of a leg's processing: no facts, but what the caller has done about them. The
// caller sets it; the store keeps it with the leg.
type Life struct {
	Opened    time.Time // when the first message arrived, by our clock
	Heard     time.Time // when the last one did
	Closed    time.Time // when the row was written, or the leg given up
	Row       call.Cursor
	RowTenant call.GUID
	PartOf    call.GUID // the leg that makes the row of the call, if this one does not

	Inferred bool // the row was made although not all of the call was seen
	Settled  bool // a message has told how the call went
	Changed  bool // it has facts that the row lacks
	Linked   bool // the store knows to which row the leg's messages belong
	Cut      bool // the SBC has restarted, and has lost the call
	Recorded bool // the messages come from a recording, not live
}

// microsoftSays are the facts that only Microsoft's messages have.
type microsoftSays struct {
	id          ranked // x-c
	correlation ranked // x-i
	reason      ranked // the GUID in a Reason header's text
	region      rankedText
	mediaPath   bool // a message had X-MS-MediaPath
}

// A least keeps the smallest of the texts added to it.
type least struct{ s string }

func (l *least) add(s string) bool {
	if s == "" || l.s != "" && l.s <= s {
		return false
	}
	l.s = strings.Clone(s)
	return true
}

// A ranked keeps, of the GUIDs with the highest rank, the smallest.
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

// A rankedText keeps, of the texts with the highest rank, the smallest.
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

// The ranks of Microsoft's messages, as sources of ids and of the region: its own INVITE, then its
// 2xx to an INVITE, then all others.
const (
	rankOther uint8 = iota + 1
	rankAnswer
	rankInvite
)

// maxHops is how many hops a leg keeps apart. It adds messages on further hops to the last one.
const maxHops = 16

// Add adds what a message says to the leg and reports whether any of it was new.
func (l *Leg) Add(s *call.Signal) (changed bool) {
	at := instantOf(s.At)
	if l.first.IsZero() || at.Before(l.first) {
		l.first, changed = at, true
	}
	if at.After(l.last) {
		l.last = at // the leg need not be saved for this alone
	}
	if strings.Trim(s.SessionID, "0") != "" && l.session.add(s.SessionID) { // all zeros is no id (RFC 7989, section 5)
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

// A parties holds the user at Microsoft's end, and the user and host at the other one.
type parties struct {
	here, there, host least
}

func (p *parties) leasts() [3]*least { return [...]*least{&p.here, &p.there, &p.host} }

// addParties adds the users at both ends, as long as no INVITE was seen, which tells them better.
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

// fromMicrosoft reports whether From names the user at Microsoft's end, and To the other one, and
// whether that is known. The sender of the message tells it, or else the hosts in From and To,
// which an SBC may hide.
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

// share lets the INVITE of a hop share the texts of the other hops' INVITEs, which saves memory: a
// proxy passes most of them on unchanged.
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

// addAnswer adds what stands in for the INVITE to which a message belongs.
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

// isName reports whether a host is a name that is not Microsoft's. The last label of a name is
// never a number (RFC 3696, section 2); the last part of an address is one, except in IPv6.
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

// hopOf returns the hop on which a message was seen.
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

// add adds what Microsoft says about the call in a message that it has made. A proxy passes that on
// unchanged.
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
