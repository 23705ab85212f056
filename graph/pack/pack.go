// Package pack packs a page of records in gzip (RFC 1952) while its caller writes it, in a fraction
// of the time of a general compressor, because it need not search for what repeats. It knows bytes
// and marks, and not what the records are.
//
// Records of one kind have the same properties in the same order. So the packer compares the
// beginning of each property with the beginning of the same property in the last record of its
// kind: the name is always the same, and often all or part of the value. It writes all else byte by
// byte, in Huffman codes that fit the JSON of calls and never change (deflate.go).
//
// The packer makes every match by comparing bytes. The marks, which are where the properties begin,
// only tell it where to look, so a wrong mark costs bytes, and the client still reads the right
// text.
//
// A page is two blocks: its head, stored as it is, because it holds the number of the records,
// which the caller knows last; and the records with what follows. The text, its checksum and the
// text to compare with stay in 32 KiB, which about fits into the processor's first cache, and the
// text of a page is never in memory as a whole.
//
// docs/decisions/0003 has the figures, and why this is no library.
package pack

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"sync"
)

// MaxHead is the most bytes that the head of a page may have: a stored block holds no more.
const MaxHead = 1<<16 - 1

const (
	gzipHeader  = 10
	storeHeader = 5 // of a stored block
	// keepText is how many bytes of text Add keeps to refer back to. DEFLATE allows maxBack, but
	// less fits into the processor's first cache.
	keepText = 16 << 10
	// maxKept is the size up to which a page's buffer is used again. A page of 1,000 rows takes
	// some 150 KB.
	maxKept = 2 << 20
)

// A Packer makes pages of records. Many goroutines may make pages at once.
type Packer struct {
	kinds, marks int
	codes        *codes
	pages        sync.Pool // of *Page
}

// New returns a packer for the given number of kinds of records. Records of one kind should have
// the same properties in common. Every record has the given number of marks, one at least.
func New(kinds, marks int) *Packer {
	return &Packer{kinds: kinds, marks: marks, codes: newCodes()}
}

// A Page is one page in progress: the caller calls [Page.Add] for each record, then [Page.Finish],
// and [Page.Close] in any case.
type Page struct {
	p    *Packer
	out  []byte // its whole length is space to write to
	bits bitWriter
	gap  int // space in out before the records, for headers and head
	from int // start of the text that is not packed yet
	// last are the marks of the last record of each kind. The first one is negative if the text does
	// not hold such a record.
	last []int
	kind int    // of the last record
	crc  uint32 // checksum of the text from the first record on
	size int    // length of that text
}

// Page begins a page whose head will have at most head bytes, and no more than [MaxHead].
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

// Close gives the page's buffer back. The result of [Page.Finish] is then no longer valid.
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

// room makes out long enough for n more bytes of text. Two bytes for each suffice: a code has at
// most 12 bits, and a match is shorter than the bytes that it stands for.
func (z *Page) room(n int) {
	if n = z.bits.at + 2*n + 64; n > len(z.out) {
		z.out = append(z.out, make([]byte, n)...)
	}
}

// Add packs one record. The record is the end of text, after the text that the last call returned;
// at first it is all of text. kind is less than the number of kinds given to [New]. marks are the
// places in text where the properties of the record begin and where the last one ends, in rising
// order, as many as given to [New]. A missing property begins where the next one does.
//
// Add returns the text to which the caller appends the next record, or the tail. That is all of the
// text while it has less than 32 KiB, and later only its end.
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

// like packs the matches of the record with the one whose marks are last, and the bytes between
// them.
func (z *Page) like(text []byte, marks, last []int) {
	from, w, c := z.from, z.bits, z.p.codes
	last = last[:len(marks)]
	for i, at := range marks {
		was := last[i]
		// A mark before the kept text is negative, and as an unsigned number greater than any place
		// in it.
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
				k = min(maxMatch, n-minMatch) // so that the rest can be a match
			}
			w.put(c.match(k, at-was))
			w.flush(z.out)
			n -= k
		}
	}
	z.from, z.bits = from, w
}

// likeForward returns how many bytes a and b have in common at their beginning. The slices may
// overlap.
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

// sum adds the text since the last call to the checksum, and makes room to pack it.
func (z *Page) sum(text []byte) {
	z.room(len(text) - z.from)
	z.crc = crc32.Update(z.crc, crc32.IEEETable, text[z.from:])
	z.size += len(text) - z.from
}

// Finish packs the tail, which is the end of text after the text that [Page.Add] returned last. It
// returns the whole page, head first, which is valid until [Page.Close].
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

// crcJoin returns the checksum of a text whose two parts have the checksums a and b, the second
// with n bytes: a times x to the power 8n, modulo the polynomial, plus b.
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

// crcTimes multiplies two polynomials, modulo that of the checksum.
func crcTimes(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a>>31 != 0 {
			product ^= b
		}
		b = b>>1 ^ crc32.IEEE*(b&1)
	}
	return product
}
