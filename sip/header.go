package sip

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// A header is one of the headers that this package reads.
type header uint8

const (
	otherHeader header = iota
	headerCallID
	headerCSeq
	headerFrom
	headerTo
	headerVia
	headerContact
	headerAsserted
	headerUserAgent
	headerServer
	headerReason
	headerReferredBy
	headerReferTo
	headerHistory
	headerSessionID
	headerSessionExpires
	headerMediaPath
	headerPriority
	headerIdentity
	headerAttestation
	headerOrigination
	headerRequire
	headerContentType
	// credentials are the headers that [Strip] leaves out.
	credentials
)

// headers collects the headers of one message.
type headers struct {
	s       *call.Signal
	seen    uint32 // a set of headers
	unread  Fault  // the first unreadable part of it
	cut     bool   // it breaks off within a header
	server  []byte // the Server header
	verstat string // of From
}

// odd notes an unreadable part. Only the first one stays.
func (h *headers) odd(f Fault) {
	if h.unread == 0 {
		h.unread = f
	}
}

// take notes a header. The first of several counts, except for headers that may come once for each
// kind of URI, protocol or signature: there the most useful one does.
func (h *headers) take(n header, value []byte) Fault {
	if h.seen&(1<<n) != 0 {
		switch n {
		case headerCallID, headerCSeq, headerFrom, headerTo:
			h.odd(FaultTwice)
			return 0
		case headerAsserted, headerReason, headerIdentity, headerAttestation, headerOrigination, headerRequire:
		default:
			return 0
		}
	}
	h.seen |= 1 << n
	s := h.s
	switch n {
	case headerCallID:
		s.CallID = Text(value)
		if len(value) == 0 || len(value) > call.MaxText {
			return FaultCallID
		}
	case headerCSeq:
		return scanCSeq(value, s)
	case headerFrom:
		uri, params := h.party(value, &s.From, FaultFrom)
		s.FromTag = Text(param(params, "tag"))
		h.verstat = verstat(uri, params)
	case headerTo:
		_, params := h.party(value, &s.To, FaultTo)
		s.ToTag = Text(param(params, "tag"))
	default:
		h.takeOther(n, value)
	}
	return 0
}

// party reads From or To, and returns the URI and the parameters behind it. The tag names the
// dialog even if there is no address.
func (h *headers) party(value []byte, a *call.Address, fault Fault) (uri, params []byte) {
	uri, params, ok := scanAddress(value, a)
	if !ok {
		h.odd(fault)
		return nil, value
	}
	return uri, params
}

// takeOther notes an optional header. An unreadable one counts as missing.
func (h *headers) takeOther(n header, value []byte) {
	s := h.s
	switch n {
	case headerVia:
		if t := viaTransport(value); t != "" {
			s.Transport = t
		}
	case headerContact:
		h.takeContact(value)
	case headerAsserted:
		h.takeAsserted(value)
	case headerUserAgent:
		s.UserAgent = Text(value)
	case headerServer:
		h.server = value
	case headerReason:
		// There may be one for each protocol (RFC 3326, section 2).
		if s.Reason == "" || isQ850(value) && !isQ850(s.Reason) {
			s.Reason = Text(value)
		}
	case headerReferredBy:
		s.ReferredBy = Text(value)
	case headerReferTo:
		s.ReferTo = Text(value)
	case headerHistory:
		s.HistoryInfo = Text(value)
	case headerSessionID:
		if s.SessionID = sessionID(value); s.SessionID == "" {
			h.odd(FaultUnread)
		}
	case headerSessionExpires:
		if s.SessionExpires = number(value); s.SessionExpires == 0 {
			h.odd(FaultUnread)
		}
	case headerMediaPath:
		s.MediaPath = Text(value)
	default:
		h.takeRare(n, value)
	}
}

// takeRare notes a header that few messages have.
func (h *headers) takeRare(n header, value []byte) {
	s := h.s
	switch n {
	case headerPriority:
		s.Priority = Text(value)
	case headerIdentity:
		if s.Attestation != "" {
			return
		}
		if a, ok := identityOf(value); ok {
			s.Attestation = a.level
			s.OriginID = cmp.Or(s.OriginID, a.origin)
		}
	case headerAttestation:
		s.Attestation = cmp.Or(s.Attestation, levelOf(value))
	case headerOrigination:
		s.OriginID = cmp.Or(s.OriginID, originOf(value))
	case headerRequire:
		for option := range bytes.SplitSeq(value, []byte{','}) {
			s.SIPREC = s.SIPREC || equalFold(trim(option), "siprec") // RFC 7866, section 11.1.1
		}
	case headerContentType:
		s.SIPREC = s.SIPREC || bytes.Contains(value, []byte("rs-metadata")) // RFC 9806
	}
}

