package ingest

import (
	"cmp"
	"net/netip"
	"strings"
	"unique"

	"github.com/trunklog/trunklog/call"
)

// The methods of which legs are made.
const (
	methodInvite = "INVITE"
	methodBye    = "BYE"
	methodCancel = "CANCEL"
)

// A hop is what was seen of a leg between two addresses, which stand in order.
type hop struct {
	a, b netip.AddrPort

	invite invite
	// lastCSeq is the greatest of an INVITE that began a dialog, and asked when
	// such a one was sent last.
	lastCSeq uint32
	asked    instant

	answer instant // the first 2xx to an INVITE
	finals []final // the other final answers to the last INVITE, each once

	bye    moment
	cancel moment
}

// A moment is when something was seen first, and whether a sent it.
type moment struct {
	at    instant
	fromA bool
}

func (m *moment) add(at instant, fromA bool) bool {
	if c := compareTimes(at, m.at); c > 0 || c == 0 && (fromA || !m.fromA) {
		return false
	}
	m.at, m.fromA = at, fromA
	return true
}

// An invite is what the INVITE says that began the dialog: of several, the one
// with the lowest CSeq, and of those the first.
type invite struct {
	at    instant
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
	referredBy                     string
}

// A final is an answer of 300 or more, when it was first given and when last: it
// is sent again until it is acknowledged.
type final struct {
	cseq   uint32
	code   int
	phrase string
	moment
	last instant
}

// maxFinals is how many different answers to one INVITE are told apart.
const maxFinals = 8

// add adds what a message says to the hop and reports whether that was new.
func (h *hop) add(s *call.Signal) (changed bool) {
	fromA, at := s.Src == h.a, instantOf(s.At)
	switch {
	case s.Method == methodInvite && s.ToTag == "":
		return h.addInvite(s, fromA)
	case s.Method == methodBye:
		return h.bye.add(at, fromA)
	case s.Method == methodCancel:
		return h.cancel.add(at, fromA)
	case s.CSeqMethod != methodInvite || s.Code < 200:
		return false
	case s.Code < 300:
		if answer := firstOf(h.answer, at); answer != h.answer {
			h.answer = answer
			return true
		}
		return false
	}
	return h.addFinal(final{cseq: s.CSeq, code: s.Code, phrase: s.Phrase, moment: moment{at, fromA}, last: at})
}

func (h *hop) addFinal(f final) (changed bool) {
	if len(h.finals) > 0 && h.finals[0].cseq != f.cseq {
		if f.cseq < h.finals[0].cseq {
			return false
		}
		h.finals = h.finals[:0]
	}
	for i := range h.finals {
		if g := &h.finals[i]; g.code == f.code && g.phrase == f.phrase {
			later := f.last.After(g.last)
			g.last = lastOf(g.last, f.last)
			return g.add(f.at, f.fromA) || later
		}
	}
	if len(h.finals) == maxFinals {
		return false
	}
	f.phrase = strings.Clone(clip(f.phrase))
	h.finals = append(h.finals, f)
	return true
}

// final returns the answer that was given last, if there was one.
func (h *hop) final() *final {
	var last *final
	for i := range h.finals {
		if f := &h.finals[i]; last == nil || f.compare(last) > 0 {
			last = f
		}
	}
	return last
}

func (f *final) compare(g *final) int {
	return cmp.Or(
		cmp.Compare(f.cseq, g.cseq),
		f.at.Compare(g.at),
		cmp.Compare(f.code, g.code),
		strings.Compare(f.phrase, g.phrase),
		cmp.Compare(btoi(f.fromA), btoi(g.fromA)),
	)
}

func (h *hop) addInvite(s *call.Signal, fromA bool) (changed bool) {
	if s.CSeq > h.lastCSeq {
		h.lastCSeq, changed = s.CSeq, true
	}
	if at := instantOf(s.At); at.After(h.asked) {
		h.asked, changed = at, true
	}
	v := inviteOf(s, fromA)
	if !h.invite.at.IsZero() && v.compare(&h.invite) >= 0 {
		return changed
	}
	v.keep()
	h.invite = v
	return true
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
	return btoi(v.fromA) | btoi(v.agent)<<1 | btoi(v.named)<<2 | btoi(v.forwarded)<<3
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
	// Hosts are few, and the same in many calls.
	for _, p := range [...]*string{&v.callerHost, &v.toHost, &v.uriHost, &v.contactHost, &v.assertedHost} {
		*p = unique.Make(*p).Value()
	}
}

// clip returns what of s a field of a row can hold.
func clip(s string) string {
	if len(s) > call.MaxText {
		s = s[:call.MaxText]
	}
	return strings.ToValidUTF8(s, "")
}
