package pebble

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// A source yields the tails of one part of a look-up, a day at a time, in the order of the walk:
// either of one value in the index, which it reads on demand; or of a list, made of a range of
// values or of ids, which it reads first.
type source struct {
	w     *walk
	it    *pebble.Iterator
	kind  byte
	value []byte // the bytes before the tail; of a range, their common beginning
	fits  func(value []byte) bool
	ids   []tail // of a list of ids: all of them

	day    uint64
	prefix []byte // common beginning of the keys of the day
	bound  []byte
	list   []tail // the rest of the day
	head   tail
}

// ofValue returns the source of one value.
func (w *walk) ofValue(kind byte, value []byte) (*source, error) {
	s := &source{w: w, kind: kind, value: value}
	return s, s.open(filterOf(kind, value))
}

// ofRange returns the source of the values that begin with digits and for which fits holds. They
// may have a filter in common.
func (w *walk) ofRange(kind byte, digits []byte, filters []pebble.BlockPropertyFilter, fits func(value []byte) bool) (*source, error) {
	s := &source{w: w, kind: kind, value: digits, fits: fits}
	return s, s.open(filters)
}

// open gives s an iterator of its own, on the snapshot of the walk.
func (s *source) open(filters []pebble.BlockPropertyFilter) (err error) {
	s.it, err = s.w.it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{
		LowerBound: []byte{s.kind}, UpperBound: []byte{s.kind + 1}, PointKeyFilters: filters,
	}})
	return err
}

func (s *source) close() error {
	if s.it == nil {
		return nil
	}
	return s.it.Close()
}

// begin goes to the first tail of a day within the span, and reports whether there is one.
func (s *source) begin(day uint64) (ok bool, err error) {
	s.day = day
	switch {
	case s.it == nil:
		s.list = s.list[:0]
		for _, t := range s.ids {
			if t.start/ticksPerDay == day {
				s.list = append(s.list, t)
			}
		}
	case s.fits != nil:
		err = s.readRange()
	default:
		s.prefix = append(appendDay(s.prefix[:0], s.kind, s.w.q.Tenant, day), s.value...)
		s.it.SetBounds(s.bounds())
		if s.w.q.Reverse {
			ok = s.it.Last()
		} else {
			ok = s.it.First()
		}
		return s.take(ok)
	}
	if err != nil {
		return false, err
	}
	slices.SortFunc(s.list, tail.compare)
	if s.w.q.Reverse {
		slices.Reverse(s.list)
	}
	return s.next()
}

// next goes to the next tail of the day.
func (s *source) next() (ok bool, err error) {
	if s.it != nil && s.fits == nil {
		return s.take(s.step())
	}
	if len(s.list) == 0 {
		return false, nil
	}
	s.head, s.list = s.list[0], s.list[1:]
	return true, nil
}

func (s *source) step() bool {
	if s.w.q.Reverse {
		return s.it.Prev()
	}
	return s.it.Next()
}

// take makes a tail of the key at the iterator. Names may hold a 0, so that keys of longer names
// lie in between.
func (s *source) take(ok bool) (bool, error) {
	for ; ok; ok = s.step() {
		key := s.it.Key()
		if len(key) == len(s.prefix)+tailLen {
			s.head = parseTail(s.day, key[len(s.prefix):])
			return true, nil
		}
		if s.kind != kindPrincipal {
			return false, badKey(key)
		}
	}
	return false, s.it.Error()
}

// bounds returns the bounds of the keys of the day and value, within the span.
func (s *source) bounds() (lower, upper []byte) {
	lower = s.prefix
	n := len(s.prefix)
	if lo := s.w.span.lo.start; lo/ticksPerDay == s.day {
		lower = appendTail(s.prefix, lo, call.GUID{})
	}
	s.bound = append(s.bound[:0], s.prefix[:n]...)
	if hi := s.w.span.hi.start + 1; hi/ticksPerDay == s.day {
		s.bound = appendTail(s.bound, hi, call.GUID{})
	} else {
		s.bound = behind(s.bound)
	}
	s.prefix = lower[:n]
	return lower, s.bound
}

// readRange reads the tails of all values of the range on the day. They come in the order of the
// values, so that the first one is known only after all are read.
func (s *source) readRange() error {
	s.list = s.list[:0]
	s.prefix = append(appendDay(s.prefix[:0], s.kind, s.w.q.Tenant, s.day), s.value...)
	s.bound = behind(append(s.bound[:0], s.prefix...))
	s.it.SetBounds(s.prefix, s.bound)
	var last []byte
	fits := false
	for ok := s.it.First(); ok; ok = s.it.Next() {
		key := s.it.Key()
		end := len(key) - tailLen
		if end <= valueAt || key[end-1] != 0 {
			return badKey(key)
		}
		if value := key[valueAt : end-1]; !bytes.Equal(value, last) {
			last = append(last[:0], value...)
			fits = s.fits(value)
		}
		if !fits {
			continue
		}
		if t := parseTail(s.day, key[end:]); t.start >= s.w.span.lo.start && t.start <= s.w.span.hi.start {
			s.list = append(s.list, t)
		}
	}
	return s.it.Error()
}

func (t tail) compare(u tail) int {
	return cmp.Or(cmp.Compare(t.start, u.start), cmp.Compare(t.short, u.short))
}

// sources are those of one plan, with those that have more on the day.
type sources struct {
	all    []*source
	active []*source
	last   tail // the last one yielded on this day
	any    bool // one was
}

func (ss *sources) close() (err error) {
	for _, s := range ss.all {
		err = firstError(err, s.close())
	}
	return err
}

// begin goes to a day.
func (ss *sources) begin(day uint64) error {
	ss.active, ss.any = ss.active[:0], false
	for _, s := range ss.all {
		ok, err := s.begin(day)
		if err != nil {
			return err
		}
		if ok {
			ss.active = append(ss.active, s)
		}
	}
	return nil
}

// next returns the next tail of the day, in the order of the walk and each once.
func (ss *sources) next(reverse bool) (t tail, ok bool, err error) {
	for len(ss.active) > 0 {
		at := 0
		for i, s := range ss.active {
			if c := s.head.compare(ss.active[at].head); c < 0 && !reverse || c > 0 && reverse {
				at = i
			}
		}
		s := ss.active[at]
		t = s.head
		more, err := s.next()
		if err != nil {
			return t, false, err
		}
		if !more {
			ss.active = slices.Delete(ss.active, at, at+1)
		}
		if !ss.any || t != ss.last {
			ss.last, ss.any = t, true
			return t, true, nil
		}
	}
	return t, false, nil
}
