package pebble

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// The store counts the rows that start in each minute, hour and day, and changes the counts in the
// batch of the rows. So Skip and Count look at days, then at 24 hours, then at 60 minutes, and only
// then at rows. The value of a count is the sum of all merges; a count of 0 may be there or not.

// A grain is a unit of time by which rows are counted.
type grain struct {
	name  byte
	ticks uint64
}

// grains are the grains from the coarsest to the finest. Each divides the one before.
func grains() [3]grain {
	return [3]grain{{'d', ticksPerDay}, {'h', ticksPerHour}, {'m', ticksPerMinute}}
}

func appendCountKey(b []byte, tenant call.GUID, g grain, start uint64) []byte {
	b = append(appendTenant(b, kindCount, tenant), g.name)
	return binary.BigEndian.AppendUint64(b, start/g.ticks)
}

// parseCountKey returns the grain's name and the start of the bucket.
func parseCountKey(key []byte) (name byte, start uint64, err error) {
	if len(key) == tenantEnd+9 {
		for _, g := range grains() {
			if g.name == key[tenantEnd] {
				return g.name, binary.BigEndian.Uint64(key[tenantEnd+1:]) * g.ticks, nil
			}
		}
	}
	return 0, 0, badKey(key)
}

func appendCount(b []byte, n int64) []byte {
	return binary.AppendVarint(append(b, valueVersion), n)
}

func parseCount(v []byte) (int64, error) {
	if len(v) > 1 && v[0] == valueVersion {
		if n, size := binary.Varint(v[1:]); size == len(v)-1 {
			return n, nil
		}
	}
	return 0, badValue("a count", v)
}

// A tally is the change of one batch to the count of each minute.
type tally map[tallyKey]int64

type tallyKey struct {
	tenant call.GUID
	minute uint64
}

func (t tally) add(tenant call.GUID, start uint64, n int64) {
	t[tallyKey{tenant, start / ticksPerMinute}] += n
}

// merge adds the tally to b, with one merge for each minute, hour and day that it touches.
func (t tally) merge(b *pebble.Batch) error {
	minutes := make([]tallyKey, 0, len(t))
	for k := range t {
		minutes = append(minutes, k)
	}
	slices.SortFunc(minutes, func(x, y tallyKey) int {
		if c := bytes.Compare(x.tenant[:], y.tenant[:]); c != 0 {
			return c
		}
		return cmp.Compare(x.minute, y.minute)
	})
	var key, value []byte
	for _, g := range grains() {
		for i := 0; i < len(minutes); {
			first := minutes[i]
			bucket := first.minute * ticksPerMinute / g.ticks
			var n int64
			for i < len(minutes) && minutes[i].tenant == first.tenant && minutes[i].minute*ticksPerMinute/g.ticks == bucket {
				n += t[minutes[i]]
				i++
			}
			key = appendCountKey(key[:0], first.tenant, g, bucket*g.ticks)
			value = appendCount(value[:0], n)
			if err := b.Merge(key, value, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
