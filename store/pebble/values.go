package pebble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// In the tables, each block of index keys has a bloom filter of its values, beside its place in the
// table's own index. A look-up finds nothing on most days, and learns so without reading a block.
// Tables without filters stay readable.
//
// A value has the same bits whether its key is set or deleted, so that no filter hides a deletion
// and shows the deleted key.

// filteredKinds are the kinds whose values are in the filters: those that look-ups search on all
// days.
const filteredKinds = "umnw"

const (
	valueFilterName = "trunklog.values" // it is on disk
	filterBits      = 8                 // for each value; a look-up reads one block in 40 in vain
	filterProbes    = 5
)

// hiddenDigits is how many digits Microsoft hides of a number. A look-up of such a number asks for
// all with its beginning, so that filters have these beginnings of whole numbers as well.
const hiddenDigits = 3

// kindBeginning stands for [kindNumber] in the hash of a beginning.
const kindBeginning = kindNumber | 0x80

// hashValue returns the hash of the bytes of an index key between day and tail, eight at a time.
// Filters on disk depend on it.
func hashValue(kind byte, value []byte) uint64 {
	const k1, k2 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	h := uint64(len(value))<<8 | uint64(kind)
	for ; len(value) >= 8; value = value[8:] {
		h = (h ^ binary.LittleEndian.Uint64(value)) * k1
		h ^= h >> 32
	}
	var rest uint64
	for i, c := range value {
		rest |= uint64(c) << (8 * i)
	}
	h = (h ^ rest) * k1
	h = (h ^ h>>32) * k2
	return h ^ h>>29
}

// eachBit calls do with the bits of a hash in a filter of bits bits, until it returns false.
func eachBit(h uint64, bits uint32, do func(bit uint32) bool) bool {
	at, step := uint32(h), uint32(h>>32)|1
	for range filterProbes {
		if !do(at % bits) {
			return false
		}
		at += step
	}
	return true
}

// A valueCollector makes the filters of one table.
type valueCollector struct {
	hashes []uint64 // of the block
	last   []byte   // the last key up to its tail
	begins []byte   // the last beginning in the block
}

func newValueCollector() pebble.BlockPropertyCollector { return &valueCollector{} }

// Name implements [pebble.BlockPropertyCollector].
func (c *valueCollector) Name() string { return valueFilterName }

// AddPointKey implements [pebble.BlockPropertyCollector].
func (c *valueCollector) AddPointKey(key sstable.InternalKey, _ []byte) error {
	k := key.UserKey
	if len(k) < valueAt+tailLen || strings.IndexByte(filteredKinds, k[0]) < 0 {
		return nil
	}
	if k = k[:len(k)-tailLen]; !bytes.Equal(k, c.last) || len(c.hashes) == 0 {
		c.last = append(c.last[:0], k...)
		if k[0] == kindNumber {
			c.addBeginning(k[valueAt : len(k)-1])
		}
		c.hashes = append(c.hashes, hashValue(k[0], k[valueAt:]))
	}
	return nil
}

// addBeginning adds the beginning of a number to the filter, unless the number before it in the
// same block had the same.
func (c *valueCollector) addBeginning(digits []byte) {
	if len(digits) <= hiddenDigits {
		return
	}
	if b := digits[:len(digits)-hiddenDigits]; !bytes.Equal(b, c.begins) {
		c.begins = append(c.begins[:0], b...)
		c.hashes = append(c.hashes, hashValue(kindBeginning, b))
	}
}

// FinishDataBlock implements [pebble.BlockPropertyCollector].
func (c *valueCollector) FinishDataBlock(buf []byte) ([]byte, error) {
	if len(c.hashes) == 0 {
		return buf, nil
	}
	filter := make([]byte, (filterBits*len(c.hashes)+7)/8+1)
	for _, h := range c.hashes {
		eachBit(h, uint32(8*len(filter)), func(bit uint32) bool {
			filter[bit/8] |= 1 << (bit % 8)
			return true
		})
	}
	c.hashes, c.begins = c.hashes[:0], c.begins[:0]
	return append(buf, filter...), nil
}

// AddPrevDataBlockToIndexBlock implements [pebble.BlockPropertyCollector].
func (c *valueCollector) AddPrevDataBlockToIndexBlock() {}

// FinishIndexBlock implements [pebble.BlockPropertyCollector]. Only blocks of
// keys have a filter.
func (c *valueCollector) FinishIndexBlock(buf []byte) ([]byte, error) { return buf, nil }

// FinishTable implements [pebble.BlockPropertyCollector].
func (c *valueCollector) FinishTable(buf []byte) ([]byte, error) { return buf, nil }

// AddRangeKeys implements [pebble.BlockPropertyCollector].
func (c *valueCollector) AddRangeKeys(sstable.Span) error { return nil }

// AddCollectedWithSuffixReplacement implements [pebble.BlockPropertyCollector].
func (c *valueCollector) AddCollectedWithSuffixReplacement(_, _, _ []byte) error {
	return errNoSuffix
}

// SupportsSuffixReplacement implements [pebble.BlockPropertyCollector].
func (c *valueCollector) SupportsSuffixReplacement() bool { return false }

// A valueFilter lets an iterator skip the blocks that have no key with a value.
type valueFilter uint64

// filterOf returns the filter for a value in the form for iterators.
func filterOf(kind byte, value []byte) []pebble.BlockPropertyFilter {
	if kind != kindBeginning && strings.IndexByte(filteredKinds, kind) < 0 {
		return nil
	}
	return append(make([]pebble.BlockPropertyFilter, 0, 2), valueFilter(hashValue(kind, value)))
}

// Name implements [pebble.BlockPropertyFilter].
func (f valueFilter) Name() string { return valueFilterName }

// Intersects implements [pebble.BlockPropertyFilter].
func (f valueFilter) Intersects(prop []byte) (bool, error) {
	if len(prop) == 0 {
		return true, nil
	}
	return eachBit(uint64(f), uint32(8*len(prop)), func(bit uint32) bool {
		return prop[bit/8]&(1<<(bit%8)) != 0
	}), nil
}

// SyntheticSuffixIntersects implements [pebble.BlockPropertyFilter].
func (f valueFilter) SyntheticSuffixIntersects([]byte, []byte) (bool, error) {
	return false, errNoSuffix
}

var errNoSuffix = errors.New("keys have no suffix")
