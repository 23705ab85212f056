package sip

import (
	"bytes"

	"github.com/trunklog/trunklog/call"
)

// Scan reads the SIP message msg (RFC 3261) into s, and clears the fields that the message lacks.
// It leaves At, Src, Dst, Agent, Correlation and Raw alone, which are not the message's. It sets
// Transport from the topmost Via, if that is one of those that a Signal knows.
//
// It is lenient where that does no harm: lines may end with LF alone, header names may be of any
// case or in their compact form, unknown headers may hold anything, and there may be no body, or
// another than Content-Length says. It requires what identifies a call: a first line, Call-ID and
// CSeq. Without one of these there is no message, err is a [Fault], and s is of no use.
//
// Any other unreadable part stays zero in s and harms nothing else: an address that is none, a
// header that must not come twice, a message that breaks off. unread is the first such fault, or 0.
// Scan ignores the header in which a message breaks off.
//
// The texts of s are UTF-8. They lie in msg, to which Scan writes: it makes spaces of the line
// breaks of folded headers, which changes no meaning (section 7.3.1). It allocates nothing, with
// these exceptions: it decodes escapes in a display name or a user, so that the same number is
// always the same text; it makes one space of wide white space in a display name; it reads bytes
// that are not UTF-8 as Windows-1252, as [UTF8] does; and it unpacks the PASSporT in Identity.
func Scan(msg []byte, s *call.Signal) (unread Fault, err error) {
	unread, fault := scan(msg, s)
	return unread, fault.err()
}

func scan(msg []byte, s *call.Signal) (unread, fault Fault) {
	clearMessage(s)
	from := SkipSpace(msg, 0) // line breaks may precede the message: section 7.5
	if from == len(msg) {
		return 0, FaultEmpty
	}
	line, i, ended := cutLine(msg, from)
	h := headers{s: s}
	if fault := h.firstLine(trim(line)); fault != 0 {
		return 0, fault
	}
	if !ended {
		return 0, FaultCut
	}
	for !atEnd(msg, i) {
		// cutLine would do the same, but its calls take 4 % of the time.
		end := bytes.IndexByte(msg[i:], '\n')
		if end < 0 {
			h.cut = true
			break
		}
		line, next := msg[i:i+end], i+end+1
		if goesOn(msg, next) {
			if line, next, ended = unfold(msg, i, next); !ended {
				h.cut = true
				break
			}
		}
		i = next
		if n, value := cutName(line); n != otherHeader {
			if fault := h.take(n, trim(value)); fault != 0 {
				return 0, fault
			}
		}
	}
	if fault := h.finish(); fault != 0 {
		return 0, fault
	}
	if !isASCII(msg[from:i]) {
		textsToUTF8(s)
		if len(s.CallID) > call.MaxText {
			return 0, FaultCallID
		}
	}
	return h.unread, 0
}

// clearMessage clears the fields that come from the message.
func clearMessage(s *call.Signal) {
	at, src, dst, transport, agent, correlation, raw := s.At, s.Src, s.Dst, s.Transport, s.Agent, s.Correlation, s.Raw
	*s = call.Signal{}
	s.At, s.Src, s.Dst, s.Transport, s.Agent, s.Correlation, s.Raw = at, src, dst, transport, agent, correlation, raw
}

// atEnd reports whether the headers end at i: with an empty line, or with the message.
func atEnd(msg []byte, i int) bool {
	return i >= len(msg) || msg[i] == '\n' || msg[i] == '\r' && (i+1 == len(msg) || msg[i+1] == '\n')
}

// Starts reports whether the first line of b, behind line breaks, is one of SIP.
func Starts(b []byte) bool {
	line, _, _ := cutLine(b, SkipSpace(b, 0))
	line = trim(line)
	return isSIPVersion(firstWord(line)) || isSIPVersion(lastWord(line))
}

// Next returns the bytes behind the first message in msg if they begin another message, and nil
// otherwise. Some agents send the result of one read from a connection as one message, although it
// may hold several (section 18.3). Only Content-Length tells where a message ends that is not the
// last.
func Next(msg []byte) []byte {
	_, i, ended := cutLine(msg, SkipSpace(msg, 0))
	length := -1
	for ended && !atEnd(msg, i) {
		var line []byte
		line, i, ended = cutLine(msg, i)
		if name, value, _ := bytes.Cut(line, []byte{':'}); length < 0 && isContentLength(trim(name)) {
			length = number(trim(value))
		}
	}
	if i < len(msg) && msg[i] == '\r' {
		i++
	}
	if i++; length < 0 || length >= len(msg)-i {
		return nil
	}
	if rest := msg[i+length:]; Starts(rest) {
		return rest[SkipSpace(rest, 0):]
	}
	return nil
}

