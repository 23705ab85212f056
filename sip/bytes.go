package sip

import (
	"encoding/binary"
	"math/bits"

	"github.com/trunklog/trunklog/call"
)

// The end of a part of a header is mostly a few bytes away. Looking at eight bytes at once, as one
// number, finds it faster than a loop over bytes, and than [bytes.IndexByte], whose call costs as
// much as the search. The search marks a matching byte by its highest bit.
const (
	eachByte = 0x0101010101010101 // times a byte: that byte, eight times
	highBits = 0x80 * eachByte
)

// eightBytes returns the first eight bytes of b, the first as the lowest.
func eightBytes(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// firstMark returns the number of the first marked byte.
func firstMark(marks uint64) int { return bits.TrailingZeros64(marks) / 8 }

// zeroBytes marks the first byte of x that is 0. It may also mark later ones wrongly: the
// subtraction borrows from them.
func zeroBytes(x uint64) uint64 { return (x - eachByte) &^ x & highBits }

// bytesBetween marks the bytes of x that are at least lo and at most hi, which are ASCII. Its sums
// cannot reach the next byte, since it adds to seven bits.
func bytesBetween(x uint64, lo, hi byte) uint64 {
	low := x &^ highBits
	return (low + uint64(0x80-lo)*eachByte) &^ (low + uint64(0x7f-hi)*eachByte) &^ x & highBits
}

// indexColon is [bytes.IndexByte] for the colon behind a header's name.
func indexColon(line []byte) int {
	i := 0
	for ; i <= len(line)-8; i += 8 {
		if found := zeroBytes(eightBytes(line[i:]) ^ ':'*eachByte); found != 0 {
			return i + firstMark(found)
		}
	}
	for ; i < len(line); i++ {
		if line[i] == ':' {
			return i
		}
	}
	return -1
}

// isASCII reports whether all of b is. It looks at 64 bytes at once.
func isASCII(b []byte) bool {
	for ; len(b) >= 64; b = b[64:] {
		p := (*[64]byte)(b)
		x := eightBytes(p[:8]) | eightBytes(p[8:16]) | eightBytes(p[16:24]) | eightBytes(p[24:32]) |
			eightBytes(p[32:40]) | eightBytes(p[40:48]) | eightBytes(p[48:56]) | eightBytes(p[56:])
		if x&highBits != 0 {
			return false
		}
	}
	for ; len(b) >= 8; b = b[8:] {
		if eightBytes(b)&highBits != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// equalFold reports whether b is, in any case, the given text in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if want := lower[i]; c != want && (c|0x20 != want || want < 'a') {
			return false
		}
	}
	return true
}

// EndOfString returns the place of the quote that ends a quoted text whose inside begins at i, or
// -1. A byte behind a backslash ends nothing.
func EndOfString(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// HexNumber reads n hexadecimal digits at the beginning of b.
func HexNumber(b []byte, n int) (r rune, ok bool) {
	if len(b) < n {
		return 0, false
	}
	for _, c := range b[:n] {
		d := call.HexDigit(c)
		if d > 15 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}
