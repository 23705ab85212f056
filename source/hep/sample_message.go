package hep

import (
	"bytes"
	"fmt"
	"regexp"
)

// What can be told for sure to be the first line of a SIP message.
var (
	startLine  = regexp.MustCompile(`^(?:[A-Z]{1,16} [^ \t]+ SIP/[0-9.]{1,8}|SIP/[0-9.]{1,8} [0-9]{3}(?: .*)?)$`)
	startsHere = regexp.MustCompile(`(?:(?:INVITE|ACK|BYE|CANCEL|OPTIONS|PRACK|UPDATE|INFO|REFER|NOTIFY|SUBSCRIBE|REGISTER|MESSAGE|PUBLISH) [^ \t\r\n]+ SIP/[0-9.]{1,8}|SIP/[0-9.]{1,8} [0-9]{3} [^\r\n]*)[\r\n]`)
	headerLine = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]{0,39})[ \t]*:(.*)$`)
)

// shownHeaders are the headers whose values are shown, by names in lower case:
// those that a message is refused for, and those that tell whose it is. Of all
// others there is only the name, so that none can be forgotten that holds a
// credential.
var shownHeaders = map[string]bool{
	"via": true, "v": true, "from": true, "f": true, "to": true, "t": true,
	"call-id": true, "i": true, "cseq": true, "contact": true, "m": true,
	"user-agent": true, "server": true, "max-forwards": true,
	"content-type": true, "c": true, "content-length": true, "l": true,
}

// What a value that is shown must not hold all the same: a sender whose line
// breaks or escapes are wrong may have anything in it.
var secretMark = regexp.MustCompile(`(?i)[\x00-\x08\x0a-\x1f\x7f\\?]|authori[sz]|authentic|identity|digest|bearer|basic |nonce|response=|passw|pwd|secret|token|key|inline|crypto|[vok]=|fingerprint|ice-`)

// plainColons are the colons of a value that no password follows, as it does in
// sip:user:password@host (RFC 3261, section 19.1.1): those behind a scheme, in
// front of a port, and of IPv6.
var plainColons = regexp.MustCompile(`(?i)(?:^|[\s<",])(?:sips?|tel):|\[[0-9a-f:.]{2,45}\]|:[0-9]{1,5}(?:[;>\s)]|$)`)

const (
	maxShownValue = 256 // bytes
	maxShownLines = 60
	hidden        = "…" // stands for what is not shown
)

// appendMessage shows the SIP message msg, which may be as broken as it likes:
// its first line if it is one, the names of its headers, and some values. What
// comes behind an empty line, or a line that is no header, may be SDP with the
// keys of the media (RFC 4568), and is not shown; nor are lines that go on.
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
		ended := len(line) < len(rest) // else it is not known what the rest of it is
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

// appendValue appends value up to where it may be secret.
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

// bareMessage returns the SIP message that a payload is, or has in its JSON, or
// nil if it is none.
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

// findMessage returns what is in b from the first line of a SIP message on, or
// nil: HEP of other versions has it behind a few bytes, and some send SIP as it
// is.
func findMessage(b []byte) []byte {
	at := startsHere.FindIndex(b)
	if at == nil {
		return nil
	}
	return b[at[0]:]
}

// cutText returns the first line of b and what follows it. A line ends with
// CRLF, LF or, which is wrong but not to be overlooked here, CR.
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
