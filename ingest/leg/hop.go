package leg

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"unique"

	"github.com/trunklog/trunklog/call"
)

// The methods of which legs are made.
const (
	methodInvite = "INVITE"
	methodBye    = "BYE"
	methodCancel = "CANCEL"
	methodUpdate = "UPDATE"
)

// A hop is what was seen of a leg between two addresses, which stand in order.
type hop struct {
	a, b netip.AddrPort

	invite invite
	// lastCSeq is the greatest of an INVITE that began a dialog, and asked when
	// such a one was sent last, and to and by which hosts.
	lastCSeq uint32
	asked    Instant
	hosts    inviteHosts

	rang    Instant // the first 18x
	replies []reply // the other answers to INVITEs that may tell how the call went
	// again is the lowest CSeq of an INVITE within the dialog, by who sent it: b,
	// or a. Answers to such a one say nothing of how the call began.
	again [2]uint32

	bye    moment
	cancel moment
}

// A moment is when something was seen first, and whether a sent it.
type moment struct {
	at    Instant
	fromA bool
}

func (m *moment) add(at Instant, fromA bool) bool {
	if c := compareTimes(at, m.at); c > 0 || c == 0 && (fromA || !m.fromA) {
		return false
	}
	m.at, m.fromA = at, fromA
	return true
}

// An invite is what the INVITE says that began the dialog: of several, the one
// with the lowest CSeq, and of those the first.
type invite struct {
	at    Instant
	cseq  uint32
	fromA bool

	caller, callerName, callerHost string // From
	to, toHost                     string
	callee, uriHost                string // Request-URI
	contactHost                    string
	asserted, assertedHost         string // P-Asserted-Identity
	agent                          bool   // User-Agent is Microsoft's
	named                          bool   // its Contact is Microsoft's
	forwarded                      bool   // History-Info
	emergency                      bool   // Priority (RFC 3261, section 20.26)
	recorder                       bool   // it asks a recorder, not a callee (RFC 7866)
	referredBy                     string
}

// inviteHosts are the hosts by which an INVITE names the trunk.
type inviteHosts struct{ uri, contact string }

// A reply is a final answer to an INVITE, when it was first given and when last:
// it is sent again until it is acknowledged. Of those of 2xx the code is 200.
type reply struct {
	cseq   uint32
	code   int16
	fromA  bool
	at     Instant
	last   Instant
	phrase string
}

const (
	// maxFinals is how many different answers to one INVITE are told apart.
	maxFinals = 8
	// maxAnswers is to how many INVITEs answers of 2xx are told apart, those with
	// the lowest CSeqs. The INVITE that begins a call is asked again a few times
	// at most, and those that refresh its session come behind it.
	maxAnswers = 4
)

func (r *reply) ok() bool { return r.code == 200 }

// compareKeys orders what tells replies apart.
func (r *reply) compareKeys(o *reply) int {
	return cmp.Or(
		cmp.Compare(btoi(r.fromA), btoi(o.fromA)),
		cmp.Compare(btoi(r.ok()), btoi(o.ok())),
		cmp.Compare(r.cseq, o.cseq),
		cmp.Compare(r.code, o.code),
		strings.Compare(r.phrase, o.phrase),
	)
}

// add adds what a message says to the hop and reports whether that was new.
func (h *hop) add(s *call.Signal) (changed bool) {
	fromA, at := s.Src == h.a, instantOf(s.At)
	switch {
	case s.Method == methodInvite && s.ToTag == "":
		return h.addInvite(s, fromA)
	case s.Method == methodInvite:
		p := &h.again[btoi(fromA)]
		if *p != 0 && *p <= s.CSeq || s.CSeq == 0 {
			return false
		}
		*p = s.CSeq
		return true
	case s.Method == methodBye:
		return h.bye.add(at, fromA)
	case s.Method == methodCancel:
		return h.cancel.add(at, fromA)
	case s.CSeqMethod != methodInvite || s.Code <= 100:
		return false
	case s.Code < 200:
		h.rang = FirstOf(h.rang, at)
		return false // no news in itself: it is kept with what is
	case s.Code < 300:
		return h.addReply(reply{cseq: s.CSeq, code: 200, fromA: fromA, at: at, last: at})
	}
	return h.addReply(reply{cseq: s.CSeq, code: int16(s.Code), fromA: fromA, at: at, last: at, phrase: clip(s.Phrase)})
}

