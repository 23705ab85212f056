// Package pack packs a page of records in gzip (RFC 1952) while it is written,
// in a fraction of the time that a general compressor takes: it need not look for
// what repeats. It knows bytes and marks, and not what the records are.
//
// Records of one kind have the same properties in the same order, so the beginning
// of a property is looked up at the beginning of the same one in the last record of
// its kind: its name is always the same, its value often or in part. All else goes
// out byte by byte, in Huffman codes that fit the JSON of calls and never change
// (deflate.go).
//
// Every match is made by comparing bytes. The marks, which are where the properties
// begin, only say where to look, so that what comes out at the other end is right
// whatever they are: a wrong one costs bytes.
//
// A page is two blocks: its head, stored as it is, because it holds the number of
// the records and so is known last; and the records with what follows. Text, its
// checksum and what it is compared with stay in 32 KiB, about what
// fits into the processor's first cache, and the text of a page is never in memory as
// a whole.
//
// docs/decisions/0003 has the figures, and why this is no library.
package pack

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"sync"
)

// MaxHead is how many bytes the head of a page may have: what a stored block holds.
const MaxHead = 1<<16 - 1

const (
	gzipHeader  = 10
	storeHeader = 5 // of a block that is stored
	// keepText is how much text is kept to refer back to. Up to maxBack would
	// do; what fits into the processor's first cache is quick.
	keepText = 16 << 10
	// maxKept is how large the buffer of a page may be to be used again. A page of
	// 1,000 rows takes some 150 KB.
	maxKept = 2 << 20
)

// A Packer makes pages of records. Many may be made at once.
type Packer struct {
	kinds, marks int
	codes        *codes
	pages        sync.Pool // of *Page
}

// New returns a packer for records of so many kinds. Those of one kind are to have
// the same properties in common, and each record has so many marks, one at least.
func New(kinds, marks int) *Packer {
	return &Packer{kinds: kinds, marks: marks, codes: newCodes()}
}

// A Page is one page that is being packed: [Page.Add] for each record, then
// [Page.Finish], and [Page.Close] in any case.
type Page struct {
	p    *Packer
	out  []byte // all of it may be written to
	bits bitWriter
	gap  int // room in out for what comes before the records
	from int // of the text that is not packed yet
	// last are the marks of the last record of each kind. They begin before the
	// text if there is none.
	last []int
	kind int    // of the record before
	crc  uint32 // of the text from the first record on
	size int    // of that text
}

// Page begins a page whose head will have at most the given number of bytes, of
// which there may be [MaxHead].
func (p *Packer) Page(head int) *Page {
	z, ok := p.pages.Get().(*Page)
	if !ok {
		z = &Page{last: make([]int, p.kinds*p.marks)}
	}
	out, gap := z.out, gzipHeader+storeHeader+head
	if len(out) < gap+len(p.codes.header) {
		out = make([]byte, gap+256<<10)
	}
	*z = Page{p: p, out: out, gap: gap, bits: p.codes.begun, last: z.last}
	for k := range p.kinds {
		z.marksOf(k)[0] = -1
	}
	z.bits.at += gap
	copy(out[gap:], p.codes.header)
	return z
}

// Close gives the page back, and what [Page.Finish] has returned with it.
func (z *Page) Close() {
	if len(z.out) <= maxKept {
		z.p.pages.Put(z)
	}
}

// marksOf returns the marks of the last record of a kind.
func (z *Page) marksOf(kind int) []int {
	n := z.p.marks
	return z.last[kind*n : kind*n+n : kind*n+n]
}

// room makes out long enough for n more bytes of text: a code has at most 12
// bits, and a match is shorter than what it stands for.
func (z *Page) room(n int) {
	if n = z.bits.at + 2*n + 64; n > len(z.out) {
		z.out = append(z.out, make([]byte, n)...)
	}
}

// Add packs one record. It is the end of text, from where text ended when the last
// call returned it; at first, all of text. Kind is one of those that [New] was told
// of. Marks are where the properties of the record begin and the last one ends:
// places in text, rising, as many as [New] was told, of which those of a property
// that is missing are where the next one begins.
//
// Add returns the text that the next record, or the tail, is to be appended to. That
// is all of it while it has less than 32 KiB; when it is longer, it is its end.
func (z *Page) Add(text []byte, kind int, marks []int) []byte {
	z.sum(text)
	last := z.marksOf(kind)
	if last[0] < 0 {
		last = z.marksOf(z.kind)
	}
	if last[0] >= 0 {
		z.like(text, marks, last)
	}
	z.bits.literals(z.p.codes, z.out, text[z.from:])
	z.from, z.kind = len(text), kind
	copy(z.marksOf(kind), marks)
	if len(text) < 2*keepText {
		return text
	}
	gone := len(text) - keepText
	copy(text, text[gone:])
	for i := range z.last {
		z.last[i] -= gone
	}
	z.from -= gone
	return text[:keepText]
}

// like packs what is like in the record with the marks last.
func (z *Page) like(text []byte, marks, last []int) {
	from, w, c := z.from, z.bits, z.p.codes
	last = last[:len(marks)]
	for i, at := range marks {
		was := last[i]
		// What was before the text is, as a number without a sign, behind it.
		if at < from || uint(at) <= uint(was) || at-was > maxBack {
			continue
		}
		before := likeBackward(text[from:at], text[:was])
		n := before + likeForward(text[at:], text[was:])
		if n < minMatch {
			continue
		}
		w.literals(c, z.out, text[from:at-before])
		from = at - before + n
		for n > 0 {
			k := n
			if k > maxMatch {
				k = min(maxMatch, n-minMatch) // what is left can be a match then
			}
			w.put(c.match(k, at-was))
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
func (z *Page) sum(text []byte) {
	z.room(len(text) - z.from)
	z.crc = crc32.Update(z.crc, crc32.IEEETable, text[z.from:])
	z.size += len(text) - z.from
}

// Finish packs the tail, which is the end of text from where text ended when [Page.Add]
// returned it, and returns the whole page, head first. It is good until [Page.Close].
func (z *Page) Finish(head, text []byte) []byte {
	z.sum(text)
	z.bits.literals(z.p.codes, z.out, text[z.from:])
	w := &z.bits
	w.put(z.p.codes.end.bits(), z.p.codes.end.len())
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
