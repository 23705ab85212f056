package pebble

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// The batch of a change also holds its entry in the log of changes. Entries lie in pieces of at
// most mostInPiece changes of one tenant with consecutive numbers:
//
//	version   1 byte
//	time      8 bytes, milliseconds of Unix time
//	changes   fate 1 byte, with movedBit if the row has changed its place
//	          id 16 bytes; of retention's nothing
//	          with movedBit: start 8 of the place that it has left, or 0, and
//	          start 8 of that to which it has come, or 0
//	          of retention: start 8 before which all rows are gone
//
// The key has the number of the last one.
const (
	mostInPiece = 1000
	movedBit    = 0x80
)

// A move is a change of a row's place: from one start, 0 for a new row, to another, 0 for a removed
// one. A row that comes back after a removal moves from its old place: since is the change that
// removed it.
type move struct {
	call.RowID
	from, to uint64
	since    uint64
	rows     []int // of the change
	removed  int   // or which of its removals, from 1
}

func appendMoveKey(b []byte, tenant call.GUID, start uint64, id call.GUID, number uint64, came byte) []byte {
	b = binary.BigEndian.AppendUint64(appendTenant(b, kindMove, tenant), start)
	b = binary.BigEndian.AppendUint64(append(b, id[:]...), number)
	return append(b, came)
}

const (
	moveKeyLen = tenantEnd + 8 + 16 + 8 + 1
	moveNumber = tenantEnd + 8 + 16 // where the number begins
)

func appendNumberValue(n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{valueVersion}, n)
}

func parseNumberValue(what string, v []byte) (uint64, error) {
	if len(v) != 1+8 || v[0] != valueVersion {
		return 0, badValue(what, v)
	}
	return binary.BigEndian.Uint64(v[1:]), nil
}

// A pieceWriter writes the changes of one tenant.
type pieceWriter struct {
	batch  *pebble.Batch
	tenant call.GUID
	head   head
	now    time.Time
	moved  func(tenant call.GUID, number uint64) // receives each move
	value  []byte
	n      int
}

func (p *pieceWriter) add(fate call.Fate, id call.GUID, m *move) (number uint64, err error) {
	if p.n == mostInPiece {
		if err := p.end(); err != nil {
			return 0, err
		}
	}
	if p.n == 0 {
		p.value = binary.BigEndian.AppendUint64(append(p.value[:0], valueVersion), uint64(p.now.UnixMilli()))
	}
	p.n++
	p.head.number++
	if m == nil {
		p.value = append(append(p.value, byte(fate)), id[:]...)
		return p.head.number, nil
	}
	p.moved(p.tenant, p.head.number)
	p.value = append(append(p.value, byte(fate)|movedBit), id[:]...)
	p.value = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(p.value, m.from), m.to)
	return p.head.number, m.addTo(p.batch, p.head.number)
}

// addTo adds the two ends of a move to a batch.
func (m *move) addTo(batch *pebble.Batch, number uint64) error {
	if m.from != 0 {
		if err := batch.Set(appendMoveKey(nil, m.Tenant, m.from, m.ID, number, 0), appendNumberValue(m.to), nil); err != nil {
			return err
		}
	}
	if m.to == 0 {
		return nil
	}
	since := number
	if m.from == 0 {
		since = m.since
	}
	return batch.Set(appendMoveKey(nil, m.Tenant, m.to, m.ID, number, 1), appendNumberValue(since), nil)
}

// trimmed adds the removal by retention of the rows before a start.
func (p *pieceWriter) trimmed(before uint64) error {
	p.value = binary.BigEndian.AppendUint64([]byte{valueVersion}, uint64(p.now.UnixMilli()))
	p.value = binary.BigEndian.AppendUint64(append(p.value, byte(call.Trimmed)), before)
	p.head.number++
	p.n = 1
	return p.end()
}

func (p *pieceWriter) end() error {
	if p.n == 0 {
		return nil
	}
	p.n = 0
	return p.batch.Set(appendChangeKey(nil, p.tenant, p.head.number), p.value, nil)
}