// addReply adds a reply. Of 2xx those to the INVITEs with the lowest CSeqs are
// kept, of others those to the INVITE with the greatest.
func (h *hop) addReply(r reply) (changed bool) {
	n, last := 0, -1 // of its kind, and the place of the one behind all others
	for i := 0; i < len(h.replies); i++ {
		o := &h.replies[i]
		switch {
		case o.fromA != r.fromA || o.ok() != r.ok():
			continue
		case o.compareKeys(&r) == 0:
			at, last := FirstOf(o.at, r.at), LastOf(o.last, r.last)
			if r.ok() {
				last = at // an answer that is given again says nothing
			}
			changed = at != o.at || last != o.last
			o.at, o.last = at, last
			return changed
		case !r.ok() && o.cseq > r.cseq:
			return false
		case !r.ok() && o.cseq < r.cseq:
			h.replies = slices.Delete(h.replies, i, i+1)
			i--
			continue
		}
		if n++; last < 0 || o.compareKeys(&h.replies[last]) > 0 {
			last = i
		}
	}
	most := maxFinals
	if r.ok() {
		most = maxAnswers
	}
	r.phrase = strings.Clone(r.phrase)
	switch {
	case n < most:
		h.replies = append(h.replies, r)
	case r.compareKeys(&h.replies[last]) < 0:
		h.replies[last] = r
	default:
		return false
	}
	return true
}

// compare orders refusals by when they were given.
func (r *reply) compare(o *reply) int {
	return cmp.Or(
		cmp.Compare(r.cseq, o.cseq),
		r.at.Compare(o.at),
		cmp.Compare(r.code, o.code),
		strings.Compare(r.phrase, o.phrase),
		cmp.Compare(btoi(r.fromA), btoi(o.fromA)),
	)
}

func (h *hop) addInvite(s *call.Signal, fromA bool) (changed bool) {
	if s.CSeq > h.lastCSeq {
		h.lastCSeq, changed = s.CSeq, true
	}
	hosts := inviteHosts{s.URI.Host, s.Contact.Host}
	if at := instantOf(s.At); at.After(h.asked) || at == h.asked && hosts.compare(h.hosts) < 0 {
		h.asked, changed = at, true
		h.hosts = inviteHosts{shared(hosts.uri), shared(hosts.contact)}
	}
	v := inviteOf(s, fromA)
	if !h.invite.at.IsZero() && v.compare(&h.invite) >= 0 {
		return changed
	}
	v.keep()
	h.invite = v
	return true
}

func (h inviteHosts) compare(o inviteHosts) int {
	return cmp.Or(strings.Compare(h.uri, o.uri), strings.Compare(h.contact, o.contact))
}

func inviteOf(s *call.Signal, fromA bool) invite {
	return invite{
		at: instantOf(s.At), cseq: s.CSeq, fromA: fromA,
		caller: subscriber(s.From.User), callerName: s.From.Name, callerHost: s.From.Host,
		to: subscriber(s.To.User), toHost: s.To.Host,
		callee: subscriber(s.URI.User), uriHost: s.URI.Host,
		contactHost: s.Contact.Host,
		asserted:    s.Asserted.User, assertedHost: s.Asserted.Host,
		agent:      microsoftAgent(s.UserAgent),
		named:      microsoftHost(s.Contact.Host) || param(s.Contact.Params, "x-c") != "",
		forwarded:  s.HistoryInfo != "",
		emergency:  strings.EqualFold(s.Priority, "emergency"),
		recorder:   s.SIPREC,
		referredBy: s.ReferredBy,
	}
}

// compare orders INVITEs of one hop. What comes behind number and time differs
// only if somebody forged one, and then it must not matter which came first.
func (v *invite) compare(w *invite) int {
	if c := cmp.Or(cmp.Compare(v.cseq, w.cseq), v.at.Compare(w.at)); c != 0 {
		return c
	}
	var texts []string
	v.texts(func(s *string) { texts = append(texts, *s) })
	c := 0
	w.texts(func(s *string) {
		c = cmp.Or(c, strings.Compare(texts[0], *s))
		texts = texts[1:]
	})
	return cmp.Or(c, cmp.Compare(v.bools(), w.bools()))
}

func (v *invite) bools() int {
	return btoi(v.fromA) | btoi(v.agent)<<1 | btoi(v.named)<<2 | btoi(v.forwarded)<<3 | btoi(v.emergency)<<4 | btoi(v.recorder)<<5
}

// inviteTexts is how many texts an invite has.
const inviteTexts = 11

// texts calls f with each text of v.
func (v *invite) texts(f func(*string)) {
	for _, p := range [inviteTexts]*string{
		&v.caller, &v.callerName, &v.callerHost, &v.to, &v.toHost, &v.callee, &v.uriHost,
		&v.contactHost, &v.asserted, &v.assertedHost, &v.referredBy,
	} {
		f(p)
	}
}

// keep gives the texts of v memory of their own, and of what is longer than a
// row can hold the beginning.
func (v *invite) keep() {
	v.texts(func(p *string) { *p = strings.Clone(clip(*p)) })
	if v.to == v.callee {
		v.to = v.callee
	}
	for _, p := range [...]*string{&v.callerHost, &v.toHost, &v.uriHost, &v.contactHost, &v.assertedHost} {
		*p = shared(*p)
	}
}

// shared returns a text that all legs have one copy of, such as a host: these are
// few, and the same in many calls.
func shared(s string) string { return unique.Make(clip(s)).Value() }

// clip returns what of s a field of a row can hold.
func clip(s string) string {
	if len(s) > call.MaxText {
		s = s[:call.MaxText]
	}
	return strings.ToValidUTF8(s, "")
}
