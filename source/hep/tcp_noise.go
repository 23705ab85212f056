package hep

import (
	"bytes"
	"encoding/binary"
)

// maxNoise is how many bytes that are no packets are passed over, one after
// another, before a connection is given up.
const maxNoise = 64 << 20

// pass passes over bytes at the beginning of b that are no packet, up to where
// one may begin, and returns how many they are. All that stand together are
// counted as one packet that was refused.
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

// nextMagic returns the first place behind the beginning of b where a packet may
// begin, perhaps one of which b does not even have the first letters whole.
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

// resumed is [frame] for what comes behind bytes that were no packet. There, the
// letters that a packet begins with may as well be text in the middle of one. So
// all its chunks must be in order, as far as b has them.
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
