package leg

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"unique"

	"github.com/trunklog/trunklog/call"
)

// The methods that say something of a leg.
const (
	methodInvite = "INVITE"
	methodBye    = "BYE"
	methodCancel = "CANCEL"
	methodUpdate = "UPDATE"
)

// A hop holds the facts of a leg's messages between two addresses, which stand in order.
type hop struct {
	a, b netip.AddrPort

	invite invite
	// lastCSeq is the greatest CSeq of an INVITE that began a dialog. asked is when such an INVITE
	// was last sent, and hosts are those that it named.
	lastCSeq uint32
	asked    Instant
	hosts    inviteHosts

	rang    Instant // the first provisional answer after 100
	replies []reply // the final answers to INVITEs, as far as they may tell how the call went
	// again is the lowest CSeq of an INVITE within the dialog: first from b, then from a. Answers
	// to such an INVITE say nothing of how the call began.
	again [2]uint32

	bye    moment
	cancel moment
}

// A moment is when something was first seen, and whether a, the hop's first address, sent it.
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

// An invite holds what the INVITE says that began the dialog: of several INVITEs, the one with the
// lowest CSeq, and of those the first.
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
	recorder                       bool   // it calls a recorder, not a callee (RFC 7866)
	referredBy                     string
}

// inviteHosts are the hosts by which an INVITE names the trunk.
type inviteHosts struct{ uri, contact string }

// A reply is a final answer to an INVITE. The server sends it again until it is acknowledged, so a
// reply has the time of its first sending and of its last. The code of every 2xx is 200.
type reply struct {
	cseq   uint32
	code   int16
	fromA  bool
	at     Instant
	last   Instant
	phrase string
}

const (
	// maxFinals is how many different refusals of one INVITE a hop keeps, for each of its ends.
	maxFinals = 8
	// maxAnswers is to how many INVITEs a hop keeps a 2xx, for each of its ends: those with the
	// lowest CSeqs. A caller repeats the INVITE that begins a call a few times at most, and those
	// that refresh its session come later.
	maxAnswers = 4
)

func (r *reply) ok() bool { return r.code == 200 }

// compareKeys compares what makes replies different, which is all but their times.
func (r *reply) compareKeys(o *reply) int {
	return cmp.Or(
		cmp.Compare(btoi(r.fromA), btoi(o.fromA)),
		cmp.Compare(btoi(r.ok()), btoi(o.ok())),
		cmp.Compare(r.cseq, o.cseq),
		cmp.Compare(r.code, o.code),
		strings.Compare(r.phrase, o.phrase),
	)
}

// add adds what a message says to the hop and reports whether any of it was new.
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
		return false // it alone is no reason to save the leg
	case s.Code < 300:
		return h.addReply(reply{cseq: s.CSeq, code: 200, fromA: fromA, at: at, last: at})
	}
	return h.addReply(reply{cseq: s.CSeq, code: int16(s.Code), fromA: fromA, at: at, last: at, phrase: clip(s.Phrase)})
}

// addReply adds a reply. It keeps each 2xx to the INVITEs with the lowest CSeqs, and each refusal
// of the INVITE with the greatest.
func (h *hop) addReply(r reply) (changed bool) {
	n, last := 0, -1 // n counts its kind; last is the greatest of these
	for i := 0; i < len(h.replies); i++ {
		o := &h.replies[i]
		switch {
		case o.fromA != r.fromA || o.ok() != r.ok():
			continue
		case o.compareKeys(&r) == 0:
			at, last := FirstOf(o.at, r.at), LastOf(o.last, r.last)
			if r.ok() {
				last = at // a repeated 2xx says nothing
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

// compare orders refusals by INVITE and time; the rest only makes the order total.
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

// compare orders INVITEs of one hop. INVITEs with the same CSeq and time differ in the rest only if
// a sender forged one, and then the order of their arrival must not matter.
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

// keep copies the texts of v into memory of their own, and cuts them to what a row can hold.
func (v *invite) keep() {
	v.texts(func(p *string) { *p = strings.Clone(clip(*p)) })
	if v.to == v.callee {
		v.to = v.callee
	}
	for _, p := range [...]*string{&v.callerHost, &v.toHost, &v.uriHost, &v.contactHost, &v.assertedHost} {
		*p = shared(*p)
	}
}

// shared returns the one copy of a text, such as a host, that all legs use: hosts are few, and the
// same in many calls.
func shared(s string) string { return unique.Make(clip(s)).Value() }

// clip returns s in valid UTF-8, cut to what a field of a row can hold.
func clip(s string) string {
	if len(s) > call.MaxText {
		s = s[:call.MaxText]
	}
	return strings.ToValidUTF8(s, "")
}
