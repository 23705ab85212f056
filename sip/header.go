package sip

import (
	"bytes"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// A header is one of those that we know by name.
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
	// credentials are those that [Strip] leaves out.
	credentials
)

// headers takes the headers of one message.
type headers struct {
	s      *call.Signal
	seen   uint32 // a set of headers
	server []byte // the Server header
}

// take notes a header. Of several the first one counts, but of those that may
// come once for each kind of URI or protocol the one that we need; those that a
// call is known by must not come twice.
func (h *headers) take(n header, value []byte) Fault {
	if h.seen&(1<<n) != 0 {
		switch {
		case n <= headerTo:
			return FaultTwice
		case n != headerAsserted && n != headerReason:
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
		params, ok := scanAddress(value, &s.From, false)
		if !ok {
			return FaultFrom
		}
		s.FromTag = Text(param(params, "tag"))
	case headerTo:
		params, ok := scanAddress(value, &s.To, false)
		if !ok {
			return FaultTo
		}
		s.ToTag = Text(param(params, "tag"))
	default:
		h.takeOther(n, value)
	}
	return 0
}

// takeOther notes a header that a message may lack, and that it lacks for us if
// we cannot read it.
func (h *headers) takeOther(n header, value []byte) {
	s := h.s
	switch n {
	case headerVia:
		if t := viaTransport(value); t != "" {
			s.Transport = t
		}
	case headerContact:
		if _, ok := scanAddress(value, &s.Contact, true); !ok {
			s.Contact = call.Address{}
		}
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
		s.SessionID = sessionID(value)
	case headerSessionExpires:
		s.SessionExpires = seconds(value)
	case headerMediaPath:
		s.MediaPath = Text(value)
	}
}

// takeAsserted notes a SIP URI, or a tel URI if there is no other: there may be
// one of each (RFC 3325, section 9.1).
func (h *headers) takeAsserted(value []byte) {
	for {
		var a call.Address
		rest, ok := scanAddress(value, &a, true)
		if !ok {
			return
		}
		if have := &h.s.Asserted; *have == (call.Address{}) || have.Host == "" && a.Host != "" {
			*have = a
		}
		comma := bytes.IndexByte(rest, ',')
		if comma < 0 {
			return
		}
		value = trim(rest[comma+1:])
	}
}

// isQ850 reports whether a Reason is that of the telephone network, in which
// Microsoft's have the call's id.
func isQ850[T []byte | string](reason T) bool {
	return len(reason) > 5 && strings.EqualFold(string(reason[:5]), "Q.850")
}

// finish is called behind the last header.
func (h *headers) finish() Fault {
	s := h.s
	switch missing := ^h.seen; {
	case missing&(1<<headerCallID) != 0:
		return FaultCallID
	case missing&(1<<headerCSeq) != 0:
		return FaultCSeq
	case missing&(1<<headerFrom) != 0:
		return FaultFrom
	case missing&(1<<headerTo) != 0:
		return FaultTo
	case s.Method != "" && s.CSeqMethod != s.Method:
		return FaultCSeq
	}
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
		if hexDigit(c) > 15 {
			return ""
		}
	}
	return Text(id)
}

// seconds reads a number that parameters may follow. What is no number, or not
// one of seconds that anyone could wait, is 0.
func seconds(v []byte) int {
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
