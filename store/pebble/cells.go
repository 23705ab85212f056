package pebble

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// The store keeps the sum of calls in each cell, see [call.Cells], beside the rows and changes it
// in the same batch, as it does counts. The value of a cell is the sum of all merges; an empty cell
// may be there or not.
//
// The cells of a store are complete if it says so under the key of their kind alone. The first
// release wrote none: until an upgrade has added those of every row, readers add up the rows
// instead, and writers leave the cells alone.

// cellsVersion is the version of [call.Cells]. Cells of another version mean nothing.
const cellsVersion = 1

// cellNames are the bytes that stand for the kinds of cells.
const cellNames = "ab"

func cellsKey() []byte { return []byte{kindTotals} }

// haveCells reports whether the cells of a store are complete.
func haveCells(db pebble.Reader) (bool, error) {
	value, closer, err := db.Get(cellsKey())
	switch {
	case err == pebble.ErrNotFound: //nolint:errorlint // the bare one
		return false, nil
	case err != nil:
		return false, err
	}
	complete := bytes.Equal(value, []byte{valueVersion, cellsVersion})
	return complete, closer.Close()
}

// setHaveCells marks the cells as complete from b on.
func setHaveCells(b *pebble.Batch) error {
	return b.Set(cellsKey(), []byte{valueVersion, cellsVersion}, nil)
}

// dropCells deletes all cells and the mark of completeness, so that an upgrade can build them anew.
func dropCells(b *pebble.Batch) error {
	return b.DeleteRange(cellsKey(), after(cellsKey()), nil)
}

// appendCellSlot appends the common beginning of the keys of all cells of a slot.
func appendCellSlot(b []byte, tenant call.GUID, kind call.CellKind, slot uint32) []byte {
	b = append(appendTenant(b, kindTotals, tenant), cellNames[kind])
	return binary.BigEndian.AppendUint32(b, slot)
}

const cellSlotEnd = tenantEnd + 1 + 4

// Flags of a trunk's cell.
const (
	cellAnswered = 1 << iota
	cellRang
)

func appendCellKey(b []byte, tenant call.GUID, c *call.Cell) []byte {
	b = appendCellSlot(b, tenant, c.Kind, c.Slot)
	k := &c.Key
	if c.Kind == call.UserCell {
		return append(b, k.User[:]...)
	}
	var flags byte
	if k.Answered {
		flags |= cellAnswered
	}
	if k.Rang {
		flags |= cellRang
	}
	b = append(b, flags)
	b = binary.AppendVarint(b, int64(k.Code))
	b = binary.AppendVarint(b, int64(k.Subcode))
	b = binary.AppendUvarint(b, uint64(len(k.CallType)))
	b = append(b, k.CallType...)
	return append(b, k.Trunk...)
}

// parseCellSlot returns the kind and slot of a cell's key.
func parseCellSlot(key []byte) (kind call.CellKind, slot uint32, err error) {
	if len(key) > cellSlotEnd {
		if i := bytes.IndexByte([]byte(cellNames), key[tenantEnd]); i >= 0 {
			return call.CellKind(i), binary.BigEndian.Uint32(key[tenantEnd+1:]), nil
		}
	}
	return 0, 0, badKey(key)
}

// parseCellDims returns the dimensions in a cell's key.
func parseCellDims(key []byte, kind call.CellKind) (k call.Key, err error) {
	b := key[cellSlotEnd:]
	if kind == call.UserCell {
		if len(b) != len(k.User) {
			return k, badKey(key)
		}
		k.User = call.GUID(b)
		return k, nil
	}
	flags := b[0]
	k.Answered, k.Rang = flags&cellAnswered != 0, flags&cellRang != 0
	b = b[1:]
	number := func() int32 {
		n, size := binary.Varint(b)
		if size <= 0 || n != int64(int32(n)) {
			err = badKey(key)
			return 0
		}
		b = b[size:]
		return int32(n)
	}
	k.Code, k.Subcode = number(), number()
	n, size := binary.Uvarint(b)
	if err != nil || size <= 0 || n > uint64(len(b)-size) || flags > cellAnswered|cellRang {
		return k, badKey(key)
	}
	b = b[size:]
	k.CallType, k.Trunk = string(b[:n]), string(b[n:])
	return k, nil
}