// takeContact notes the first address of a Contact, or none if it is "*", which stands for all
// (section 10.2.2). A parameter marks that of a recorder (RFC 7866, section 11.1.2).
func (h *headers) takeContact(value []byte) {
	s := h.s
	_, params, ok := scanAddress(value, &s.Contact)
	switch {
	case ok:
		s.SIPREC = s.SIPREC || bytes.Contains(params, []byte("+sip.src")) || bytes.Contains(params, []byte("+sip.srs"))
	case string(value) != "*":
		h.odd(FaultUnread)
	}
}

// takeAsserted notes a SIP URI, or a tel URI if there is no other: there may be one of each (RFC
// 3325, section 9.1).
func (h *headers) takeAsserted(value []byte) {
	for {
		var a call.Address
		uri, rest, ok := scanAddress(value, &a)
		if !ok {
			h.odd(FaultUnread)
			return
		}
		if have := &h.s.Asserted; *have == (call.Address{}) || have.Host == "" && a.Host != "" {
			*have = a
		}
		params, next, more := cutAddress(rest)
		if h.s.Verstat == "" {
			h.s.Verstat = verstat(uri, params)
		}
		if !more {
			return
		}
		value = next
	}
}

// isQ850 reports whether a Reason is that of the telephone network; Microsoft puts the call's id
// into these.
func isQ850[T []byte | string](reason T) bool {
	return len(reason) > 5 && strings.EqualFold(string(reason[:5]), "Q.850")
}

// finish ends the reading of headers.
func (h *headers) finish() Fault {
	s := h.s
	const known = 1<<headerCallID | 1<<headerCSeq
	missing := ^h.seen
	switch {
	case h.cut && missing&known != 0:
		return FaultCut
	case missing&(1<<headerCallID) != 0:
		return FaultCallID
	case missing&(1<<headerCSeq) != 0:
		return FaultCSeq
	case s.Method != "" && s.CSeqMethod != s.Method:
		return FaultCSeq
	}
	switch {
	case h.cut:
		h.unread = FaultCut
	case missing&(1<<headerFrom) != 0:
		h.odd(FaultFrom)
	case missing&(1<<headerTo) != 0:
		h.odd(FaultTo)
	}
	s.Verstat = cmp.Or(s.Verstat, h.verstat)
	// Many devices name themselves in User-Agent in responses too.
	if len(h.server) > 0 && (s.Code != 0 || s.UserAgent == "") {
		s.UserAgent = Text(h.server)
	}
	return 0
}

// scanCSeq reads a number and a method (section 8.1.1.5).
func scanCSeq(v []byte, s *call.Signal) Fault {
	var n uint64
	digits := 0
	for digits < len(v) && '0' <= v[digits] && v[digits] <= '9' {
		n = n*10 + uint64(v[digits]-'0')
		digits++
		if n >= 1<<31 {
			return FaultCSeq
		}
	}
	method := trim(v[digits:])
	if digits == 0 || len(method) == len(v)-digits || !isToken(method) {
		return FaultCSeq
	}
	s.CSeq, s.CSeqMethod = uint32(n), Text(method)
	return 0
}

// viaTransport returns the transport of a Via such as "SIP/2.0/TLS host" as
// [call.Signal] names it, or nothing.
func viaTransport(v []byte) string {
	for range 2 { // behind the name of the protocol, then behind its version
		i := bytes.IndexByte(v, '/')
		if i < 0 {
			return ""
		}
		v = v[i+1:]
	}
	switch v = firstWord(trim(v)); {
	case equalFold(v, "udp"):
		return "udp"
	case equalFold(v, "tcp"):
		return "tcp"
	case equalFold(v, "tls"):
		return "tls"
	case equalFold(v, "ws"), equalFold(v, "wss"):
		return "ws"
	}
	return ""
}

// sessionID returns the sender's half of a Session-ID (RFC 7989, section 5).
func sessionID(v []byte) string {
	const digits = 32
	id := v
	if i := bytes.IndexByte(v, ';'); i >= 0 {
		id = trim(v[:i])
	}
	if len(id) != digits {
		return ""
	}
	for _, c := range id {
		if call.HexDigit(c) > 15 {
			return ""
		}
	}
	return Text(id)
}

// number reads a number that parameters may follow. It returns 0 for other texts, and for numbers
// beyond any length or time here.
func number(v []byte) int {
	n := 0
	for i, c := range v {
		switch {
		case '0' <= c && c <= '9':
			if n = n*10 + int(c-'0'); n > 1e9 {
				return 0
			}
		case i > 0 && (c == ';' || isSpace(c)):
			return n
		default:
			return 0
		}
	}
	return n
}
