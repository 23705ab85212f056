package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// Write implements [call.Store]. One writer at a time reads the present state, folds and hands its
// batch to the log; many wait together for the log to reach the disk.
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
	c.cells = newCells(s.cells, len(b.Rows))
	wait, err := s.apply(c.size(), func(batch *pebble.Batch) error {
		if err := firstError(s.checkIf(b.If), s.checkStill(b.Still)); err != nil {
			return err
		}
		if err := c.fold(s.db, batch); err != nil {
			return err
		}
		if err := firstError(c.messages.addTo(batch), setState(batch, b.State), c.setKept(batch)); err != nil {
			return err
		}
		return s.number(batch, c)
	})
	if err != nil {
		return call.Result{}, err
	}
	if err := wait(); err != nil {
		return call.Result{}, err
	}
	s.heads.show(c.heads)
	return c.results(), nil
}

// size returns about how many bytes the batch of a change has: a batch that grows copies itself.
func (c *change) size() int {
	const keys = 450 // for a row with two numbers and a user, with those of its counts
	n := keys*len(c.rows) + len(c.bodies)
	if len(c.batch.Keep) > 0 {
		n += len(c.bodies) + 32*len(c.rows)
	}
	return n
}

// checkIf compares the state with the batch's conditions.
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