// finish ends the last piece and writes the head.
func (p *pieceWriter) finish() error {
	return firstError(p.end(), p.batch.Set(appendHeadKey(nil, p.tenant), p.head.value(), nil))
}

func appendChangeKey(b []byte, tenant call.GUID, number uint64) []byte {
	return binary.BigEndian.AppendUint64(appendTenant(b, kindChange, tenant), number)
}

// number numbers the changes of c and adds them to the batch. It comes last in the making of a
// batch, because numbers cannot be given back.
func (s *Store) number(batch *pebble.Batch, c *change) error {
	pieces := map[call.GUID]*pieceWriter{}
	piece := func(tenant call.GUID) *pieceWriter {
		p := pieces[tenant]
		if p == nil {
			p = &pieceWriter{batch: batch, tenant: tenant, head: s.heads.written[tenant], now: s.opts.Now(), moved: s.heads.hasMoved}
			pieces[tenant] = p
		}
		return p
	}
	if err := c.numberRemoved(piece); err != nil {
		return err
	}
	moved := c.movedRows()
	for i := range c.result.Rows {
		w := &c.result.Rows[i]
		if w.Fate == call.Same {
			continue
		}
		m := moved[i]
		if m != nil && m.from == 0 && m.since == 0 {
			m.since = c.gone[m.RowID].by
		}
		var err error
		if w.Number, err = piece(c.rows[i].Tenant).add(w.Fate, w.Place.ID, m); err != nil {
			return err
		}
	}
	if len(pieces) == 0 {
		return nil
	}
	c.heads = make(map[call.GUID]head, len(pieces))
	for tenant, p := range pieces {
		if err := p.finish(); err != nil {
			return err
		}
		c.heads[tenant] = p.head
	}
	for tenant, h := range c.heads {
		s.heads.written[tenant] = h
	}
	s.recent.add(c)
	return nil
}

// numberRemoved numbers removals, and notes them under the ids of the removed rows: a row that
// comes back later has moved.
func (c *change) numberRemoved(piece func(tenant call.GUID) *pieceWriter) error {
	for i := range c.moves {
		m := &c.moves[i]
		if m.removed == 0 {
			continue
		}
		p := piece(m.Tenant)
		n, err := p.add(call.Removed, m.ID, m)
		if err != nil {
			return err
		}
		c.result.Removed[m.removed-1].Number = n
		e := c.gone[m.RowID]
		e.by = n
		c.gone[m.RowID] = e
		if _, alias := c.aliases[m.RowID]; alias || c.back[m.RowID] {
			continue
		}
		value := append([]byte{removedVersion}, appendNumberValue(n)[1:]...)
		if err := p.batch.Set(appendIDKey(nil, m.Tenant, m.ID), value, nil); err != nil {
			return err
		}
	}
	return nil
}

// movedRows returns the moves by the last row that took part in each.
func (c *change) movedRows() map[int]*move {
	var moved map[int]*move
	for i := range c.moves {
		m := &c.moves[i]
		for k := len(m.rows) - 1; k >= 0; k-- {
			if c.result.Rows[m.rows[k]].Fate == call.Same {
				continue
			}
			if moved == nil {
				moved = make(map[int]*move, len(c.moves))
			}
			moved[m.rows[k]] = m
			break
		}
	}
	return moved
}

// A piece is the value of one key in the log of changes.
type piece struct {
	tenant call.GUID
	first  uint64
	time   time.Time
	all    []changed
}

// A changed is one change in its stored form.
type changed struct {
	fate     call.Fate
	id       call.GUID
	moved    bool
	from, to uint64
}

