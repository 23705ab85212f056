package hep

import (
	"bytes"
	"fmt"
	"regexp"
)

// The forms that are surely the first line of a SIP message.
var (
	startLine  = regexp.MustCompile(`^(?:[A-Z]{1,16} [^ \t]+ SIP/[0-9.]{1,8}|SIP/[0-9.]{1,8} [0-9]{3}(?: .*)?)$`)
	startsHere = regexp.MustCompile(`(?:(?:INVITE|ACK|BYE|CANCEL|OPTIONS|PRACK|UPDATE|INFO|REFER|NOTIFY|SUBSCRIBE|REGISTER|MESSAGE|PUBLISH) [^ \t\r\n]+ SIP/[0-9.]{1,8}|SIP/[0-9.]{1,8} [0-9]{3} [^\r\n]*)[\r\n]`)
	headerLine = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]{0,39})[ \t]*:(.*)$`)
)

// shownHeaders are the headers whose values a sample shows, by names in lower case: those for which
// a message is refused, and those that identify its call and its sender. Of all others it shows the
// name alone, so that a header with a credential is hidden even if this list's author never heard
// of it.
var shownHeaders = map[string]bool{
	"via": true, "v": true, "from": true, "f": true, "to": true, "t": true,
	"call-id": true, "i": true, "cseq": true, "contact": true, "m": true,
	"user-agent": true, "server": true, "max-forwards": true,
	"content-type": true, "c": true, "content-length": true, "l": true,
}

// secretMark is where a shown header's value may become secret: a sender with wrong line breaks or
// escapes may have anything in it.
var secretMark = regexp.MustCompile(`(?i)[\x00-\x08\x0a-\x1f\x7f\\?]|authori[sz]|authentic|identity|digest|bearer|basic |nonce|response=|passw|pwd|secret|token|key|inline|crypto|[vok]=|fingerprint|ice-`)

// plainColons are the colons of a value that no password follows, as one does in
// sip:user:password@host (RFC 3261, section 19.1.1): those behind a scheme, in front of a port, and
// of IPv6.
var plainColons = regexp.MustCompile(`(?i)(?:^|[\s<",])(?:sips?|tel):|\[[0-9a-f:.]{2,45}\]|:[0-9]{1,5}(?:[;>\s)]|$)`)

const (
	maxShownValue = 256 // bytes
	maxShownLines = 60
	hidden        = "…" // replaces what a sample does not show
)

// appendMessage shows the SIP message msg, however broken: its first line if it is one, the names
// of its headers, and some values. It hides continuation lines, and all that follows an empty line
// or a line that is no header, because that may be SDP with media keys (RFC 4568).
func appendMessage(out, msg []byte) []byte {
	msg = bytes.TrimLeft(msg, " \t\r\n")
	line, rest := cutText(msg)
	if startLine.Match(line) {
		out = append(appendValue(out, line), '\n')
	} else {
		out = fmt.Appendf(out, "%s (%d bytes that are no first line of SIP)\n", hidden, len(line))
	}
	for range maxShownLines {
		var next []byte
		line, next = cutText(rest)
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') && len(bytes.TrimSpace(line)) > 0 {
			out = append(append(out[:len(out)-1], " "+hidden...), '\n')
			rest = next
			continue
		}
		m := headerLine.FindSubmatch(line)
		if m == nil {
			break
		}
		out = append(append(out, m[1]...), ": "...)
		ended := len(line) < len(rest) // a header at the end of msg may be cut
		if ended && shownHeaders[string(bytes.ToLower(m[1]))] {
			out = appendValue(out, bytes.TrimSpace(m[2]))
		} else {
			out = append(out, hidden...)
		}
		out = append(out, '\n')
		rest = next
	}
	if rest = bytes.TrimLeft(rest, "\r\n"); len(rest) > 0 {
		out = fmt.Appendf(out, "%s (%d bytes)\n", hidden, len(rest))
	}
	return out
}

// appendValue appends value up to where it may become secret.
func appendValue(out, value []byte) []byte {
	shown := value
	if at := secretMark.FindIndex(shown); at != nil {
		shown = shown[:at[0]]
	}
	masked := plainColons.ReplaceAllFunc(shown, func(b []byte) []byte { return bytes.Repeat([]byte{' '}, len(b)) })
	if i := bytes.IndexByte(masked, ':'); i >= 0 {
		shown = shown[:i+1]
	}
	shown = shown[:min(len(shown), maxShownValue)]
	out = append(out, shown...)
	if len(shown) < len(value) {
		out = append(out, hidden...)
	}
	return out
}

// bareMessage returns the SIP message that is the payload or lies in its JSON, or nil if there is
// none.
func bareMessage(payload []byte) []byte {
	payload = bytes.TrimLeft(payload, " \t\r\n")
	if bytes.HasPrefix(payload, []byte{'{'}) {
		var u unwrapper
		payload, _ = u.fromJSON(payload)
	}
	if line, _ := cutText(payload); !startLine.Match(line) {
		return nil
	}
	return payload
}

// findMessage returns b from the first line of a SIP message on, or nil. HEP of other versions has
// the message behind a few bytes, and some senders send bare SIP.
func findMessage(b []byte) []byte {
	at := startsHere.FindIndex(b)
	if at == nil {
		return nil
	}
	return b[at[0]:]
}

// cutText returns the first line of b and what follows it. A line ends with CRLF, LF or, against
// the standard, CR alone.
func cutText(b []byte) (line, rest []byte) {
	i := bytes.IndexAny(b, "\r\n")
	if i < 0 {
		return b, nil
	}
	rest = b[i+1:]
	if b[i] == '\r' && len(rest) > 0 && rest[0] == '\n' {
		rest = rest[1:]
	}
	return b[:i], rest
}
