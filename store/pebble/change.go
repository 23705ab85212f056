package pebble

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// A change is a batch on its way to the log.
type change struct {
	batch    call.Batch
	rows     []call.Row
	bodies   []byte // of the rows as given, one after the other
	ends     []int  // where each body ends
	order    []int  // the rows by (tenant, id), those of one id as given
	groups   []group
	gone     map[call.RowID]idEntry   // rows that the batch removes
	aliases  map[call.RowID]call.GUID // and ids that it makes aliases of others
	removals []removal
	was      map[int]*call.Row // of rows that replace others
	kept     []tellings        // the statements to keep, see [call.Batch.Keep]
	result   call.Result
	keys     keyList
	id       []byte // the key of the last id looked up
	tally    tally
	cells    *cells
	moves    []move
	back     map[call.RowID]bool // of those in gone that the batch brings back
	legs     *legMover
	messages messageList

	correlations []correlated
	heads        map[call.GUID]head // of the tenants that it changes
}

// A correlated is the correlation id of a row that was written.
type correlated struct {
	correlation
	rows []int
}

// A group is the rows of a change that have one id.
type group struct {
	rows  []int
	entry idEntry
}

// newChange checks and encodes the rows and messages. This needs nothing of the store, so that
// writers do it in parallel.
func newChange(b call.Batch) (c *change, err error) {
	c = &change{batch: b, rows: make([]call.Row, 0, len(b.Rows)+len(b.Replace)), tally: tally{}}
	if err := c.addReplacements(); err != nil {
		return nil, err
	}
	n := len(c.rows)
	c.ends, c.order, c.bodies = make([]int, n), make([]int, n), make([]byte, 0, 256*n)
	c.result.Rows = make([]call.Written, n)
	for i := range c.rows {
		r := &c.rows[i]
		inTicks(r)
		if err := r.Check(); err != nil {
			return nil, fmt.Errorf("row %d of %d: %w", i+1, n, err)
		}
		c.bodies = r.AppendBody(c.bodies)
		c.ends[i] = len(c.bodies)
		c.order[i] = i
	}
	c.sort()
	c.messages, err = newMessageList(&b)
	return c, err
}

// sort sorts the rows by their ids.
func (c *change) sort() {
	slices.SortStableFunc(c.order, func(i, j int) int {
		x, y := &c.rows[i], &c.rows[j]
		if d := bytes.Compare(x.Tenant[:], y.Tenant[:]); d != 0 {
			return d
		}
		return cmp.Or(bytes.Compare(x.ID[:], y.ID[:]), cmp.Compare(i, j))
	})
}

// inTicks cuts the times of r to the stored resolution.
func inTicks(r *call.Row) {
	for f := range call.NumFields {
		if f.Type() == call.Time {
			r.SetTime(f, inTick(r.Time(f)))
		}
	}
	r.ClaimedStart, r.Met = inTick(r.ClaimedStart), call.Cursor{}
}

func inTick(t time.Time) time.Time {
	switch {
	case t.IsZero():
		return time.Time{}
	case t.Location() == time.UTC && t.Nanosecond()%100 == 0: // as all settled times are
		return t
	}
	return t.UTC().Truncate(100 * time.Nanosecond)
}

func (c *change) body(i int) []byte {
	if i == 0 {
		return c.bodies[:c.ends[0]]
	}
	return c.bodies[c.ends[i-1]:c.ends[i]]
}

// fold adds the effects of the change to batch. It looks up ids in their order, by one iterator
// that asks the bloom filters of all levels first: a new id costs no read.
func (c *change) fold(db *pebble.DB, batch *pebble.Batch) (err error) {
	if len(c.rows)+len(c.removals)+len(c.batch.Aliases)+len(c.batch.Legs) == 0 {
		return nil
	}
	it, err := db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	c.legs = &legMover{db: db, it: it}
	defer func() { err = firstError(err, c.legs.close()) }()
	if err := c.remove(db, it, batch); err != nil {
		return err
	}
	if err := c.look(it); err != nil {
		return err
	}
	if err := c.setAliases(it, batch); err != nil {
		return err
	}
	c.makeRoom()
	for _, g := range c.groups {
		if g.entry.kind != idOfRow {
			if c.replaces(g) {
				return changedMeanwhile(&c.rows[g.rows[0]])
			}
			if err := c.foldNew(batch, g); err != nil {
				return err
			}
		} else if err := c.foldOld(it, batch, g); err != nil {
			return err
		}
	}
	if err := c.keys.leave(it); err != nil {
		return err
	}
	if err := firstError(c.keys.addTo(batch), c.addLegs(it, batch)); err != nil {
		return err
	}
	return firstError(c.tally.merge(batch), c.cells.merge(batch))
}