func isContentLength(name []byte) bool {
	return len(name) == 1 && name[0]|0x20 == 'l' || len(name) > 1 && name[0]|0x20 == 'c' && equalFold(name, "content-length")
}

// cutLine returns the line that begins at i, the place behind it, and whether the line had an end.
func cutLine(msg []byte, i int) (line []byte, next int, ended bool) {
	n := bytes.IndexByte(msg[i:], '\n')
	if n < 0 {
		return msg[i:], len(msg), false
	}
	return msg[i : i+n], i + n + 1, true
}

// goesOn reports whether the line that begins at next continues the header in front of it, because
// it begins with white space.
func goesOn(msg []byte, next int) bool {
	return next < len(msg) && (msg[next] == ' ' || msg[next] == '\t')
}

// unfold is cutLine for a header that begins at i and goes on at next. It joins its lines into one.
func unfold(msg []byte, i, next int) (line []byte, _ int, ended bool) {
	for ended = true; ended && goesOn(msg, next); {
		msg[next-1] = ' '
		if next-2 >= i && msg[next-2] == '\r' {
			msg[next-2] = ' '
		}
		_, next, ended = cutLine(msg, next)
	}
	return msg[i:next], next, ended
}

// firstLine reads the request or status line (sections 7.1 and 7.2).
func (h *headers) firstLine(line []byte) Fault {
	if first := firstWord(line); isSIP(first) {
		if !isSIPVersion(first) {
			return FaultVersion
		}
		return scanStatus(trim(line[len(first):]), h.s)
	}
	method := firstWord(line)
	version := lastWord(line)
	switch {
	case !isSIP(version) || len(method)+len(version) >= len(line) || !isToken(method):
		return FaultFirstLine
	case !isSIPVersion(version):
		return FaultVersion
	}
	// Scan accepts a space within the URI, and brackets around it.
	uri := trim(line[len(method) : len(line)-len(version)])
	if !scanURI(uri, &h.s.URI) {
		h.s.URI = call.Address{}
		if _, _, ok := scanAddress(uri, &h.s.URI); !ok {
			h.odd(FaultUnread)
		}
	}
	h.s.Method = Text(method)
	return 0
}

// scanStatus reads the rest of a response's first line.
func scanStatus(b []byte, s *call.Signal) Fault {
	if len(b) < 3 || len(b) > 3 && b[3] != ' ' && b[3] != '\t' {
		return FaultFirstLine
	}
	for _, c := range b[:3] {
		if c < '0' || c > '9' {
			return FaultFirstLine
		}
		s.Code = s.Code*10 + int(c-'0')
	}
	if s.Code < 100 || s.Code > 699 {
		return FaultFirstLine
	}
	s.Phrase = Text(trim(b[3:]))
	return 0
}

// isSIP reports whether a word of the first line is a version of SIP.
func isSIP(word []byte) bool {
	return len(word) > 4 && (word[0]|0x20) == 's' && (word[1]|0x20) == 'i' && (word[2]|0x20) == 'p' && word[3] == '/'
}

// isSIPVersion reports whether a word is SIP version 2.0.
func isSIPVersion(word []byte) bool { return isSIP(word) && string(word[4:]) == "2.0" }

func firstWord(line []byte) []byte {
	for i, c := range line {
		if c == ' ' || c == '\t' {
			return line[:i]
		}
	}
	return line
}

func lastWord(line []byte) []byte {
	for i := len(line); i > 0; i-- {
		if c := line[i-1]; c == ' ' || c == '\t' {
			return line[i:]
		}
	}
	return line
}

// isToken reports whether b is a token (section 25.1), such as a method is.
func isToken(b []byte) bool {
	for _, c := range b {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '!', c == '%', c == '*', c == '_', c == '+', c == '`', c == '\'', c == '~':
		default:
			return false
		}
	}
	return len(b) > 0
}

// SkipSpace returns the place of the first byte at or behind i that is neither
// a space, a tab nor a line break.
func SkipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

// trim removes white space at both ends of b.
func trim(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c <= ' ' && (c == ' ' || c == '\r' || c == '\n' || c == '\t') }
