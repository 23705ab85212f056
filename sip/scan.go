package sip

import (
	"bytes"

	"github.com/trunklog/trunklog/call"
)

// Scan reads into s what the SIP message msg (RFC 3261) says, and clears what
// it does not say. At, Src, Dst, Agent, Correlation and Raw are not the message's
// and are left alone. Transport is that of the topmost Via, if it is one of those that
// a Signal knows, and is left alone otherwise.
//
// It is generous in what is of no consequence: lines may end with LF alone,
// header names may be of any case or in their compact form, unknown headers may
// hold anything, and there may be no body, or another than Content-Length says.
// It insists on what a call is known by: a first line, and Call-ID, CSeq, From
// and To, once each. Any error is a [Fault]; s is of no use then. What could not
// be read of a message that is one all the same is unread, or 0.
//
// The texts of s lie in msg. Scan writes to msg: the line breaks of folded
// headers become spaces, which changes nothing of what it says (section 7.3.1).
// It allocates nothing, unless a display name or a user holds escapes: these are
// undone, so that the same number is always the same text.
func Scan(msg []byte, s *call.Signal) (unread Fault, err error) { return 0, scan(msg, s).err() }

func scan(msg []byte, s *call.Signal) Fault {
	clearMessage(s)
	i := SkipSpace(msg, 0) // line breaks may precede it: section 7.5
	if i == len(msg) {
		return FaultEmpty
	}
	line, i, ended := cutLine(msg, i)
	if fault := scanFirstLine(trim(line), s); fault != 0 {
		return fault
	}
	if !ended {
		return FaultCut
	}
	h := headers{s: s}
	for !atEnd(msg, i) {
		// cutLine would do the same, but its calls take 4 % of the time.
		end := bytes.IndexByte(msg[i:], '\n')
		if end < 0 {
			return FaultCut
		}
		line, next := msg[i:i+end], i+end+1
		if goesOn(msg, next) {
			if line, next, ended = unfold(msg, i, next); !ended {
				return FaultCut
			}
		}
		i = next
		if n, value := cutName(line); n != otherHeader {
			if fault := h.take(n, trim(value)); fault != 0 {
				return fault
			}
		}
	}
	return h.finish()
}

// clearMessage clears what is the message's.
func clearMessage(s *call.Signal) {
	packet := call.Signal{At: s.At, Src: s.Src, Dst: s.Dst, Transport: s.Transport, Agent: s.Agent, Correlation: s.Correlation, Raw: s.Raw}
	*s = packet
}

// atEnd reports whether the headers end at i: with an empty line, or with the
// message.
func atEnd(msg []byte, i int) bool {
	return i >= len(msg) || msg[i] == '\n' || msg[i] == '\r' && (i+1 == len(msg) || msg[i+1] == '\n')
}

// Starts reports whether the first line of b, behind line breaks, is one of SIP.
func Starts(b []byte) bool {
	line, _, _ := cutLine(b, SkipSpace(b, 0))
	line = trim(line)
	return isSIPVersion(firstWord(line)) || isSIPVersion(lastWord(line))
}

// cutLine returns the line that begins at i, what begins behind it, and whether
// it was ended at all.
func cutLine(msg []byte, i int) (line []byte, next int, ended bool) {
	n := bytes.IndexByte(msg[i:], '\n')
	if n < 0 {
		return msg[i:], len(msg), false
	}
	return msg[i : i+n], i + n + 1, true
}

// goesOn reports whether the line that begins at next is part of the header in
// front of it, as one that begins with white space is.
func goesOn(msg []byte, next int) bool {
	return next < len(msg) && (msg[next] == ' ' || msg[next] == '\t')
}

// unfold is cutLine for a header that begins at i and goes on at next. It makes
// one line of its lines.
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

// scanFirstLine reads the line that says what kind of message it is (sections
// 7.1 and 7.2).
func scanFirstLine(line []byte, s *call.Signal) Fault {
	if first := firstWord(line); isSIP(first) {
		if !isSIPVersion(first) {
			return FaultVersion
		}
		return scanStatus(trim(line[len(first):]), s)
	}
	method := firstWord(line)
	version := lastWord(line)
	switch {
	case !isSIP(version) || len(method)+len(version) >= len(line) || !isToken(method):
		return FaultFirstLine
	case !isSIPVersion(version):
		return FaultVersion
	}
	// A space within the URI is none of ours to forbid.
	uri := trim(line[len(method) : len(line)-len(version)])
	if !scanURI(uri, &s.URI) {
		return FaultFirstLine
	}
	s.Method = Text(method)
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

// isSIPVersion reports whether a word is the version that we know.
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

// trim takes white space off both ends of b.
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
