package pebble

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"unsafe"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// Rows implements [call.Reader]. The row's texts lie in the block under the iterator: it allocates
// nothing for a row.
//
// Without q.Where, the counts find q.Skip. With it, Rows uses the index for the look-ups of
// [call.PlanOf], and otherwise reads the range of time.
func (s *Store) Rows(ctx context.Context, q call.Query) iter.Seq2[*call.Row, error] {
	return func(yield func(*call.Row, error) bool) {
		err := s.each(ctx, q, func(r *call.Row) bool { return yield(r, nil) })
		if err != nil {
			yield(nil, s.readError("rows", err))
		}
	}
}

// Count implements [call.Reader]. It applies q.After, q.Skip and q.Limit too: the answer is the
// number of rows that Rows would yield.
func (s *Store) Count(ctx context.Context, q call.Query) (int64, error) {
	var n int64
	var err error
	q.Walk = call.Version{}
	if q.Where == nil {
		n, err = s.countAll(ctx, q)
	} else {
		err = s.each(ctx, q, func(*call.Row) bool { n++; return true })
	}
	if err != nil {
		return 0, s.readError("count", err)
	}
	return n, nil
}

// Row implements [call.Reader].
func (s *Store) Row(ctx context.Context, tenant, id call.GUID) (call.Row, error) {
	r, err := s.row(ctx, tenant, id)
	if err != nil {
		return call.Row{}, s.readError("row "+id.String(), err)
	}
	return r, nil
}

func (s *Store) row(ctx context.Context, tenant, id call.GUID) (r call.Row, err error) {
	if err := s.life.enter(ctx); err != nil {
		return r, err
	}
	defer s.life.leave()
	it, err := s.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return r, err
	}
	defer func() { err = firstError(err, it.Close()) }()
	start, id, err := findID(it, tenant, id)
	if err != nil {
		return r, err
	}
	return readRow(it, tenant, start, id)
}

// findID returns the start and the id of the row that id means, or [call.ErrNotFound].
func findID(it *pebble.Iterator, tenant, id call.GUID) (start uint64, row call.GUID, err error) {
	for {
		e, err := seekID(it, appendIDKey(nil, tenant, id))
		switch {
		case err != nil:
			return 0, id, err
		case e.kind == idOfRow:
			return e.start, id, nil
		case e.kind != idAlias:
			return 0, id, call.ErrNotFound
		}
		id = e.of
	}
}

// seekID returns the entry of the id with the given key.
func seekID(it *pebble.Iterator, key []byte) (e idEntry, err error) {
	if !it.SeekPrefixGE(key) {
		return e, it.Error()
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return e, err
	}
	return parseIDValue(value)
}

// seekBody returns the body of the row with the given key, which must be there. It is valid until
// the next step of it.
func seekBody(it *pebble.Iterator, key []byte) ([]byte, error) {
	if !it.SeekPrefixGE(key) {
		if err := it.Error(); err != nil {
			return nil, err
		}
		return nil, &call.CorruptError{Offset: -1, Err: fmt.Errorf("the row of id %v is missing", call.GUID(key[tenantEnd+8:]))}
	}
	return it.ValueAndErr()
}

// parseBody is [call.Row.ParseBody], with a malformed body as corruption.
func parseBody(r *call.Row, tenant call.GUID, start uint64, id call.GUID, body string) error {
	return corruptBody(r.ParseBody(tenant, call.TimeOf(start), id, body))
}

// corruptBody returns the error for readers of a body that does not parse.
func corruptBody(err error) error {
	if err != nil && !isNewer(err) {
		return &call.CorruptError{Offset: -1, Err: err}
	}
	return err
}

// A walk reads the rows of one query.
type walk struct {
	q      call.Query
	format int
	span   span
	it     *pebble.Iterator // over the rows of the span
	row    call.Row         // lent to the receiver
	units  []call.GUID      // room for row.AdministrativeUnits
	steps  int
	skip   int64 // how many rows to skip yet
	left   int   // how many rows to yield yet; negative if there is no limit
	yield  func(*call.Row) bool
	prefix []byte
	moves  *moveWalk // nil if no moves matter

	stopped bool // by the receiver
}

