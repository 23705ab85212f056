package pebble

import (
	"fmt"
	"maps"
	"slices"

	"github.com/trunklog/trunklog/call"
)

// A cellDay is the expected cells of one day. Rows come by tenant and start, so that no other day
// is open.
type cellDay struct {
	cells
	tenantDay
	do func() error // called with each day
}

type tenantDay struct {
	tenant call.GUID
	day    uint64
}

// take adds a row.
func (d *cellDay) take(r *call.Row, start uint64) error {
	of := tenantDay{r.Tenant, start / ticksPerDay}
	if of != d.tenantDay {
		if err := d.done(); err != nil {
			return err
		}
		d.tenantDay = of
	}
	d.add(r)
	return nil
}

// done ends the last day.
func (d *cellDay) done() (err error) {
	if len(d.index) > 0 {
		err = d.do()
	}
	clear(d.index)
	d.sums = d.sums[:0]
	return err
}

// each calls do with every cell of the day.
func (d *cellDay) each(do func(key []byte, s *call.Sums)) {
	var key []byte
	for k, i := range d.index {
		key = appendCellKey(key[:0], k.tenant, &call.Cell{Kind: k.kind, Slot: k.slot, Key: k.key})
		do(key, &d.sums[i])
	}
}

// wantCells returns the sum of the expected cells.
func (c *checker) wantCells() *cellDay {
	var value []byte
	d := &cellDay{cells: *newCells(true, 0)}
	d.do = func() error {
		d.each(func(key []byte, s *call.Sums) {
			value = appendSums(value[:0], s)
			c.note(&c.want, key, value)
		})
		return nil
	}
	return d
}

// derivedCells sums up the cells found.
func (c *checker) derivedCells() error {
	var s call.Sums
	var value []byte
	return c.each(kindTotals, func(key, v []byte) error {
		if len(key) == 1 {
			return nil
		}
		if err := parseSums(&s, v); err != nil {
			c.report(err.Error())
			return nil
		}
		if s != (call.Sums{}) {
			value = appendSums(value[:0], &s)
			c.note(&c.have, key, value)
		}
		return nil
	})
}

// compareCells reports every cell that differs from the rows.
func (c *checker) compareCells() error {
	seen := map[tenantDay]bool{}
	d := &cellDay{cells: *newCells(true, 0)}
	d.do = func() error {
		seen[d.tenantDay] = true
		return c.compareDay(d)
	}
	if err := firstError(c.eachRow(d.take), d.done()); err != nil {
		return err
	}
	var have call.Sums
	return c.each(kindTotals, func(key, value []byte) error {
		if len(key) == 1 {
			return nil
		}
		kind, slot, err := parseCellSlot(key)
		if err == nil {
			_, err = parseCellDims(key, kind)
		}
		if err != nil {
			c.report(err.Error())
			return nil
		}
		if !seen[tenantDay{tenantOf(key), uint64(slot) * cellTicks(kind) / ticksPerDay}] && parseSums(&have, value) == nil {
			c.compareCell(key, &have, &call.Sums{})
		}
		return nil
	})
}

// compareDay compares the cells of a day that has rows.
func (c *checker) compareDay(d *cellDay) error {
	want := make(map[string]call.Sums, len(d.index))
	d.each(func(key []byte, s *call.Sums) { want[string(key)] = *s })
	err := c.eachCell(d.tenantDay, func(key []byte, have *call.Sums) {
		s := want[string(key)]
		delete(want, string(key))
		c.compareCell(key, have, &s)
	})
	for _, key := range slices.Sorted(maps.Keys(want)) {
		s := want[key]
		c.compareCell([]byte(key), &call.Sums{}, &s)
	}
	return err
}

// eachCell calls do with the readable cells of one day.
func (c *checker) eachCell(of tenantDay, do func(key []byte, s *call.Sums)) (err error) {
	it, err := c.snapshot.NewIter(wholeStore())
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	var s call.Sums
	for kind := range call.NumCells {
		n := ticksPerDay / cellTicks(kind)
		it.SetBounds(appendCellSlot(nil, of.tenant, kind, uint32(of.day*n)), appendCellSlot(nil, of.tenant, kind, uint32((of.day+1)*n)))
		for ok := it.First(); ok; ok = it.Next() {
			value, err := it.ValueAndErr()
			if err != nil {
				return err
			}
			if parseSums(&s, value) == nil { // otherwise reported already
				do(it.Key(), &s)
			}
		}
		if err := it.Error(); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) compareCell(key []byte, have, want *call.Sums) {
	if *have == *want {
		return
	}
	kind, slot, err := parseCellSlot(key)
	if err != nil {
		c.report(err.Error())
		return
	}
	c.report(fmt.Sprintf("tenant %v has other sums of calls in a cell of the time from %v on, by the %s: the rows come to %+v, but the cell says %+v",
		tenantOf(key), call.TimeOf(uint64(slot)*cellTicks(kind)), cellName(kind), *want, *have))
}

func cellName(kind call.CellKind) string {
	if kind == call.UserCell {
		return "user"
	}
	return "trunk"
}
