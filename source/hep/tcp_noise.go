package hep

import (
	"bytes"
	"encoding/binary"
)

// maxNoise is how many bytes in a row may be no packet before the source closes the connection.
const maxNoise = 64 << 20

// pass passes over bytes at the beginning of b that are no packet, up to where one may begin, and
// returns their number. It counts a run of such bytes as one refused packet.
func (c *conn) pass(b []byte, cause Cause) int {
	n := nextMagic(b)
	if c.noise == 0 {
		c.l.received(1, 0)
		c.l.refuse(cause, c.from, b[:n], nil)
	}
	c.noise += n
	c.l.received(0, n)
	c.l.count.lost.Add(uint64(n))
	return n
}

// nextMagic returns the first offset behind the beginning of b where a packet may begin, even if b
// ends within that packet's first letters.
func nextMagic(b []byte) int {
	if i := bytes.Index(b[1:], []byte(magic)); i >= 0 {
		return 1 + i
	}
	for n := min(len(magic)-1, len(b)-1); n > 0; n-- {
		if string(b[len(b)-n:]) == magic[:n] {
			return len(b) - n
		}
	}
	return len(b)
}

// resumed is [frame] for the place after bytes that were no packet. There the letters HEP3 may be
// text within a packet, so all chunks must be in order, as far as b has them.
func resumed(b []byte) (int, Cause) {
	n, cause := frame(b)
	if cause != 0 || n == 0 {
		return 0, cause
	}
	for at := headerSize; at < n; {
		if at+chunkSize > n {
			return 0, ChunkOverrun
		}
		if at+chunkSize > len(b) {
			break
		}
		vendor, kind, size := binary.BigEndian.Uint16(b[at:]), binary.BigEndian.Uint16(b[at+2:]), int(binary.BigEndian.Uint16(b[at+4:]))
		if size < chunkSize || at+size > n || isText(vendor, kind) {
			return 0, ChunkOverrun
		}
		if fixed := fixedSize(kind); vendor == 0 && fixed >= 0 && size != chunkSize+fixed {
			return 0, ChunkSize
		}
		at += size
	}
	return n, 0
}