// each calls yield with each row that q selects until it returns false.
func (s *Store) each(ctx context.Context, q call.Query, yield func(*call.Row) bool) (err error) {
	if err := s.life.enter(ctx); err != nil {
		return err
	}
	defer s.life.leave()
	w := &walk{q: q, format: s.format, span: spanOf(q), skip: max(q.Skip, 0), left: -1, yield: yield}
	if q.Limit > 0 {
		w.left = q.Limit
	}
	whole := w.span
	var since uint64
	if !q.Walk.IsZero() {
		if since, err = s.heads.known(q.Tenant, q.Walk); err != nil {
			return err
		}
	}
	plan := call.PlanOf(q)
	w.span.narrow(plan)
	if whole.empty() || w.span.empty() && q.Walk.IsZero() {
		return nil
	}
	if w.span.empty() {
		w.span.hi = w.span.lo // a row outside may have moved into the condition's times
	}
	w.it, err = s.db.NewIter(&pebble.IterOptions{LowerBound: w.span.lo.key(q.Tenant), UpperBound: w.span.hi.key(q.Tenant)})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, w.it.Close()) }()
	if err := w.named(); err != nil {
		return err
	}
	var lookups []call.Lookup
	if s.canLookUp(plan.Any) {
		lookups = plan.Any
	}
	if q.Walk.IsZero() {
		return w.run(ctx, lookups)
	}
	// TrimChanges may have dropped the version before the snapshot.
	if _, err := s.heads.known(q.Tenant, q.Walk); err != nil {
		return err
	}
	if s.heads.stoodStill(q.Tenant, since) {
		return w.run(ctx, lookups)
	}
	if moved, err := w.movedSince(since); err != nil {
		return err
	} else if !moved {
		return w.run(ctx, lookups)
	}
	if w.moves, err = w.openMoves(ctx, since, whole); err != nil {
		return err
	} else if w.moves == nil {
		return w.run(ctx, lookups)
	}
	defer func() { err = firstError(err, w.moves.close()) }()
	if err := w.run(ctx, lookups); err != nil || w.left == 0 || w.stopped {
		return err
	}
	return w.rest()
}

// run yields the rows at their present places.
func (w *walk) run(ctx context.Context, lookups []call.Lookup) error {
	switch {
	case lookups != nil:
		return w.lookUp(ctx, lookups)
	case w.q.Where == nil && w.skip > 0 && w.moves == nil:
		ok, err := w.skipRows()
		if err != nil {
			return err
		}
		return w.scan(ctx, ok)
	case w.q.Reverse:
		return w.scan(ctx, w.it.Last())
	}
	return w.scan(ctx, w.it.First())
}

// named replaces aliases in the condition by the ids of their rows.
func (w *walk) named() error {
	var ids *pebble.Iterator
	var err error
	w.q.Where = call.MapIDs(w.q.Where, func(id call.GUID) call.GUID {
		if err == nil && ids == nil {
			ids, err = w.it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{UseL6Filters: true}})
		}
		if err != nil {
			return id
		}
		_, row, e := findID(ids, w.q.Tenant, id)
		switch {
		case e == nil:
			return row
		case !errors.Is(e, call.ErrNotFound):
			err = e
		}
		return id
	})
	if ids != nil {
		err = firstError(err, ids.Close())
	}
	return err
}

// scan goes on from the iterator's position; ok says whether that is a row.
func (w *walk) scan(ctx context.Context, ok bool) error {
	next := w.it.Next
	if w.q.Reverse {
		next = w.it.Prev
	}
	for ; ok; ok = next() {
		if more, err := w.give(ctx); err != nil || !more {
			return err
		}
	}
	return w.it.Error()
}

// give yields the row at the iterator if it matches, and reports whether to go on. Before it, it
// yields the rows that have left earlier places.
func (w *walk) give(ctx context.Context) (more bool, err error) {
	if w.steps++; w.steps%256 == 1 {
		if err := ctx.Err(); err != nil {
			return false, err
		}
	}
	if w.moves != nil {
		if came, more, err := w.upTo(w.it.Key()); err != nil || !more || came {
			return more, err
		}
	}
	return w.hand(w.it, call.Cursor{})
}

// hand yields the row at it if it matches, and reports whether to go on.
func (w *walk) hand(it *pebble.Iterator, met call.Cursor) (more bool, err error) {
	start, id, err := parseRowKey(it.Key())
	if err != nil {
		return false, err
	}
	body, err := it.ValueAndErr()
	if err != nil {
		return false, err
	}
	w.row.AdministrativeUnits = w.units
	if err := parseBody(&w.row, w.q.Tenant, start, id, unsafe.String(unsafe.SliceData(body), len(body))); err != nil {
		return false, err
	}
	if w.row.AdministrativeUnits != nil {
		w.units = w.row.AdministrativeUnits[:0]
	}
	switch {
	case w.q.Where != nil && !w.q.Where.Match(&w.row):
		return true, nil
	case w.skip > 0:
		w.skip--
		return true, nil
	}
	if met != w.row.Cursor() {
		w.row.Met = met
	}
	w.left--
	w.stopped = !w.yield(&w.row)
	return !w.stopped && w.left != 0, nil
}
