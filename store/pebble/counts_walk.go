package pebble

import (
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// A counter reads the counts of one tenant from one snapshot.
type counter struct {
	it     *pebble.Iterator
	tenant call.GUID
	key    []byte
}

// walk adds up the counts of g from start to end, in either direction, as long as the sum is no
// more than most. It returns the sum; and if that would grow larger, the start of the bucket that
// does not fit.
func (c *counter) walk(g grain, start, end uint64, reverse bool, most int64) (sum int64, at uint64, stopped bool, err error) {
	lower := appendCountKey(nil, c.tenant, g, start)
	c.key = appendCountKey(c.key[:0], c.tenant, g, end)
	c.it.SetBounds(lower, c.key)
	first, next := c.it.First, c.it.Next
	if reverse {
		first, next = c.it.Last, c.it.Prev
	}
	for ok := first(); ok; ok = next() {
		value, err := c.it.ValueAndErr()
		if err != nil {
			return 0, 0, false, err
		}
		n, err := parseCount(value)
		if err != nil {
			return 0, 0, false, err
		}
		if sum+n > most {
			_, at, err = parseCountKey(c.it.Key())
			return sum, at, true, err
		}
		sum += n
	}
	return sum, 0, false, c.it.Error()
}

// sum returns how many rows start from lo up to hi, which must both be whole minutes.
func (c *counter) sum(lo, hi uint64) (int64, error) {
	var total int64
	add := func(g grain, from, to uint64) error {
		if from >= to {
			return nil
		}
		n, _, _, err := c.walk(g, from, to, false, math.MaxInt64)
		total += n
		return err
	}
	// Inwards from both ends: minutes to the hour, hours to the day.
	gs := grains()
	for i := len(gs) - 1; i > 0; i-- {
		coarser := gs[i-1].ticks
		up, down := roundUp(lo, coarser), hi/coarser*coarser
		if up >= down {
			err := add(gs[i], lo, hi)
			return total, err
		}
		if err := add(gs[i], lo, up); err != nil {
			return 0, err
		}
		if err := add(gs[i], down, hi); err != nil {
			return 0, err
		}
		lo, hi = up, down
	}
	err := add(gs[0], lo, hi)
	return total, err
}

func roundUp(t, unit uint64) uint64 { return (t + unit - 1) / unit * unit }
