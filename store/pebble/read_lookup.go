package pebble

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// A plan says which index answers a part of a condition. What it finds is a
// superset of the answer: the whole condition is still put to every row.
type plan struct {
	id     call.GUID // the row itself
	kind   byte      // kindCorrelation, kindUser, kindNumber or none
	guid   call.GUID
	digits []byte // of a number without masked ones
}

func (p plan) useful() bool { return p.kind != 0 }

// rank orders the kinds by how few rows they lead to.
func (p plan) rank() int { return strings.IndexByte("unci", p.kind) }

// planOf looks at the parts that must all hold. Those about the start narrow
// the span; of the others the best index is taken.
func planOf(x call.Expr, sp *span) plan {
	var best plan
	var look func(call.Expr)
	look = func(x call.Expr) {
		var p plan
		switch x := x.(type) {
		case call.And:
			for _, part := range x {
				look(part)
			}
		case call.Or:
			p = planAny(x)
		case call.Digits:
			p = planNumber(string(x))
		case call.Compare:
			p = planCompare(x, sp)
		}
		if p.useful() && (!best.useful() || p.rank() > best.rank()) {
			best = p
		}
	}
	look(x)
	return best
}

// planAny plans for parts of which one must hold: if all of them are answered
// by the same look-up, as those about caller and callee with one number.
func planAny(parts call.Or) (p plan) {
	for i, part := range parts {
		var sp span // a part narrows only itself
		switch q := planOf(part, &sp); {
		case i == 0:
			p = q
		case q.kind != p.kind || q.id != p.id || q.guid != p.guid || !bytes.Equal(q.digits, p.digits):
			return plan{}
		}
	}
	return p
}

func planCompare(x call.Compare, sp *span) plan {
	switch v := x.Value.(type) {
	case time.Time:
		if x.Field == call.FieldStart {
			narrow(sp, x.Op, v)
		}
	case string:
		if (x.Field == call.FieldCaller || x.Field == call.FieldCallee) && x.Op == call.EQ {
			return planNumber(v)
		}
	case call.GUID:
		if x.Op != call.EQ || v.IsZero() {
			break
		}
		switch x.Field {
		case call.FieldID:
			return plan{kind: kindID, id: v}
		case call.FieldCorrelationID:
			return plan{kind: kindCorrelation, guid: v}
		case call.FieldUserID:
			return plan{kind: kindUser, guid: v}
		}
	}
	return plan{}
}

// planNumber plans for a number. One that is asked for with '*' in it, or
// without any digit, has no place in the index.
func planNumber(n string) plan {
	digits, masked := call.AppendDigits(nil, n)
	if masked > 0 || len(digits) == 0 {
		return plan{}
	}
	return plan{kind: kindNumber, digits: digits}
}

func narrow(sp *span, op call.Op, t time.Time) {
	switch op {
	case call.EQ:
		sp.from(t)
		sp.to(t.Add(1))
	case call.GE:
		sp.from(t)
	case call.GT:
		sp.from(t.Add(1))
	case call.LE:
		sp.to(t.Add(1))
	case call.LT:
		sp.to(t)
	}
}

// lookUp gives the rows to which an index leads. It reads the index day by day,
// of the days of which the counts say that there are rows, and follows what it
// has found as soon as that is worth it.
func (w *walk) lookUp(ctx context.Context, p plan) (err error) {
	it, err := w.it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{UseL6Filters: true}})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	if p.kind == kindID {
		return w.lookUpID(ctx, it, p.id)
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
	var tails []tail
	for enough := fewTails; ok; ok = next() {
		_, start, err := parseCountKey(counts.Key())
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for rest, last := true, (tail{}); rest; {
			if tails, rest, err = w.tails(it, p, start/ticksPerDay, last, tails, enough); err != nil {
				return err
			}
			if len(tails) < enough {
				continue
			}
			last = tails[len(tails)-1]
			if more, err := w.follow(ctx, tails); err != nil || !more {
				return err
			}
			tails, enough = tails[:0], min(2*enough, manyTails)
		}
	}
	if err := counts.Error(); err != nil {
		return err
	}
	_, err = w.follow(ctx, tails)
	return err
}

// How many places are looked up together: few at first, for those who want
// only the first rows.
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