// makeRoom makes room for the results of the groups.
func (c *change) makeRoom() {
	n := 0
	for _, g := range c.groups {
		n += btoi(g.entry.kind != idOfRow)
	}
	c.keys.roomFor(n)
	c.correlations = make([]correlated, 0, len(c.groups))
}

// look looks up the ids of the rows. It gives rows that come under an alias the id of their row,
// and then looks up all once more.
func (c *change) look(it *pebble.Iterator) error {
	for renamed := true; renamed; {
		renamed = false
		c.groups = slices.Grow(c.groups[:0], len(c.rows))
		for n := 0; n < len(c.order); {
			first := &c.rows[c.order[n]]
			end := n + 1
			for end < len(c.order) && c.rows[c.order[end]].ID == first.ID && c.rows[c.order[end]].Tenant == first.Tenant {
				end++
			}
			e, err := c.entry(it, call.RowID{Tenant: first.Tenant, ID: first.ID})
			if err != nil {
				return err
			}
			if e.kind == idAlias {
				renamed = true
				for _, i := range c.order[n:end] {
					c.rows[i].ID = e.of
				}
			}
			c.groups = append(c.groups, group{c.order[n:end], e})
			n = end
		}
		if renamed {
			c.sort()
		}
	}
	return nil
}

// entry returns the entry of an id, after the removals and aliases of the batch.
func (c *change) entry(it *pebble.Iterator, id call.RowID) (idEntry, error) {
	if of, ok := c.aliases[id]; ok {
		return idEntry{kind: idAlias, of: of}, nil
	}
	if e, ok := c.gone[id]; ok {
		return e, nil
	}
	c.id = appendIDKey(c.id[:0], id.Tenant, id.ID)
	e, err := seekID(it, c.id)
	if err == nil && e.kind == idAlias {
		if _, gone := c.gone[call.RowID{Tenant: id.Tenant, ID: e.of}]; gone {
			return idEntry{}, nil // the alias goes with its row
		}
	}
	return e, err
}

// resolve returns the id and the entry of the row that an id means.
func (c *change) resolve(it *pebble.Iterator, id call.RowID) (call.RowID, idEntry, error) {
	for {
		e, err := c.entry(it, id)
		if err != nil || e.kind != idAlias {
			return id, e, err
		}
		id.ID = e.of
	}
}

// foldNew folds the rows of one new id. Legs may have come before their row, under the start of the
// first of these; they move along with it.
func (c *change) foldNew(batch *pebble.Batch, g group) error {
	r := &c.rows[g.rows[0]]
	first := call.Ticks(r.Start)
	body := c.body(g.rows[0])
	c.keep(g.rows[0], call.New, nil)
	if c.foldInto(r, g.rows[1:], false) {
		body = r.AppendBody(nil)
	}
	start := call.Ticks(r.Start)
	c.wrote(g.rows, r)
	c.result.Rows[g.rows[0]].Fate = call.New
	if g.entry.kind == idRemoved {
		id := call.RowID{Tenant: r.Tenant, ID: r.ID}
		c.moves = append(c.moves, move{RowID: id, to: start, since: g.entry.by, rows: g.rows})
		if _, ok := c.gone[id]; ok {
			c.back[id] = true
		}
	}
	c.tally.add(r.Tenant, start, 1)
	c.cells.add(r)
	c.keys.setRow(r, start, body)
	c.keys.setID(r, start)
	c.keys.setIndex(r, start)
	if _, gone := c.gone[call.RowID{Tenant: r.Tenant, ID: r.ID}]; gone || first == start {
		return nil // the legs of a row that the batch removes are gone
	}
	return c.legs.move(batch, r.Tenant, r.ID, first, start)
}

