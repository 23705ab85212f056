package hep

import (
	"bytes"
	"unicode/utf8"

	"github.com/trunklog/trunklog/sip"
)

// fromJSON returns the first string of the JSON text b that is a SIP message. OpenSIPS wraps what
// it traces in an object unless its homer5_on is set, and the name of the member with the message
// depends on what it traced; so fromJSON ignores names and the depth of the string. It looks at
// each byte once and keeps nothing of the structure, so b need not be valid JSON.
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
			continue // the name of a member
		}
		before := len(u.memory)
		u.memory = appendUnescaped(u.memory, b[from:to])
		if msg := u.memory[before:len(u.memory):len(u.memory)]; sip.Starts(msg) {
			return msg, 0
		}
		u.memory = u.memory[:before]
	}
}

// appendUnescaped appends the text that the JSON string b stands for. It copies what is no escape
// as it is.
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

// unicodeEscape returns the character whose digits follow \u in b, and the number of bytes of b
// that it takes: a surrogate pair stands for one character.
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
