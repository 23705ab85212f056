package pcap

import (
	"bytes"
	"iter"

	"github.com/trunklog/trunklog/sip"
)

const (
	maxLine    = 8 << 10  // bytes of a first line
	maxHeaders = 64 << 10 // bytes of a message without its body
	maxBody    = 1 << 20  // of a message; a larger Content-Length is taken for wrong
)

// A parser finds the SIP messages in a stream of bytes (RFC 3261, section 18.3). It yields their
// headers, because callers need no more, and skips their bodies.
type parser struct {
	held []byte // the beginning of a message, or of a line that may begin one
	seen int    // bytes of held without the end of the headers
	body int    // bytes of a body that are still to come
	lost bool   // the next bytes may be the middle of anything
}

// idle reports whether the parser is between messages.
func (p *parser) idle() bool { return len(p.held) == 0 && p.body == 0 }

// messages takes the next bytes of the stream. A message is valid until the next turn of the loop.
func (p *parser) messages(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			n := min(p.body, len(data))
			p.body -= n
			data = data[n:]
			b := data
			if len(p.held) > 0 {
				p.held = append(p.held, data...)
				b = p.held
			}
			msg, rest := p.next(b)
			if msg != nil {
				p.lost = false
				if n := contentLength(msg); n >= 0 {
					p.body = n
				} else {
					p.lost = true
				}
				if len(p.held) > 0 { // rest lies in it
					rest = bytes.Clone(rest)
				}
				if data = rest; !yield(msg) {
					return
				}
				p.held = p.held[:0]
				continue
			}
			p.held = append(p.held[:0], rest...)
			return
		}
	}
}

// next returns the first message in b, up to the end of its headers, and the bytes behind it; or
// nothing, and the rest of b that may begin one.
func (p *parser) next(b []byte) (msg, rest []byte) {
	from := p.seen
	p.seen = 0
	b, skipped := trimBreaks(b)
	from = max(0, from-skipped)
	for len(b) > 0 {
		switch begins(b) {
		case yes:
			if end := endOfHeaders(b, max(0, from-3)); end > 0 {
				return b[:end], b[end:]
			}
			if len(b) <= maxHeaders {
				p.seen = len(b)
				return nil, b
			}
		case perhaps:
			return nil, b
		}
		p.lost, from = true, 0
		if b = b[nextStart(b):]; len(b) > 0 && begins(b) == no {
			return nil, nil
		}
	}
	return nil, nil
}

// cut returns the incomplete message, and forgets it: the stream has a hole.
func (p *parser) cut() []byte {
	b := p.held
	*p = parser{lost: true}
	if begins(b) != yes {
		return nil
	}
	return b
}

// trimBreaks returns b without the line breaks in front, which keep connections alive (RFC 5626,
// section 3.5.1).
func trimBreaks(b []byte) (rest []byte, n int) {
	for n < len(b) && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	return b[n:], n
}

// An answer is whether bytes begin as a SIP message does.
type answer int

const (
	no answer = iota
	perhaps
	yes
)

// begins answers for b, which has no line break in front. A first line begins with a word of
// capitals, which is a method or the version.
func begins(b []byte) answer {
	const longestMethod = 32
	i := 0
	for i < len(b) && i < longestMethod && 'A' <= b[i] && b[i] <= 'Z' {
		i++
	}
	switch {
	case i == len(b):
		return perhaps
	case i == 0 || b[i] != ' ' && !isStatus(b):
		return no
	}
	end := bytes.IndexByte(b[:min(len(b), maxLine)], '\n')
	switch {
	case end < 0 && len(b) < maxLine:
		return perhaps
	case end >= 0 && sip.Starts(b[:end]):
		return yes
	}
	return no
}

// isStatus reports whether b is the beginning of a response, as far as it goes.
func isStatus(b []byte) bool {
	const version = "SIP/2.0 "
	n := min(len(b), len(version))
	return string(b[:n]) == version[:n] && (n == len(b) || '1' <= b[n] && b[n] <= '6')
}

// nextStart returns the next place behind b's first line where a message may begin, or b's length.
func nextStart(b []byte) int {
	for at := 0; ; {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return len(b)
		}
		at += n + 1
		if at == len(b) || begins(b[at:]) != no {
			return at
		}
	}
}

// endOfHeaders returns the place behind the empty line in b, or 0. The caller knows that there is
// none before from.
func endOfHeaders(b []byte, from int) int {
	for {
		n := bytes.IndexByte(b[from:], '\n')
		if n < 0 {
			return 0
		}
		from += n + 1
		rest := b[from:]
		switch {
		case len(rest) > 0 && rest[0] == '\n':
			return from + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return from + 2
		}
	}
}

// contentLength returns the length of the body that a message announces, or -1 if it announces
// none, or an impossible one.
func contentLength(msg []byte) int {
	for line := range bytes.Lines(msg) {
		name, value, ok := bytes.Cut(line, []byte{':'})
		name = bytes.TrimRight(name, " \t")
		if !ok || !bytes.EqualFold(name, []byte("Content-Length")) && !bytes.EqualFold(name, []byte("l")) {
			continue
		}
		n := 0
		value = bytes.TrimSpace(value)
		for _, c := range value {
			if c < '0' || c > '9' || n > maxBody {
				return -1
			}
			n = n*10 + int(c-'0')
		}
		if len(value) == 0 || n > maxBody {
			return -1
		}
		return n
	}
	return -1
}
