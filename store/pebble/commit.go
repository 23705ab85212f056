package pebble

import (
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// apply builds one batch on the present state and hands it to the log. The returned function waits
// until the batch is on the disk.
//
// build may have read the batch of a writer that still waits for the disk. A batch that changes
// something follows that one in the log, so that its own sync covers both. One that changes nothing
// has to wait for that sync all the same, or it would confirm a state that a crash can still undo.
//
// room is the initial size of the batch in bytes.
func (s *Store) apply(room int, build func(*pebble.Batch) error) (wait func() error, err error) {
	select {
	case s.turn <- struct{}{}:
	case <-s.fault.over:
		return nil, s.fault.err()
	}
	defer func() { <-s.turn }()
	if err := s.fault.err(); err != nil {
		return nil, err
	}
	if s.readOnly || s.old && s.opts.AsItIs {
		return nil, errReadOnly
	}
	batch := s.db.NewBatchWithSize(room)
	if err := build(batch); err != nil {
		return nil, firstError(err, batch.Close())
	}
	if batch.Empty() {
		n := s.applied
		return func() error { return s.waitFor(n) }, batch.Close()
	}
	s.applied++
	n := s.applied
	if err := s.untilFault(func() error { return s.db.ApplyNoSyncWait(batch, pebble.Sync) }); err != nil {
		return nil, s.fault.set(err)
	}
	return func() error {
		if err := batch.SyncWait(); err != nil {
			return s.fault.set(err)
		}
		if err := s.synced(n); err != nil {
			return err
		}
		return batch.Close()
	}, nil
}

// stuckAfter is how long after a fault Pebble's unfinished work counts as stuck.
const stuckAfter = time.Second

// untilFault runs a call of Pebble that may wait for the writing of tables. Pebble makes a writer
// wait for them, and flushes, compactions and copies wait for that writer, and after a failed write
// they would wait for ever.
func (s *Store) untilFault(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-s.fault.over:
	}
	select {
	case err := <-done:
		return err
	case <-time.After(stuckAfter):
		s.stuck.Store(true)
		return s.fault.err()
	}
}

// synced notes that the n-th batch, and so all before it, is on the disk. If the store has failed
// meanwhile, that is unknown, and synced returns the fault.
func (s *Store) synced(n uint64) error {
	if err := s.fault.err(); err != nil {
		return err
	}
	for {
		have := s.durable.Load()
		if have >= n || s.durable.CompareAndSwap(have, n) {
			return nil
		}
	}
}

// waitFor waits until the n-th batch is on the disk.
func (s *Store) waitFor(n uint64) error {
	if s.durable.Load() >= n {
		return s.fault.err()
	}
	if err := s.untilFault(func() error { return s.db.LogData(nil, pebble.Sync) }); err != nil {
		return s.fault.set(err)
	}
	return s.synced(n)
}

// eachNamed calls f with the values whose name has the given prefix, until it
// returns false.
func (s *Store) eachNamed(ctx context.Context, prefix string, f func(call.Named) bool) (err error) {
	if err := s.life.enter(ctx); err != nil {
		return err
	}
	defer s.life.leave()
	key := appendStateKey(nil, prefix)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: key, UpperBound: after(key)})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		v, err := parseState(value)
		if err != nil {
			return err
		}
		if !f(call.Named{Name: string(it.Key()[1:]), Value: append([]byte{}, v...)}) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return it.Error()
}

var _ call.Store = (*Store)(nil)