// wrote notes the place of the rows of one id, with the fate Same for now.
func (c *change) wrote(rows []int, r *call.Row) {
	c.correlations = append(c.correlations, correlated{correlation{r.Tenant, r.CorrelationID}, rows})
	for _, i := range rows {
		c.result.Rows[i].Place = r.Cursor()
	}
}

// foldInto folds rows into r and reports whether that changed it.
func (c *change) foldInto(r *call.Row, rows []int, there bool) (changed bool) {
	for _, i := range rows {
		start, was := r.Start, (*call.Row)(nil)
		if c.keptOf(i) != nil {
			then := *r
			was = &then
		}
		fate := call.Same
		switch news := r.Fold(&c.rows[i]); {
		case news && there && !r.Start.Equal(start):
			fate, changed = call.Moved, true
		case news:
			fate, changed = call.Changed, true
		}
		c.result.Rows[i].Fate = fate
		c.keep(i, fate, was)
	}
	return changed
}

// foldOld folds the rows of one id into the stored row.
func (c *change) foldOld(it *pebble.Iterator, batch *pebble.Batch, g group) error {
	w := &c.rows[g.rows[0]]
	old, err := readRow(it, w.Tenant, g.entry.start, w.ID)
	if err != nil {
		return err
	}
	now, changed := old, false
	if !c.replaces(g) {
		changed = c.foldInto(&now, g.rows, true)
	} else if now, changed, err = c.replace(&old, g); err != nil {
		return err
	}
	c.wrote(g.rows, &now)
	if !changed {
		return nil
	}
	from, to := g.entry.start, call.Ticks(now.Start)
	c.cells.replace(&old, &now)
	body := now.AppendBody(nil)
	c.keys.setRow(&now, to, body)
	c.keys.moveIndex(&old, from, &now, standing{to, body})
	if from == to {
		return nil
	}
	c.keys.removeRow(old.Tenant, from, old.ID)
	c.keys.setID(&now, to)
	c.tally.add(old.Tenant, from, -1)
	c.tally.add(now.Tenant, to, 1)
	c.moves = append(c.moves, move{RowID: call.RowID{Tenant: now.Tenant, ID: now.ID}, from: from, to: to, rows: g.rows})
	return c.legs.move(batch, old.Tenant, old.ID, from, to)
}

// readRow returns the row at the given place, which must be there.
func readRow(it *pebble.Iterator, tenant call.GUID, start uint64, id call.GUID) (r call.Row, err error) {
	body, err := seekBody(it, appendRowKey(nil, tenant, start, id))
	if err != nil {
		return r, err
	}
	return r, parseBody(&r, tenant, start, id, string(body))
}

// remove removes rows, with all that belongs to them.
func (c *change) remove(db *pebble.DB, it *pebble.Iterator, batch *pebble.Batch) error {
	for _, asked := range c.removals {
		id, e, err := c.resolve(it, asked.RowID)
		if err != nil {
			return err
		}
		if e.kind != idOfRow {
			if asked.was != nil {
				return changedMeanwhile(asked.was)
			}
			c.result.Removed = append(c.result.Removed, call.Written{Place: call.Cursor{ID: asked.ID}})
			continue
		}
		old, err := readRow(it, id.Tenant, e.start, id.ID)
		if err != nil {
			return err
		}
		if asked.was != nil {
			if err := is(&old, asked.was); err != nil {
				return err
			}
		}
		c.result.Removed = append(c.result.Removed, call.Written{Place: old.Cursor(), Fate: call.Removed})
		if c.gone == nil {
			c.gone, c.back = map[call.RowID]idEntry{}, map[call.RowID]bool{}
		}
		c.gone[id] = idEntry{kind: idRemoved}
		c.keys.removeRow(id.Tenant, e.start, id.ID)
		c.keys.moveIndex(&old, e.start, nil, standing{})
		c.tally.add(id.Tenant, e.start, -1)
		c.cells.sub(&old)
		c.moves = append(c.moves, move{RowID: id, from: e.start, removed: len(c.result.Removed)})
		if err := removeAround(db, batch, id, e.start); err != nil {
			return err
		}
	}
	return nil
}

