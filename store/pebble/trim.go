package pebble

import (
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// trimChunk is the most rows that one batch of Trim deletes, with ten times as many messages. Each
// row takes some 50 bytes of memory, or 300 if its day is not deleted as a whole, and each message
// 40.
const trimChunk = 20_000

// Trim implements [call.Store]. It goes by days, the oldest first, in batches that each leave a
// consistent store; after a crash the next Trim deletes the rest. It deletes rows, index and counts
// of a day by a range, ids one by one.
func (s *Store) Trim(ctx context.Context, tenant call.GUID, t time.Time) (int64, error) {
	n, err := s.trim(ctx, tenant, ceilTicks(t))
	if err != nil {
		return n, s.readError("trim", err)
	}
	return n, nil
}

func (s *Store) trim(ctx context.Context, tenant call.GUID, before uint64) (total int64, err error) {
	if err := s.life.enter(ctx); err != nil {
		return 0, err
	}
	defer s.life.leave()
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		if err := s.room.forTrim(); err != nil {
			return total, err
		}
		var n int64
		var changed map[call.GUID]head
		wait, err := s.apply(0, func(b *pebble.Batch) (err error) {
			var last bool
			if n, last, err = s.trimSome(b, tenant, before); err == nil && last {
				changed, err = s.noteTrim(b, tenant, before)
			}
			return err
		})
		if err != nil {
			return total, err
		}
		if err := wait(); err != nil {
			return total, err
		}
		s.heads.show(changed)
		total += n
		if n == 0 || changed != nil {
			return total, nil
		}
	}
}

// noteTrim notes that all rows before a start are gone, in the batch of the last of them.
func (s *Store) noteTrim(b *pebble.Batch, tenant call.GUID, before uint64) (map[call.GUID]head, error) {
	p := &pieceWriter{batch: b, tenant: tenant, head: s.heads.written[tenant], now: s.opts.Now()}
	if err := firstError(p.trimmed(before), p.finish()); err != nil {
		return nil, err
	}
	s.heads.written[tenant] = p.head
	return map[call.GUID]head{tenant: p.head}, nil
}

// trimSome adds to b the deletion of the tenant's oldest rows, of one day and not more than
// trimChunk, and reports whether these were the last.
func (s *Store) trimSome(b *pebble.Batch, tenant call.GUID, before uint64) (n int64, last bool, err error) {
	lower := place{}.key(tenant)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: place{start: before}.key(tenant)})
	if err != nil {
		return 0, false, err
	}
	defer func() { err = firstError(err, it.Close()) }()
	if !it.First() {
		return 0, false, it.Error()
	}
	first, _, err := parseRowKey(it.Key())
	if err != nil {
		return 0, false, err
	}
	day := first / ticksPerDay
	c := &cut{tenant: tenant, tally: tally{}, cells: newCells(s.cells, 0)}
	if err := c.open(s.db, day); err != nil {
		return 0, false, err
	}
	defer func() { err = firstError(err, c.close()) }()
	n, whole, err := c.rows(b, it, day, s.opts.trimChunk)
	if err != nil {
		return 0, false, err
	}
	last = !it.Valid()
	if err := it.Error(); err != nil {
		return 0, false, err
	}
	if whole && (day+1)*ticksPerDay <= before {
		return n, last, c.wholeDay(b, day)
	}
	return n, last, c.partOfDay(b, lower)
}

// A cut is what one batch of Trim deletes.
type cut struct {
	tenant call.GUID
	last   []byte // key of the last row
	index  []byte // the index keys one after the other
	ends   []int
	tally  tally
	cells  *cells
	key    []byte
	now    call.Row

	legs     *pebble.Iterator // of the day
	messages *pebble.Iterator
	gone     int // messages

	aliases *pebble.Iterator // of the tenant's rows
}

// rows adds the deletion of what belongs to the rows of a day, for as many as one batch takes;
// whole reports whether these were all of the day.
func (c *cut) rows(b *pebble.Batch, it *pebble.Iterator, day uint64, most int) (n int64, whole bool, err error) {
	for ok := true; ok; ok = it.Next() {
		if int(n) >= most || c.gone >= 10*most {
			return n, false, nil
		}
		start, id, err := parseRowKey(it.Key())
		if err != nil {
			return 0, false, err
		}
		if start/ticksPerDay != day {
			break
		}
		body, err := it.ValueAndErr()
		if err != nil {
			return 0, false, err
		}
		if err := c.row(b, start, id, body); err != nil {
			return 0, false, err
		}
		n++
	}
	return n, true, it.Error()
}

// row adds the deletion of a row's id, and notes the other keys of the row.
func (c *cut) row(b *pebble.Batch, start uint64, id call.GUID, body []byte) error {
	if err := parseBody(&c.now, c.tenant, start, id, string(body)); err != nil {
		return err
	}
	c.key = indexKeys(c.key, &c.now, start, func(key []byte) {
		c.index = append(c.index, key...)
		c.ends = append(c.ends, len(c.index))
	})
	c.tally.add(c.tenant, start, -1)
	c.cells.sub(&c.now)
	c.last = appendRowKey(c.last[:0], c.tenant, start, id)
	c.key = appendIDKey(c.key[:0], c.tenant, id)
	if err := b.Delete(c.key, nil); err != nil {
		return err
	}
	if err := removeAliases(c.aliases, b, call.RowID{Tenant: c.tenant, ID: id}); err != nil {
		return err
	}
	return c.rowLegs(b, start, id)
}

// wholeDay deletes everything of the day but the ids.
func (c *cut) wholeDay(b *pebble.Batch, day uint64) error {
	start, end := day*ticksPerDay, (day+1)*ticksPerDay
	if err := b.DeleteRange(place{start: start}.key(c.tenant), place{start: end}.key(c.tenant), nil); err != nil {
		return err
	}
	for i := range len(indexKinds) {
		if err := b.DeleteRange(appendDay(nil, indexKinds[i], c.tenant, day), appendDay(nil, indexKinds[i], c.tenant, day+1), nil); err != nil {
			return err
		}
	}
	for _, g := range grains() {
		if err := b.DeleteRange(appendCountKey(nil, c.tenant, g, start), appendCountKey(nil, c.tenant, g, end), nil); err != nil {
			return err
		}
	}
	return dropCellsOfDay(b, c.tenant, day)
}

// partOfDay deletes the rows up to the last one, and their derived keys one by one.
func (c *cut) partOfDay(b *pebble.Batch, lower []byte) error {
	if err := b.DeleteRange(lower, append(c.last, 0), nil); err != nil {
		return err
	}
	from := 0
	for _, to := range c.ends {
		if err := b.Delete(c.index[from:to], nil); err != nil {
			return err
		}
		from = to
	}
	return firstError(c.tally.merge(b), c.cells.merge(b))
}
