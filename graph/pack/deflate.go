package pack

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// This is the part of DEFLATE (RFC 1951) that packing records needs: one set of Huffman codes, always
// the same, that fits the JSON of calls, and a writer of literals and matches in them. pack.go finds
// the matches.

// The lengths of the codes in bits, in the order of RFC 1951, section 3.2.5: one hexadecimal digit
// for each byte, then the end of the block and the 29 lengths of a match; and one for each of the
// 30 distances. TestCodeLengths says from which text they come. Every byte has a code, so the codes
// can write any text; only the size of the result depends on the text.
const (
	literalLengths = "cccccccccccccccccccccccccccccccc8c9cccccccacc46c44444455558ccccc" +
		"cabab8bbbcbbbb99cca9a8c8ccccccccc555555987a97877bc7788aacaacc9cc" +
		"ccccccccccccccccccccccccccccccccccccbccccccccccccccccccccccccccc" +
		"ccc9cbccccccccccacccccccccccccccbccccccccccccccccccccccccccccccc" +
		"cccccc8cc88ab67b86bc88b9c9cbcc"
	distanceLengths = "888888888888888888283724355578"
)

const (
	endOfBlock = 256
	maxCode    = 12 // bits of a literal or length
	minMatch   = 4  // a shorter one takes as much as its bytes do
	maxMatch   = 258
	maxBack    = 32 << 10
)

// codes are the codes of a block. They never change.
type codes struct {
	literal  [256]code
	end      code
	length   [maxMatch + 1]code // with the extra bits of this length
	distance [30]code
	header   []byte    // the block's header, see blockHeader
	begun    bitWriter // state of the writer after header
}

// A code holds its bits from bit 5 on, and their number in the low five bits.
type code uint32

func (c code) bits() uint64 { return uint64(c) >> 5 }
func (c code) len() uint    { return uint(c) & 31 }

func newCodes() *codes {
	c := &codes{}
	literal, distance := canonical(literalLengths), canonical(distanceLengths)
	copy(c.literal[:], literal)
	c.end = literal[endOfBlock]
	for n := 3; n <= maxMatch; n++ {
		symbol, extra, width := lengthSymbol(n)
		s := literal[symbol]
		c.length[n] = code((s.bits()|extra<<s.len())<<5 | uint64(s.len()+width))
	}
	copy(c.distance[:], distance)
	c.header = make([]byte, 256)
	c.begun.blockHeader(c.header)
	return c
}

// canonical returns the codes with the given lengths (RFC 1951, section 3.2.2). Their highest bit
// comes first on the wire, so it is the lowest here.
func canonical(lengths string) []code {
	list := make([]code, len(lengths))
	next := uint64(0)
	for n := uint(1); n <= 15; n++ {
		for i := range lengths {
			if lengthOf(lengths[i]) == n {
				list[i] = code(bits.Reverse64(next)>>(64-n)<<5 | uint64(n))
				next++
			}
		}
		next <<= 1
	}
	return list
}

// lengthOf returns the length that a hexadecimal digit states.
func lengthOf(digit byte) uint { return uint(strings.IndexByte("0123456789abcdef", digit)) }

// lengthSymbol returns the symbol of a match's length, its extra bits and their number (RFC 1951,
// section 3.2.5).
func lengthSymbol(n int) (symbol int, extra uint64, width uint) {
	switch n -= 3; {
	case n < 8:
		return 257 + n, 0, 0
	case n == maxMatch-3:
		return 285, 0, 0
	}
	width = uint(bits.Len(uint(n))) - 3
	return 257 + int(width)<<2 + n>>width, uint64(n) & (1<<width - 1), width
}

// distanceSymbol returns the same for a distance.
func distanceSymbol(d int) (symbol int, extra uint64, width uint) {
	d--
	if d < 4 {
		return d, 0, 0
	}
	width = uint(bits.Len(uint(d))) - 2
	return int(width)<<1 + d>>width, uint64(d) & (1<<width - 1), width
}

// match returns the bits of a match of n bytes from the given distance back, and their number, 38
// at most.
func (c *codes) match(n, distance int) (v uint64, width uint) {
	symbol, extra, extraWidth := distanceSymbol(distance)
	l, d := c.length[n], c.distance[symbol]
	return l.bits() | (d.bits()|extra<<(d.len()&63))<<(l.len()&63), l.len() + d.len() + extraWidth
}

// A bitWriter writes bits, the lowest first. It is a value of its own, so that a loop can keep it
// in registers.
type bitWriter struct {
	acc uint64 // bits that flush has not written yet
	n   uint   // their number: less than 8 after flush
	at  int    // where flush writes them in out
}

// put adds up to 56 bits to those that flush has left.
func (w *bitWriter) put(v uint64, n uint) {
	w.acc |= v << (w.n & 63)
	w.n += n
}

// flush writes the whole bytes to out. It always overwrites eight bytes, so out needs room for them.
func (w *bitWriter) flush(out []byte) {
	binary.LittleEndian.PutUint64(out[w.at:], w.acc)
	w.at += int(w.n >> 3)
	w.acc >>= w.n & 56
	w.n &= 7
}

// literals writes p byte by byte to out, which has room for it.
func (w *bitWriter) literals(c *codes, out, p []byte) {
	acc, n, at := w.acc, w.n, w.at
	for ; len(p) >= 4; p = p[4:] {
		a, b, d, e := c.literal[p[0]], c.literal[p[1]], c.literal[p[2]], c.literal[p[3]]
		ab := a.bits() | b.bits()<<a.len()
		de := d.bits() | e.bits()<<d.len()
		abLen, deLen := a.len()+b.len(), d.len()+e.len()
		acc |= (ab | de<<(abLen&63)) << (n & 63)
		n += abLen + deLen
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n & 56
		n &= 7
	}
	for _, b := range p {
		e := c.literal[b]
		acc |= e.bits() << (n & 63)
		n += e.len()
	}
	binary.LittleEndian.PutUint64(out[at:], acc)
	w.acc, w.n, w.at = acc>>(n&56), n&7, at+int(n>>3)
}

// blockHeader begins the last block of a stream (RFC 1951, section 3.2.7). It writes the lengths of
// the codes without run lengths, four bits each.
func (w *bitWriter) blockHeader(out []byte) {
	field := func(v uint64, n uint) {
		w.put(v, n)
		w.flush(out)
	}
	field(1, 1) // the last one
	field(2, 2) // with codes of its own
	field(uint64(len(literalLengths)-257), 5)
	field(uint64(len(distanceLengths)-1), 5)
	field(19-4, 4)
	for _, s := range [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15} {
		if s < 16 {
			field(4, 3)
		} else {
			field(0, 3)
		}
	}
	for _, s := range []byte(literalLengths + distanceLengths) {
		field(bits.Reverse64(uint64(lengthOf(s)))>>60, 4)
	}
}