// appendSums appends the value of a cell, without the zeros at its end.
func appendSums(b []byte, s *call.Sums) []byte {
	b = append(b, valueVersion)
	last := len(b) + 1
	for _, v := range s.Values() {
		b = binary.AppendVarint(b, *v)
		if *v != 0 {
			last = len(b)
		}
	}
	return b[:last]
}

func parseSums(s *call.Sums, v []byte) error {
	*s = call.Sums{}
	if len(v) < 2 || v[0] != valueVersion {
		return badValue("a cell", v)
	}
	b := v[1:]
	for _, p := range s.Values() {
		if len(b) == 0 {
			return nil
		}
		n, size := binary.Varint(b)
		if size <= 0 {
			return badValue("a cell", v)
		}
		*p, b = n, b[size:]
	}
	if len(b) > 0 {
		return badValue("a cell", v)
	}
	return nil
}

// cells are the changes of one batch to the cells. They stay empty for a store without cells.
type cells struct {
	off   bool
	index map[cellKey]int
	sums  []call.Sums
}

type cellKey struct {
	tenant call.GUID
	kind   call.CellKind
	slot   uint32
	key    call.Key
}

// newCells returns the changes of a batch, with room for those of rows rows; on says whether the
// cells of the store are complete, or under construction.
func newCells(on bool, rows int) *cells {
	if !on {
		rows = 0
	}
	return &cells{off: !on, index: make(map[cellKey]int, rows), sums: make([]call.Sums, 0, rows)}
}

// add adds r to its cells. The texts of r must last until the batch is made.
func (c *cells) add(r *call.Row) { c.change(r, 1) }

// sub subtracts r from its cells.
func (c *cells) sub(r *call.Row) { c.change(r, -1) }

// replace subtracts old and adds now, whatever their starts.
func (c *cells) replace(old, now *call.Row) {
	c.change(old, -1)
	c.change(now, 1)
}

func (c *cells) change(r *call.Row, n int64) {
	if c.off {
		return
	}
	for _, cell := range call.Cells(r) {
		k := cellKey{r.Tenant, cell.Kind, cell.Slot, cell.Key}
		i, ok := c.index[k]
		if !ok {
			i = len(c.sums)
			c.sums = append(c.sums, call.Sums{})
			c.index[k] = i
		}
		c.sums[i].Add(&cell.Sums, n)
	}
}

// merge adds the changes to b, in the order of their keys.
func (c *cells) merge(b *pebble.Batch) error {
	type change struct{ from, to, sums int }
	changes := make([]change, 0, len(c.index))
	arena := make([]byte, 0, 48*len(c.index))
	for k, i := range c.index {
		if c.sums[i] == (call.Sums{}) {
			continue
		}
		from := len(arena)
		arena = appendCellKey(arena, k.tenant, &call.Cell{Kind: k.kind, Slot: k.slot, Key: k.key})
		changes = append(changes, change{from, len(arena), i})
	}
	slices.SortFunc(changes, func(x, y change) int { return bytes.Compare(arena[x.from:x.to], arena[y.from:y.to]) })
	var value []byte
	for _, x := range changes {
		value = appendSums(value[:0], &c.sums[x.sums])
		if err := b.Merge(arena[x.from:x.to], value, nil); err != nil {
			return err
		}
	}
	return nil
}

// dropCellsOfDay deletes the cells of a tenant's rows of one day.
func dropCellsOfDay(b *pebble.Batch, tenant call.GUID, day uint64) error {
	for kind := range call.NumCells {
		n := ticksPerDay / cellTicks(kind)
		from := appendCellSlot(nil, tenant, kind, uint32(day*n))
		if err := b.DeleteRange(from, appendCellSlot(nil, tenant, kind, uint32((day+1)*n)), nil); err != nil {
			return err
		}
	}
	return nil
}

// cellTicks returns how much time a cell covers.
func cellTicks(kind call.CellKind) uint64 { return uint64(kind.Seconds()) * (ticksPerMinute / 60) }
