package graph

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// A packer packs a page in gzip (RFC 1952) while it is written, in a fraction
// of the time that a general compressor takes: it need not look for what
// repeats. A row has the same properties in the same order as the last one of
// its kind, so that the beginning of a property is looked up at the beginning
// of the same one there: its name is always the same, its value often or in
// part. All else goes out byte by byte.
//
// Every match is made by comparing bytes. Where the properties begin only says
// where to look, so that what comes out at the other end is right whatever they
// are.
//
// The page is two blocks: what stands before the rows, stored as it is because
// it holds their number, and the rows and what follows.
type packer struct {
	codes *codes
	out   []byte // all of it may be written to
	bits  bitWriter
	gap   int // room in out for what comes before the rows
	from  int // of the text that is not packed yet
	// last are the marks of the last row of each kind. They begin before the
	// text if there is none.
	last [rowKinds][marks]int
	kind int    // of the row before
	crc  uint32 // of the text from the first row on
	size int    // of that text
}

const (
	gzipHeader  = 10
	storeHeader = 5 // of a block that is stored
	maxStored   = 1<<16 - 1
	// keepText is how much text is kept to refer back to. Up to maxBack would
	// do; what fits into the processor's first cache is quick.
	keepText = 16 << 10
)

// rowKinds is how many kinds of rows there are.
const rowKinds = 8

// kindOf returns the kind of a row. Rows of one kind have the same properties
// in common: failed calls a time of failure and a phrase, bots no user.
func kindOf(r *call.Row) int {
	k := 0
	if r.Successful {
		k |= 1
	}
	if r.UserPrincipalName == "" {
		k |= 2
	}
	if strings.HasPrefix(r.CallType, "ByotIn") {
		k |= 4
	}
	return k
}

// reset begins a page whose head has at most the given number of bytes.
func (z *packer) reset(c *codes, head int) {
	out, gap := z.out, gzipHeader+storeHeader+head
	if len(out) < gap+len(c.header) {
		out = make([]byte, gap+256<<10)
	}
	*z = packer{codes: c, out: out, gap: gap, bits: c.begun}
	for k := range z.last {
		z.last[k][0] = -1
	}
	z.bits.at += gap
	copy(out[gap:], c.header)
}

// room makes out long enough for n more bytes of text: a code has at most 12
// bits, and a match is shorter than what it stands for.
func (z *packer) room(n int) {
	if n = z.bits.at + 2*n + 64; n > len(z.out) {
		z.out = append(z.out, make([]byte, n)...)
	}
}

// row packs text from where the last call ended, which is one row of the given
// kind with these marks. It returns the text that the next row is to be
// appended to: the same, or its end when it has become long.
func (z *packer) row(text []byte, kind int, m *[marks]int) []byte {
	z.sum(text)
	last := &z.last[kind]
	if last[0] < 0 {
		last = &z.last[z.kind]
	}
	if last[0] >= 0 {
		z.like(text, m, last)
	}
	z.bits.literals(z.codes, z.out, text[z.from:])
	z.from, z.kind, z.last[kind] = len(text), kind, *m
	if len(text) < 2*keepText {
		return text
	}
	gone := len(text) - keepText
	copy(text, text[gone:])
	for k := range z.last {
		for i := range z.last[k] {
			z.last[k][i] -= gone
		}
	}
	z.from -= gone
	return text[:keepText]
}

// like packs what is like in the row with the marks last.
func (z *packer) like(text []byte, m, last *[marks]int) {
	from, w := z.from, z.bits
	for i, at := range m {
		was := last[i]
		if at < from || at <= was || at-was > maxBack {
			continue
		}
		before := likeBackward(text[from:at], text[:was])
		n := before + likeForward(text[at:], text[was:])
		if n < minMatch {
			continue
		}
		w.literals(z.codes, z.out, text[from:at-before])
		from = at - before + n
		for n > 0 {
			k := n
			if k > maxMatch {
				k = min(maxMatch, n-minMatch) // what is left can be a match then
			}
			w.put(z.codes.match(k, at-was))
			w.flush(z.out)
			n -= k
		}
	}
	z.from, z.bits = from, w
}

// likeForward returns how many bytes a and b have in common at their beginning.
// It may be called with slices that overlap.
func likeForward(a, b []byte) int {
	n := 0
	b = b[:len(a)]
	for ; n+8 <= len(a); n += 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
	}
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}

// likeBackward returns how many bytes a and b have in common at their end.
func likeBackward(a, b []byte) int {
	most := min(len(a), len(b))
	a, b = a[len(a)-most:], b[len(b)-most:]
	n := most
	for ; n >= 8; n -= 8 {
		if x := binary.LittleEndian.Uint64(a[n-8:]) ^ binary.LittleEndian.Uint64(b[n-8:]); x != 0 {
			return most - n + bits.LeadingZeros64(x)>>3
		}
	}
	for n > 0 && a[n-1] == b[n-1] {
		n--
	}
	return most - n
}

// sum adds text to the checksum from where the last call ended, and makes room
// for it.
func (z *packer) sum(text []byte) {
	z.room(len(text) - z.from)
	z.crc = crc32.Update(z.crc, crc32.IEEETable, text[z.from:])
	z.size += len(text) - z.from
}

// finish packs the rest of text, and returns the whole page with what stands
// before the rows. It is good until the next reset.
func (z *packer) finish(head, text []byte) []byte {
	z.sum(text)
	z.bits.literals(z.codes, z.out, text[z.from:])
	w := &z.bits
	w.put(z.codes.end.bits(), z.codes.end.len())
	w.put(0, -w.n&7)
	w.flush(z.out)
	le := binary.LittleEndian
	le.PutUint32(z.out[w.at:], crcJoin(crc32.ChecksumIEEE(head), z.crc, z.size))
	le.PutUint32(z.out[w.at+4:], uint32(len(head)+z.size))
	out := z.out[z.gap-len(head)-storeHeader-gzipHeader : w.at+8]
	copy(out, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff\x00") // deflate, no time, fastest, no system; a stored block, not the last
	le.PutUint16(out[gzipHeader+1:], uint16(len(head)))
	le.PutUint16(out[gzipHeader+3:], ^uint16(len(head)))
	copy(out[gzipHeader+storeHeader:], head)
	return out
}

// crcJoin returns the checksum of a text whose two parts have the checksums a
// and b, the second with n bytes: a times x to the 8n, modulo the polynomial.
func crcJoin(a, b uint32, n int) uint32 {
	square := uint32(1) << 23 // x⁸, the highest power in the lowest bit
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			a = crcTimes(a, square)
		}
		square = crcTimes(square, square)
	}
	return a ^ b
}

// crcTimes multiplies two polynomials.
func crcTimes(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a>>31 != 0 {
			product ^= b
		}
		b = b>>1 ^ crc32.IEEE*(b&1)
	}
	return product
}