func parsePiece(key, value []byte) (p piece, err error) {
	if len(key) != tenantEnd+8 {
		return p, badKey(key)
	}
	if len(value) < 9 || value[0] != valueVersion {
		return p, badValue("the log of changes", value)
	}
	p.tenant = tenantOf(key)
	p.time = time.UnixMilli(int64(binary.BigEndian.Uint64(value[1:])))
	bad := badValue("the log of changes", value)
	for rest := value[9:]; len(rest) > 0; {
		e := changed{fate: call.Fate(rest[0] &^ movedBit), moved: rest[0]&movedBit != 0}
		rest = rest[1:]
		if e.fate == call.Trimmed {
			if len(rest) < 8 {
				return p, bad
			}
			e.to, rest = binary.BigEndian.Uint64(rest), rest[8:]
			p.all = append(p.all, e)
			continue
		}
		if len(rest) < 16 || e.moved && len(rest) < 32 || e.fate > call.Trimmed {
			return p, bad
		}
		e.id, rest = call.GUID(rest), rest[16:]
		if e.moved {
			e.from, e.to, rest = binary.BigEndian.Uint64(rest), binary.BigEndian.Uint64(rest[8:]), rest[16:]
		}
		p.all = append(p.all, e)
	}
	last := binary.BigEndian.Uint64(key[tenantEnd:])
	if uint64(len(p.all)) > last || len(p.all) == 0 {
		return p, bad
	}
	p.first = last - uint64(len(p.all)) + 1
	return p, nil
}

// Changes implements [call.ChangeReader].
func (s *Store) Changes(ctx context.Context, tenant call.GUID, since call.Version) iter.Seq2[*call.Change, error] {
	return func(yield func(*call.Change, error) bool) {
		err := s.eachChange(ctx, tenant, since, func(c *call.Change) bool { return yield(c, nil) })
		if err != nil {
			yield(nil, s.readError("changes", err))
		}
	}
}

func (s *Store) eachChange(ctx context.Context, tenant call.GUID, since call.Version, yield func(*call.Change) bool) (err error) {
	if err := s.life.enter(ctx); err != nil {
		return err
	}
	defer s.life.leave()
	from, err := s.heads.known(tenant, since)
	if err != nil {
		return err
	}
	last, _ := s.heads.latest(tenant, false)
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: appendChangeKey(nil, tenant, from+1), UpperBound: after(appendTenant(nil, kindChange, tenant)),
	})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	if _, err := s.heads.known(tenant, since); err != nil {
		return err // trimmed meanwhile
	}
	rows, err := it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{UseL6Filters: true}})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, rows.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		p, err := parsePiece(it.Key(), value)
		if err != nil {
			return err
		}
		for i, e := range p.all {
			number := p.first + uint64(i)
			if number <= from {
				continue
			}
			if number > last.Number {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			c, err := e.asItIsNow(rows, tenant, number)
			if err != nil || !yield(c) {
				return err
			}
		}
	}
	return it.Error()
}

// asItIsNow returns a change with the row as it is now.
func (e changed) asItIsNow(it *pebble.Iterator, tenant call.GUID, number uint64) (*call.Change, error) {
	c := &call.Change{Number: number, Fate: e.fate, ID: e.id}
	switch e.fate {
	case call.Trimmed:
		c.Before = call.TimeOf(e.to)
		return c, nil
	case call.Removed:
		return c, nil
	}
	entry, err := seekID(it, appendIDKey(nil, tenant, e.id))
	if err != nil || entry.kind != idOfRow {
		return c, err
	}
	r, err := readRow(it, tenant, entry.start, e.id)
	c.Row = &r
	return c, err
}

// checkStill compares the conditions of a batch with the writes since.
func (s *Store) checkStill(all []call.Condition) error {
	for _, c := range all {
		from, err := s.heads.known(c.Tenant, c.After)
		if err != nil && !errors.Is(err, call.ErrGone) {
			return err
		}
		if err != nil || s.recent.since(c, from) {
			return fmt.Errorf("rows with the correlation id %v: %w", c.Correlation, call.ErrConflict)
		}
	}
	return nil
}

// Recent holds the correlation ids of the last written rows. The writer with the turn owns it. It
// forgets: it knows nothing of changes before base.
type recent struct {
	base     map[call.GUID]uint64
	now, old map[correlation]uint64
}

type correlation struct{ tenant, id call.GUID }

const mostRecent = 50_000

