package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// Write implements [call.Store]. One writer at a time looks at what is there,
// folds and hands its batch to the log; many wait together for the log to
// reach the disk.
func (s *Store) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	res, err := s.write(ctx, b)
	if err != nil {
		return call.Result{}, s.readError("write", err)
	}
	return res, nil
}

func (s *Store) write(ctx context.Context, b call.Batch) (call.Result, error) {
	if err := s.life.enter(ctx); err != nil {
		return call.Result{}, err
	}
	defer s.life.leave()
	if err := s.room.forWrite(); err != nil {
		return call.Result{}, err
	}
	c, err := newChange(b)
	if err != nil {
		return call.Result{}, err
	}
	c.cells = newCells(s.cells)
	wait, err := s.apply(func(batch *pebble.Batch) error {
		if err := s.checkIf(b.If); err != nil {
			return err
		}
		if err := c.fold(s.db, batch); err != nil {
			return err
		}
		if err := c.messages.addTo(batch); err != nil {
			return err
		}
		return setState(batch, b.State)
	})
	if err != nil {
		return call.Result{}, err
	}
	return c.result, wait()
}

// checkIf compares the state with what the batch asks for.
func (s *Store) checkIf(when map[string][]byte) error {
	var key []byte
	for name, want := range when {
		key = appendStateKey(key[:0], name)
		value, closer, err := s.db.Get(key)
		switch {
		case errors.Is(err, pebble.ErrNotFound):
			if want != nil {
				return fmt.Errorf("state %q is not there: %w", name, call.ErrConflict)
			}
			continue
		case err != nil:
			return err
		}
		have, err := parseState(value)
		same := want != nil && bytes.Equal(have, want)
		if err = firstError(err, closer.Close()); err != nil {
			return err
		}
		if !same {
			return fmt.Errorf("state %q: %w", name, call.ErrConflict)
		}
	}
	return nil
}

// A change is a batch on its way to the log.
type change struct {
	rows     []call.Row
	bodies   []byte // of the rows as they came, one after the other
	ends     []int  // where each body ends
	order    []int  // the rows by (tenant, id), those of one id as they came
	result   call.Result
	keys     keyList
	tally    tally
	cells    *cells
	messages messageList
}

// newChange checks the rows and messages and encodes them. Nothing here needs
// the store, so that writers do it side by side.
func newChange(b call.Batch) (c *change, err error) {
	c = &change{
		rows: make([]call.Row, len(b.Rows)), ends: make([]int, len(b.Rows)), order: make([]int, len(b.Rows)),
		bodies: make([]byte, 0, 128*len(b.Rows)), tally: tally{}, result: call.Result{Rows: make([]call.Written, len(b.Rows))},
	}
	for i := range b.Rows {
		r := &c.rows[i]
		*r = b.Rows[i]
		inTicks(r)
		if err := r.Check(); err != nil {
			return nil, fmt.Errorf("row %d of %d: %w", i+1, len(b.Rows), err)
		}
		c.bodies = r.AppendBody(c.bodies)
		c.ends[i] = len(c.bodies)
		c.order[i] = i
	}
	slices.SortStableFunc(c.order, func(i, j int) int {
		x, y := &c.rows[i], &c.rows[j]
		if d := bytes.Compare(x.Tenant[:], y.Tenant[:]); d != 0 {
			return d
		}
		return bytes.Compare(x.ID[:], y.ID[:])
	})
	c.messages, err = newMessageList(&b)
	return c, err
}

// inTicks cuts the times of r to what is kept of them.
func inTicks(r *call.Row) {
	for f := range call.NumFields {
		if f.Type() == call.Time {
			r.SetTime(f, inTick(r.Time(f)))
		}
	}
	r.ClaimedStart = inTick(r.ClaimedStart)
}

func inTick(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(100 * time.Nanosecond)
}

func (c *change) body(i int) []byte {
	if i == 0 {
		return c.bodies[:c.ends[0]]
	}
	return c.bodies[c.ends[i-1]:c.ends[i]]
}

// fold adds to batch what the rows change. The ids are looked up in their
// order, by one iterator that asks the bloom filters of all levels first: a new
// id costs no read.
func (c *change) fold(db *pebble.DB, batch *pebble.Batch) (err error) {
	if len(c.rows) == 0 {
		return nil
	}
	it, err := db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	var key []byte
	for n := 0; n < len(c.order); {
		first := &c.rows[c.order[n]]
		end := n + 1
		for end < len(c.order) && c.rows[c.order[end]].ID == first.ID && c.rows[c.order[end]].Tenant == first.Tenant {
			end++
		}
		key = appendIDKey(key[:0], first.Tenant, first.ID)
		start, found, err := seekID(it, key)
		if err != nil {
			return err
		}
		if found {
			err = c.foldOld(it, start, c.order[n:end])
		} else {
			c.foldNew(c.order[n:end])
		}
		if err != nil {
			return err
		}
		n = end
	}
	if err := c.keys.leave(it); err != nil {
		return err
	}
	if err := c.keys.addTo(batch); err != nil {
		return err
	}
	return firstError(c.tally.merge(batch), c.cells.merge(batch))
}

// foldNew takes in the rows of one id that was not there.
func (c *change) foldNew(rows []int) {
	r := &c.rows[rows[0]]
	start := call.Ticks(r.Start)
	body := c.body(rows[0])
	if c.foldInto(r, rows[1:]) {
		body = r.AppendBody(nil)
	}
	c.wrote(rows, r.Start)
	c.result.Rows[rows[0]].Fate = call.New
	c.tally.add(r.Tenant, start, 1)
	c.cells.add(r)
	c.keys.setRow(r, start, body)
	c.keys.setID(r, start)
	c.keys.setIndex(r, start)
}

// wrote notes where rows of one id stand; at first they are the same.
func (c *change) wrote(rows []int, start time.Time) {
	for _, i := range rows {
		c.result.Rows[i].Place = call.Cursor{Start: start, ID: c.rows[i].ID}
	}
}

// foldInto folds rows into r and reports whether that changed it.
func (c *change) foldInto(r *call.Row, rows []int) (changed bool) {
	for _, i := range rows {
		if r.Fold(&c.rows[i]) {
			changed = true
			c.result.Rows[i].Fate = call.Changed
		}
	}
	return changed
}

// foldOld folds the rows of one id into the row that is there.
func (c *change) foldOld(it *pebble.Iterator, start uint64, rows []int) error {
	w := &c.rows[rows[0]]
	body, err := seekBody(it, appendRowKey(nil, w.Tenant, start, w.ID))
	if err != nil {
		return err
	}
	var old call.Row
	if err := parseBody(&old, w.Tenant, start, w.ID, string(body)); err != nil {
		return err
	}
	c.wrote(rows, old.Start)
	now := old
	if !c.foldInto(&now, rows) {
		return nil
	}
	c.cells.replace(&old, &now)
	body = now.AppendBody(nil)
	c.keys.setRow(&now, start, body)
	c.keys.moveIndex(&old, &now, start, body)
	return nil
}

// setState adds the state of a batch to it.
func setState(batch *pebble.Batch, state map[string][]byte) error {
	var key []byte
	for name, v := range state {
		key = appendStateKey(key[:0], name)
		var err error
		if v == nil {
			err = batch.Delete(key, nil)
		} else {
			err = batch.Set(key, append([]byte{valueVersion}, v...), nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func parseState(v []byte) ([]byte, error) {
	if len(v) == 0 || v[0] != valueVersion {
		return nil, badValue("a state", v)
	}
	return v[1:], nil
}
