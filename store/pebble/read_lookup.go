package pebble

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
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

// lookUp gives the rows to which an index leads, day by day. The days are
// those of which the counts say that there are rows.
func (w *walk) lookUp(ctx context.Context, p plan) (err error) {
	it, err := w.it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{UseL6Filters: true}})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	if p.kind == kindID {
		return w.lookUpID(ctx, it, p.id)
	}
	day := grains()[0]
	counts, err := w.it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{
		LowerBound: appendCountKey(nil, w.q.Tenant, day, w.span.lo.start),
		UpperBound: appendCountKey(nil, w.q.Tenant, day, roundUp(w.span.hi.start+1, ticksPerDay)),
	}})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, counts.Close()) }()
	next := counts.Next
	ok := false
	if w.q.Reverse {
		next = counts.Prev
		ok = counts.Last()
	} else {
		ok = counts.First()
	}
	var tails []tail
	for ; ok; ok = next() {
		_, start, err := parseCountKey(counts.Key())
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if tails, err = w.tails(it, p, start/ticksPerDay, tails[:0]); err != nil {
			return err
		}
		if more, err := w.follow(ctx, tails); err != nil || !more {
			return err
		}
	}
	return counts.Error()
}

func (w *walk) lookUpID(ctx context.Context, it *pebble.Iterator, id call.GUID) error {
	start, found, err := seekID(it, appendIDKey(nil, w.q.Tenant, id))
	if err != nil || !found {
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
// each once.
func (w *walk) tails(it *pebble.Iterator, p plan, day uint64, to []tail) ([]tail, error) {
	w.prefix = appendDay(w.prefix[:0], p.kind, w.q.Tenant, day)
	if p.kind != kindNumber {
		w.prefix = append(w.prefix, p.guid[:]...)
		return w.tailsOf(it, day, to)
	}
	w.prefix = append(append(w.prefix, p.digits...), 0)
	to, err := w.tailsOf(it, day, to)
	if err != nil {
		return to, err
	}
	// Masked numbers: those whose known digits are the beginning of p's. What
	// the iterator stands on after each seek says which beginning can be next.
	for n := 0; n <= len(p.digits); n++ {
		w.prefix = appendDay(w.prefix[:0], kindMasked, w.q.Tenant, day)
		w.prefix = append(append(w.prefix, p.digits[:n]...), 0)
		if to, err = w.tailsOf(it, day, to); err != nil {
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
	slices.SortFunc(to, func(x, y tail) int {
		return cmp.Or(cmp.Compare(x.start, y.start), cmp.Compare(x.short, y.short))
	})
	return slices.Compact(to), nil
}

// tailsOf appends the tails of the index keys that begin with w.prefix and lie
// within the span.
func (w *walk) tailsOf(it *pebble.Iterator, day uint64, to []tail) ([]tail, error) {
	n := len(w.prefix)
	key := w.prefix
	if first := w.span.lo.start; first > day*ticksPerDay {
		key = appendTail(key, first, call.GUID{})
	}
	ok := it.SeekGE(key)
	for ; ok && bytes.HasPrefix(it.Key(), w.prefix[:n]); ok = it.Next() {
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

// follow gives the rows to which the tails lead, in the direction of the walk.
func (w *walk) follow(ctx context.Context, tails []tail) (more bool, err error) {
	if w.q.Reverse {
		slices.Reverse(tails)
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
