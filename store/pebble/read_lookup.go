package pebble

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// lookUp yields the rows of the look-ups. It reads the index day by day, on days that have rows by
// the counts, and follows the entries in small groups: thousands of rows may share a value, and a
// caller that wants the first few should not wait for all of them.
func (w *walk) lookUp(ctx context.Context, lookups []call.Lookup) (err error) {
	from, err := w.sourcesOf(lookups)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, from.close()) }()
	if len(from.all) == 0 {
		return nil
	}
	counts, err := w.countsOfDays()
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, counts.Close()) }()
	next, ok := counts.Next, false
	if w.q.Reverse {
		next, ok = counts.Prev, counts.Last()
	} else {
		ok = counts.First()
	}
	found := found{enough: fewTails}
	for ; ok; ok = next() {
		_, start, err := parseCountKey(counts.Key())
		if err != nil {
			return err
		}
		if more, err := w.lookUpDay(ctx, from, start/ticksPerDay, &found); err != nil || !more {
			return err
		}
	}
	if err := counts.Error(); err != nil {
		return err
	}
	_, err = w.follow(ctx, found.tails)
	return err
}

// found holds the places to look up together next.
type found struct {
	tails  []tail
	enough int
}

// lookUpDay collects the places of the sources on one day, and reports whether to go on.
func (w *walk) lookUpDay(ctx context.Context, from *sources, day uint64, to *found) (more bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := from.begin(day); err != nil {
		return false, err
	}
	for {
		t, ok, err := from.next(w.q.Reverse)
		if err != nil || !ok {
			return err == nil, err
		}
		if to.tails = append(to.tails, t); len(to.tails) < to.enough {
			continue
		}
		if more, err := w.follow(ctx, to.tails); err != nil || !more {
			return false, err
		}
		to.tails, to.enough = to.tails[:0], min(2*to.enough, manyTails)
	}
}

// How many places lookUp follows together: few at first, for callers that want only the first rows.
const (
	fewTails  = 16
	manyTails = 512
)

// countsOfDays returns an iterator over the counts of the days of the span.
func (w *walk) countsOfDays() (*pebble.Iterator, error) {
	day := grains()[0]
	return w.it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{
		LowerBound: appendCountKey(nil, w.q.Tenant, day, w.span.lo.start),
		UpperBound: appendCountKey(nil, w.q.Tenant, day, roundUp(w.span.hi.start+1, ticksPerDay)),
	}})
}

// follow yields the rows of the tails, in their order. Mostly each is in another block, and reading
// and unpacking blocks is nearly all of the work, so another goroutine reads half of them ahead.
func (w *walk) follow(ctx context.Context, tails []tail) (more bool, err error) {
	if half := len(tails) / 2; half >= fewTails/2 {
		stop, err := w.readAhead(tails[half:])
		if err != nil {
			return false, err
		}
		defer stop()
	}
	for _, t := range tails {
		w.prefix = t.appendRowPrefix(w.prefix[:0], w.q.Tenant)
		next := w.it.Next
		ok := false
		if w.q.Reverse {
			next = w.it.Prev
			ok = w.it.SeekLT(after(w.prefix))
		} else {
			ok = w.it.SeekGE(w.prefix)
		}
		for ; ok && bytes.HasPrefix(w.it.Key(), w.prefix); ok = next() {
			if more, err := w.give(ctx); err != nil || !more {
				return false, err
			}
		}
		if err := w.it.Error(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// readAhead loads the blocks of the tails' rows into the cache, in a goroutine that ends before
// stop returns. It ignores errors: the reader of the rows meets them again.
func (w *walk) readAhead(tails []tail) (stop func(), err error) {
	it, err := w.it.Clone(pebble.CloneOptions{})
	if err != nil {
		return nil, err
	}
	var enough atomic.Bool
	var done sync.WaitGroup
	tenant := w.q.Tenant
	done.Go(func() {
		var key []byte
		for _, t := range tails {
			if enough.Load() {
				return
			}
			key = t.appendRowPrefix(key[:0], tenant)
			it.SeekGE(key)
		}
	})
	return func() {
		enough.Store(true)
		done.Wait()
		_ = it.Close()
	}, nil
}
