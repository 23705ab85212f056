package pebble

import (
	"context"
	"iter"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// Groups implements [call.Reader]. Where the cells suffice, see [call.CellsFor], it reads them for
// whole quarters of an hour or days, and rows at both ends; otherwise it adds up the rows.
func (s *Store) Groups(ctx context.Context, q call.Query, by call.Grouping) iter.Seq2[*call.Group, error] {
	return func(yield func(*call.Group, error) bool) {
		a, err := s.addUp(ctx, q, by)
		if err != nil {
			yield(nil, s.readError("groups", err))
			return
		}
		for g := range a.Groups() {
			if !yield(g, nil) {
				return
			}
		}
	}
}

func (s *Store) addUp(ctx context.Context, q call.Query, by call.Grouping) (*call.Adder, error) {
	a, err := call.NewAdder(q, by)
	if err != nil {
		return nil, err
	}
	q.Walk = call.Version{}
	if kind, ok := call.CellsFor(q, by); ok && s.cells {
		return a, s.addCells(ctx, q, a, kind)
	}
	return a, addRows(a, func(yield func(*call.Row) bool) error { return s.each(ctx, q, yield) })
}

// addRows adds the rows that each yields.
func addRows(a *call.Adder, each func(yield func(*call.Row) bool) error) (err error) {
	failed := each(func(r *call.Row) bool {
		err = a.Row(r)
		return err == nil
	})
	return firstError(err, failed)
}

// addCells adds the cells that q selects. One iterator reads all, and so from one snapshot.
func (s *Store) addCells(ctx context.Context, q call.Query, a *call.Adder, kind call.CellKind) (err error) {
	if err := s.life.enter(ctx); err != nil {
		return err
	}
	defer s.life.leave()
	sp := spanOf(q)
	if sp.empty() {
		return nil
	}
	it, err := s.db.NewIter(wholeStore())
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	ticks := cellTicks(kind)
	lo, hi := roundUp(sp.lo.start, ticks), sp.hi.start/ticks*ticks // Check refuses q.After, so both are times
	parts := []span{sp}
	if lo < hi {
		w := &cellWalk{it: it, a: a, tenant: q.Tenant, kind: kind}
		if err := w.run(ctx, uint32(lo/ticks), uint32(hi/ticks)); err != nil {
			return err
		}
		parts = append(w.split, span{sp.lo, place{start: lo}}, span{place{start: hi}, sp.hi})
	}
	for _, part := range parts {
		if part.empty() {
			continue
		}
		it.SetBounds(part.lo.key(q.Tenant), part.hi.key(q.Tenant))
		err := addRows(a, func(yield func(*call.Row) bool) error {
			w := &walk{q: q, span: part, it: it, left: -1, yield: yield}
			return w.scan(ctx, it.First())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// A cellWalk reads the cells of one kind and tenant.
type cellWalk struct {
	it     *pebble.Iterator
	a      *call.Adder
	tenant call.GUID
	kind   call.CellKind

	known map[string]cellDims // by the bytes behind the slot in a key
	split []span              // cells that more than one slot of the question shares
	slot  uint32
	whole bool // the cell of slot is within one
	steps int
}

type cellDims struct {
	number int32
	holds  bool
}

// run adds the cells in the slots [lo, hi), and notes those whose rows the caller must add.
func (w *cellWalk) run(ctx context.Context, lo, hi uint32) error {
	w.known = map[string]cellDims{}
	w.it.SetBounds(appendCellSlot(nil, w.tenant, w.kind, lo), appendCellSlot(nil, w.tenant, w.kind, hi))
	for first, ok := true, w.it.First(); ok; first, ok = false, w.it.Next() {
		if w.steps++; w.steps%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		key := w.it.Key()
		_, slot, err := parseCellSlot(key)
		if err != nil {
			return err
		}
		if first || slot != w.slot {
			w.next(slot)
		}
		if !w.whole {
			continue
		}
		if err := w.add(key); err != nil {
			return err
		}
	}
	return w.it.Error()
}

// next notes the slot of the following cells.
func (w *cellWalk) next(slot uint32) {
	w.slot, w.whole = slot, w.a.Within(w.kind, slot)
	if w.whole {
		return
	}
	from, to := uint64(slot)*cellTicks(w.kind), uint64(slot+1)*cellTicks(w.kind)
	if n := len(w.split); n > 0 && w.split[n-1].hi.start == from {
		w.split[n-1].hi.start = to
		return
	}
	w.split = append(w.split, span{place{start: from}, place{start: to}})
}

// add adds the cell at the iterator.
func (w *cellWalk) add(key []byte) error {
	dims, ok := w.known[string(key[cellSlotEnd:])]
	if !ok {
		k, err := parseCellDims(key, w.kind)
		if err != nil {
			return err
		}
		dims.number, dims.holds = w.a.CellKey(&k)
		w.known[string(key[cellSlotEnd:])] = dims
	}
	if !dims.holds {
		return nil
	}
	value, err := w.it.ValueAndErr()
	if err != nil {
		return err
	}
	var s call.Sums
	if err := parseSums(&s, value); err != nil || s.Calls == 0 {
		return err
	}
	return w.a.Cell(w.kind, w.slot, dims.number, &s)
}
