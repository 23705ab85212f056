package pebble

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// wholeStore are the options of an iterator without bounds.
func wholeStore() *pebble.IterOptions { return &pebble.IterOptions{} }

// skipRows moves the iterator behind the first w.skip rows of the span, and reports whether there
// is a row. It steps over rows to the end of the first minute; then over minutes to the end of the
// hour, hours to the end of the day, and days; and within the day of the target back down.
func (w *walk) skipRows() (ok bool, err error) {
	it, err := w.it.Clone(pebble.CloneOptions{IterOptions: wholeStore()})
	if err != nil {
		return false, err
	}
	defer func() { err = firstError(err, it.Close()) }()
	c := &counter{it: it, tenant: w.q.Tenant}
	at, ok, err := w.skipToMinute()
	if err != nil || !ok || w.skip == 0 {
		return ok, err
	}
	gs := grains()
	for i := len(gs) - 1; i >= 0; i-- {
		end := w.farEnd(gs, i, at)
		n, stop, stopped, err := c.walk(gs[i], min(at, end), max(at, end), w.q.Reverse, w.skip)
		if err != nil {
			return false, err
		}
		w.skip -= n
		if stopped {
			return w.skipDown(c, i, stop)
		}
		// At the end of the span, a coarser bucket would hold rows that were skipped already.
		if at = end; w.q.Reverse && at <= w.span.lo.start || !w.q.Reverse && at >= w.span.hi.start {
			break
		}
	}
	return false, nil // the span has too few rows
}

// farEnd returns how far to walk on grain i from at: to where the next coarser
// one begins, but not past the span.
func (w *walk) farEnd(gs [3]grain, i int, at uint64) uint64 {
	if w.q.Reverse {
		end := w.span.lo.start / gs[i].ticks * gs[i].ticks
		if i > 0 {
			end = max(end, at/gs[i-1].ticks*gs[i-1].ticks)
		}
		return min(end, at)
	}
	end := roundUp(w.span.hi.start, gs[i].ticks)
	if i > 0 {
		end = min(end, roundUp(at, gs[i-1].ticks))
	}
	return max(end, at)
}

// skipToMinute steps over rows until the skip is complete or a whole minute begins, which it
// returns. It reports whether the iterator is at a row.
func (w *walk) skipToMinute() (at uint64, ok bool, err error) {
	next := w.it.Next
	if w.q.Reverse {
		next = w.it.Prev
		at = w.span.hi.start / ticksPerMinute * ticksPerMinute
		ok = w.it.Last()
	} else {
		if at = roundUp(w.span.lo.start, ticksPerMinute); at == w.span.lo.start && !w.span.lo.whole() {
			at += ticksPerMinute
		}
		ok = w.it.First()
	}
	for ; ok && w.skip > 0; ok = next() {
		start, _, err := parseRowKey(w.it.Key())
		if err != nil {
			return 0, false, err
		}
		if start < at == w.q.Reverse {
			break
		}
		w.skip--
	}
	return at, ok, w.it.Error()
}

// skipDown finds the target within one bucket of grain i, which has more rows than the rest of the
// skip.
func (w *walk) skipDown(c *counter, i int, at uint64) (ok bool, err error) {
	gs := grains()
	for ; i+1 < len(gs); i++ {
		n, stop, stopped, err := c.walk(gs[i+1], at, at+gs[i].ticks, w.q.Reverse, w.skip)
		if err != nil {
			return false, err
		}
		if !stopped {
			return false, &call.CorruptError{Offset: -1, Err: errNoCounts}
		}
		w.skip -= n
		at = stop
	}
	next := w.it.Next
	if w.q.Reverse {
		next = w.it.Prev
		ok = w.it.SeekLT(place{start: at + ticksPerMinute}.key(w.q.Tenant))
	} else {
		ok = w.it.SeekGE(place{start: at}.key(w.q.Tenant))
	}
	for ; ok && w.skip > 0; w.skip-- {
		ok = next()
	}
	return ok, w.it.Error()
}

// countAll counts the rows of a query without a condition.
func (s *Store) countAll(ctx context.Context, q call.Query) (n int64, err error) {
	if err := s.life.enter(ctx); err != nil {
		return 0, err
	}
	defer s.life.leave()
	sp := spanOf(q)
	if sp.empty() {
		return 0, nil
	}
	it, err := s.db.NewIter(wholeStore())
	if err != nil {
		return 0, err
	}
	defer func() { err = firstError(err, it.Close()) }()
	n, err = countSpan(it, q.Tenant, sp)
	n = max(n-max(q.Skip, 0), 0)
	if q.Limit > 0 {
		n = min(n, int64(q.Limit))
	}
	return n, err
}

// countSpan counts the rows of a span: by the counts for whole minutes, and by the rows themselves
// at both ends.
func countSpan(it *pebble.Iterator, tenant call.GUID, sp span) (int64, error) {
	lo := roundUp(sp.lo.start, ticksPerMinute)
	if lo == sp.lo.start && !sp.lo.whole() {
		lo += ticksPerMinute
	}
	hi := sp.hi.start / ticksPerMinute * ticksPerMinute
	if lo >= hi {
		return countRows(it, tenant, sp)
	}
	c := &counter{it: it, tenant: tenant}
	n, err := c.sum(lo, hi)
	if err != nil {
		return 0, err
	}
	for _, edge := range []span{{sp.lo, place{start: lo}}, {place{start: hi}, sp.hi}} {
		m, err := countRows(it, tenant, edge)
		if err != nil {
			return 0, err
		}
		n += m
	}
	return n, nil
}

func countRows(it *pebble.Iterator, tenant call.GUID, sp span) (n int64, err error) {
	if sp.empty() {
		return 0, nil
	}
	it.SetBounds(sp.lo.key(tenant), sp.hi.key(tenant))
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	return n, it.Error()
}
