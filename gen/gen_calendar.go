package gen

import "iter"

// Ticks of 100 ns, as in [call.Ticks].
const (
	millisecond = 10_000
	second      = 1000 * millisecond
	minute      = 60 * second
	hour        = 60 * minute
	day         = 24 * hour

	slotTicks = 15 * minute
)

// A calendar spreads starts over the time between two ticks as office hours do: a peak in the
// morning and one in the afternoon, a dip at noon, quiet nights and weekends. Office hours are in
// UTC.
//
// It cuts time into slots of a quarter of an hour, each with a weight.
type calendar struct {
	seed     uint64
	from, to uint64 // in ticks
}

// hours holds the weight of the full hours of a working day. weight interpolates between them.
var hours = [25]uint64{2, 1, 1, 1, 2, 4, 12, 35, 78, 100, 98, 80, 45, 72, 96, 90, 70, 40, 20, 12, 9, 6, 4, 3, 2}

// days holds the weight of the days of the week from Monday, in hundredths.
var days = [7]uint64{106, 103, 100, 98, 90, 14, 6}

// weight returns the weight of the part of a slot from lo to hi. It is never 0.
func (c *calendar) weight(lo, hi uint64) uint64 {
	slot, date := lo/slotTicks, lo/day // 0001-01-01 is a Monday
	h, quarter := lo%day/hour, slot%4
	w := hours[h]*(4-quarter) + hours[h+1]*quarter
	byDay, bySlot := stream(c.seed, streamDay, date), stream(c.seed, streamSlot, slot)
	w = w * days[date%7] * byDay.between(85, 116) * bySlot.between(80, 121) / 10_000
	return max(w, 1) * max((hi-lo)/millisecond, 1)
}

// slots yields the slots, the first and last of which may be shorter.
func (c *calendar) slots() iter.Seq2[uint64, uint64] {
	return func(yield func(lo, hi uint64) bool) {
		for lo := c.from; lo < c.to; {
			hi := min((lo/slotTicks+1)*slotTicks, c.to)
			if !yield(lo, hi) {
				return
			}
			lo = hi
		}
	}
}

// starts yields the numbers from 0 to rows-1 and for each a start in ticks, in
// ascending order.
func (c *calendar) starts(rows uint64) iter.Seq2[uint64, uint64] {
	return func(yield func(n, start uint64) bool) {
		var total uint64
		for lo, hi := range c.slots() {
			total += c.weight(lo, hi)
		}
		var done, n uint64
		for lo, hi := range c.slots() {
			done += c.weight(lo, hi)
			count := mulDiv(rows, done, total) - n
			jitter := stream(c.seed, streamStart, lo)
			for i := range count {
				// One start in each of count equal parts of the slot.
				start := lo + mulDiv(hi-lo, i<<16|jitter.below(1<<16), count<<16)
				if !yield(n, start) {
					return
				}
				n++
			}
		}
	}
}