func (w *walk) lookUpID(ctx context.Context, it *pebble.Iterator, id call.GUID) error {
	start, id, err := findID(it, w.q.Tenant, id)
	if err != nil {
		if errors.Is(err, call.ErrNotFound) {
			return nil
		}
		return err
	}
	key := appendRowKey(nil, w.q.Tenant, start, id)
	if w.it.SeekGE(key) && bytes.Equal(w.it.Key(), key) {
		_, err := w.give(ctx)
		return err
	}
	return w.it.Error()
}

// tails appends the tails that the index has for p on one day, in order and
// each once; what is in to already stays as it is.
//
// Where the index has them in order, it stops when there are enough, reports that
// there may be a rest, and goes on behind last: thousands may share a value, and
// whoever wants the first few does not wait for all of them.
func (w *walk) tails(it *pebble.Iterator, p plan, day uint64, last tail, to []tail, enough int) (_ []tail, rest bool, err error) {
	w.prefix = appendDay(w.prefix[:0], p.kind, w.q.Tenant, day)
	old := len(to)
	switch {
	case p.kind == kindNumber:
		to, err = w.tailsOfNumber(it, p, day, to)
	case w.q.Reverse:
		w.prefix = append(w.prefix, p.guid[:]...)
		to, err = w.tailsOf(it, day, tail{}, to, math.MaxInt)
	default:
		w.prefix = append(w.prefix, p.guid[:]...)
		to, err = w.tailsOf(it, day, last, to, enough)
		return to, err == nil && len(to) >= enough, err
	}
	if w.q.Reverse {
		slices.Reverse(to[old:])
	}
	return to, false, err
}

// tailsOfNumber appends the tails of a number and of the masked ones that may be
// it.
func (w *walk) tailsOfNumber(it *pebble.Iterator, p plan, day uint64, to []tail) ([]tail, error) {
	w.prefix = append(append(w.prefix, p.digits...), 0)
	old := len(to)
	to, err := w.tailsOf(it, day, tail{}, to, math.MaxInt)
	if err != nil {
		return to, err
	}
	// Masked numbers: those whose known digits are the beginning of p's. What
	// the iterator stands on after each seek says which beginning can be next.
	for n := 0; n <= len(p.digits); n++ {
		w.prefix = appendDay(w.prefix[:0], kindMasked, w.q.Tenant, day)
		w.prefix = append(append(w.prefix, p.digits[:n]...), 0)
		if to, err = w.tailsOf(it, day, tail{}, to, math.MaxInt); err != nil {
			return to, err
		}
		if !it.Valid() || !bytes.HasPrefix(it.Key(), w.prefix[:valueAt]) {
			break
		}
		// Beginnings that sort before what comes next are not there.
		for n < len(p.digits) && bytes.Compare(p.digits[:n+1], it.Key()[valueAt:]) < 0 && !bytes.HasPrefix(it.Key()[valueAt:], p.digits[:n+1]) {
			n++
		}
	}
	slices.SortFunc(to[old:], func(x, y tail) int {
		return cmp.Or(cmp.Compare(x.start, y.start), cmp.Compare(x.short, y.short))
	})
	return to[:old+len(slices.Compact(to[old:]))], nil
}

// tailsOf appends the tails of the index keys that begin with w.prefix, lie within
// the span and behind last, until there are enough.
func (w *walk) tailsOf(it *pebble.Iterator, day uint64, last tail, to []tail, enough int) ([]tail, error) {
	n := len(w.prefix)
	key := w.prefix
	switch first := w.span.lo.start; {
	case last != tail{}:
		key = append(last.append(key), 0)
	case first > day*ticksPerDay:
		key = appendTail(key, first, call.GUID{})
	}
	ok := it.SeekGE(key)
	for ; ok && len(to) < enough && bytes.HasPrefix(it.Key(), w.prefix[:n]); ok = it.Next() {
		if len(it.Key()) != n+tailLen {
			return to, badKey(it.Key())
		}
		t := parseTail(day, it.Key()[n:])
		if t.start > w.span.hi.start {
			break
		}
		to = append(to, t)
	}
	return to, it.Error()
}

// follow gives the rows to which the tails lead, in their order. Each of them
// is in another block as a rule, and to read and unpack blocks is nearly all of
// the work, so that half of them are read beforehand by somebody else.
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

// readAhead brings the blocks of the rows to which the tails lead into the
// cache, in a goroutine that ends before stop returns. What goes wrong there is
// met again by whoever reads the rows, if anybody does.
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