// removeAround deletes the aliases of a row, its legs, and their messages.
func removeAround(db *pebble.DB, batch *pebble.Batch, id call.RowID, start uint64) (err error) {
	cut := &cut{tenant: id.Tenant}
	if err := cut.open(db, start/ticksPerDay); err != nil {
		return err
	}
	defer func() { err = firstError(err, cut.close()) }()
	if err := removeAliases(cut.aliases, batch, id); err != nil {
		return err
	}
	return cut.rowLegs(batch, start, id.ID)
}

// removeAliases finds and deletes the aliases of a row.
func removeAliases(it *pebble.Iterator, batch *pebble.Batch, id call.RowID) error {
	prefix := appendAliasKey(nil, id.Tenant, id.ID, nil)
	for ok := it.SeekGE(prefix); ok && bytes.HasPrefix(it.Key(), prefix); ok = it.Next() {
		if len(it.Key()) != aliasKeyLen {
			return badKey(it.Key())
		}
		alias := call.GUID(it.Key()[tenantEnd+16:])
		if err := firstError(batch.Delete(appendIDKey(nil, id.Tenant, alias), nil), batch.Delete(it.Key(), nil)); err != nil {
			return err
		}
	}
	return it.Error()
}

// aliasesOf returns an iterator over the alias keys of a tenant's rows.
func aliasesOf(db *pebble.DB, tenant call.GUID) (*pebble.Iterator, error) {
	prefix := appendTenant(nil, kindAlias, tenant)
	return db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
}

// setAliases adds the aliases of the batch, and gives the rows that come under one of them the id
// of their row.
func (c *change) setAliases(it *pebble.Iterator, batch *pebble.Batch) error {
	if len(c.batch.Aliases) == 0 {
		return nil
	}
	set := map[call.RowID]call.GUID{}
	told := make(map[call.RowID]bool, len(c.rows))
	for i := range c.rows {
		told[call.RowID{Tenant: c.rows[i].Tenant, ID: c.rows[i].ID}] = true
	}
	for _, a := range c.batch.Aliases {
		id := call.RowID{Tenant: a.Tenant, ID: a.ID}
		of, known, err := c.resolve(it, call.RowID{Tenant: a.Tenant, ID: a.Of})
		if err != nil {
			return err
		}
		have, err := c.entry(it, id)
		if err != nil {
			return err
		}
		there := known.kind == idOfRow || told[of]
		_, twice := set[of]
		if have.kind == idOfRow || !there || id == of || twice || have.kind == idAlias && !c.leadsTo(it, id, of) {
			return fmt.Errorf("alias %v of row %v: %w", a.ID, a.Of, call.ErrConflict)
		}
		set[id] = of.ID
		if have.kind == idAlias {
			continue
		}
		value := append([]byte{aliasVersion}, of.ID[:]...)
		err = firstError(batch.Set(appendIDKey(nil, a.Tenant, a.ID), value, nil), batch.Set(appendAliasKey(nil, a.Tenant, of.ID, &a.ID), nil, nil))
		if err != nil {
			return err
		}
	}
	c.aliases = set
	return c.look(it)
}

func (c *change) leadsTo(it *pebble.Iterator, id, row call.RowID) bool {
	is, e, err := c.resolve(it, id)
	return err == nil && is == row && e.kind == idOfRow
}

const aliasKeyLen = tenantEnd + 16 + 16

// appendAliasKey appends the key that makes alias an alias of a row; without alias, the common
// beginning of all such keys of the row.
func appendAliasKey(b []byte, tenant, row call.GUID, alias *call.GUID) []byte {
	b = append(appendTenant(b, kindAlias, tenant), row[:]...)
	if alias != nil {
		b = append(b, alias[:]...)
	}
	return b
}
