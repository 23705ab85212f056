package hep

import (
	"bytes"
	"unicode/utf8"

	"github.com/trunklog/trunklog/sip"
)

// fromJSON returns the first text in b, which is JSON, that is a SIP message.
// OpenSIPS wraps what it traces in an object unless its homer5_on is set, and
// what the member with the message is called depends on what was traced; so
// names do not matter here, nor how deep the text lies. Each byte is looked at
// once, and nothing is kept of the structure: b may be as broken as it likes.
func (u *unwrapper) fromJSON(b []byte) ([]byte, Cause) {
	for i := 0; ; {
		from := bytes.IndexByte(b[i:], '"')
		if from < 0 {
			return nil, JSON
		}
		from += i + 1
		to := sip.EndOfString(b, from)
		if to < 0 {
			return nil, JSON
		}
		i = to + 1
		if k := sip.SkipSpace(b, i); k < len(b) && b[k] == ':' {
			continue // a member's name
		}
		before := len(u.memory)
		u.memory = appendUnescaped(u.memory, b[from:to])
		if msg := u.memory[before:len(u.memory):len(u.memory)]; sip.Starts(msg) {
			return msg, 0
		}
		u.memory = u.memory[:before]
	}
}

// appendUnescaped appends what the JSON text b stands for. What is no escape is
// left as it stands.
func appendUnescaped(dst, b []byte) []byte {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\\')
		if i < 0 || i+1 >= len(b) {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		c := b[i+1]
		b = b[i+2:]
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, n := unicodeEscape(b)
			dst = utf8.AppendRune(dst, r)
			b = b[n:]
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// unicodeEscape returns the character whose digits follow \u in b, and how many
// bytes of b it takes: two of them may stand for one character.
func unicodeEscape(b []byte) (r rune, n int) {
	const digits = 4
	r, ok := sip.HexNumber(b, digits)
	if !ok {
		return utf8.RuneError, 0
	}
	const surrogates, low, end = 0xd800, 0xdc00, 0xe000
	if r < surrogates || r >= end {
		return r, digits
	}
	const pair = digits + 2 + digits // such as d83d\ude00
	if r < low && len(b) >= pair && b[digits] == '\\' && b[digits+1] == 'u' {
		if second, ok := sip.HexNumber(b[digits+2:], digits); ok && second >= low && second < end {
			return 0x10000 + (r-surrogates)<<10 + (second - low), pair
		}
	}
	return utf8.RuneError, digits
}