func (r *recent) add(c *change) {
	if r.now == nil || len(r.now) >= mostRecent {
		for k, n := range r.old {
			r.forget(k.tenant, n)
		}
		r.old, r.now = r.now, map[correlation]uint64{}
	}
	for _, k := range c.correlations {
		number := uint64(0)
		for _, i := range k.rows {
			number = max(number, c.result.Rows[i].Number)
		}
		if number > 0 && !k.id.IsZero() {
			r.now[k.correlation] = number
		}
	}
}

// forget notes that recent knows nothing of the changes of a tenant up to a number, such as those
// from before the store was opened.
func (r *recent) forget(tenant call.GUID, number uint64) {
	if r.base == nil {
		r.base = map[call.GUID]uint64{}
	}
	r.base[tenant] = max(r.base[tenant], number)
}

// since reports whether rows with a correlation id were written after a change; true if that is
// unknown.
func (r *recent) since(c call.Condition, after uint64) bool {
	k := correlation{c.Tenant, c.Correlation}
	return after < r.base[c.Tenant] || r.now[k] > after || r.old[k] > after
}

// A legMover moves the legs of rows that move.
type legMover struct {
	db   *pebble.DB
	it   *pebble.Iterator // to look up rows
	legs *pebble.Iterator
	none bool
}

// open opens the iterator over legs, and notes whether there are any.
func (l *legMover) open() (err error) {
	if l.legs != nil {
		return nil
	}
	l.legs, err = l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindLeg}, UpperBound: []byte{kindLeg + 1}})
	if err == nil {
		l.none = !l.legs.First()
		err = l.legs.Error()
	}
	return err
}

func (l *legMover) close() error {
	if l.legs == nil {
		return nil
	}
	return l.legs.Close()
}

func (l *legMover) move(batch *pebble.Batch, tenant, id call.GUID, from, to uint64) error {
	if err := l.open(); err != nil || l.none {
		return err
	}
	prefix := appendRowLegs(nil, tenant, from, id)
	for ok := l.legs.SeekGE(prefix); ok && bytes.HasPrefix(l.legs.Key(), prefix); ok = l.legs.Next() {
		value, err := l.legs.ValueAndErr()
		if err != nil {
			return err
		}
		key := append(appendRowLegs(nil, tenant, to, id), l.legs.Key()[legRowEnd:]...)
		if err := firstError(batch.Delete(l.legs.Key(), nil), batch.Set(key, value, nil)); err != nil {
			return err
		}
	}
	return l.legs.Error()
}

// addLegs adds the legs of the batch, each under the present place of its row; for an unknown row,
// under the place that the leg names. Of two legs with one key the later one stands.
func (c *change) addLegs(it *pebble.Iterator, batch *pebble.Batch) error {
	if len(c.batch.Legs) == 0 {
		return nil
	}
	now := make(map[call.RowID]uint64, len(c.groups))
	for i := range c.rows {
		w := &c.result.Rows[i]
		now[call.RowID{Tenant: c.rows[i].Tenant, ID: w.Place.ID}] = call.Ticks(w.Place.Start)
	}
	for i := range c.batch.Legs {
		leg := c.batch.Legs[i]
		leg.From, leg.To = inTick(leg.From), inTick(leg.To)
		id, start, err := c.legPlace(it, now, &leg)
		if err != nil {
			return err
		}
		key := append(appendRowLegs(nil, leg.Tenant, start, id), leg.ID[:]...)
		if err := batch.Set(key, appendLeg(nil, &leg), nil); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) legPlace(it *pebble.Iterator, now map[call.RowID]uint64, leg *call.Leg) (call.GUID, uint64, error) {
	id, e, err := c.resolve(it, call.RowID{Tenant: leg.Tenant, ID: leg.Row.ID})
	if err != nil {
		return id.ID, 0, err
	}
	if start, ok := now[id]; ok {
		return id.ID, start, nil
	}
	if e.kind == idOfRow {
		return id.ID, e.start, nil
	}
	return id.ID, call.Ticks(leg.Row.Start.UTC()), nil
}
