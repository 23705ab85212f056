package ingest

import (
	"container/heap"
	"slices"
	"time"
)

// A turns is a queue of the legs that have just had a message, in which the sources take turns. The
// legs of a source stand in order.
type turns struct {
	sources map[string]*fifo
	order   []*fifo // those that have legs
	at      int     // index in order of the source whose turn it is
}

// A fifo is a queue of the legs of one source.
type fifo struct {
	legs []*held
	head int
}

func (q *turns) push(l *held) {
	if q.sources == nil {
		q.sources = make(map[string]*fifo)
	}
	f := q.sources[l.Source]
	if f == nil {
		f = &fifo{}
		q.sources[l.Source] = f
	}
	if f.empty() {
		q.order = append(q.order, f)
	}
	f.legs = append(f.legs, l)
}

// next removes the next leg that was queued at the given time or before, and returns it; nil if no
// source has one.
func (q *turns) next(until time.Time) *held {
	for range len(q.order) {
		if q.at >= len(q.order) {
			q.at = 0
		}
		f := q.order[q.at]
		l := f.legs[f.head]
		if l.queued.After(until) {
			q.at++
			continue
		}
		if f.pop(); f.empty() {
			q.order = slices.Delete(q.order, q.at, q.at+1)
		} else {
			q.at++
		}
		return l
	}
	return nil
}

// putBack makes a leg that next has returned the first one of its source again.
func (q *turns) putBack(l *held) {
	f := q.sources[l.Source]
	if f.empty() {
		q.order = append(q.order, f)
	}
	f.legs = slices.Insert(f.legs, f.head, l)
}

func (q *fifo) empty() bool { return q.head == len(q.legs) }

func (q *fifo) pop() {
	q.legs[q.head] = nil
	q.head++
	if q.empty() || q.head > 1024 && q.head > len(q.legs)/2 {
		q.legs = append(q.legs[:0], q.legs[q.head:]...)
		q.head = 0
	}
}

// A legHeap is a heap of legs, the least first. Each leg knows its place in it, from 1; 0 means
// that it is not there.
type legHeap struct {
	legs  []*held
	less  func(a, b *held) bool
	place func(l *held) *int
}

func (q *legHeap) Len() int           { return len(q.legs) }
func (q *legHeap) Less(i, j int) bool { return q.less(q.legs[i], q.legs[j]) }
func (q *legHeap) Swap(i, j int) {
	q.legs[i], q.legs[j] = q.legs[j], q.legs[i]
	*q.place(q.legs[i]), *q.place(q.legs[j]) = i+1, j+1
}

// Push implements [heap.Interface].
func (q *legHeap) Push(x any) {
	l := x.(*held) //nolint:forcetypeassert // nothing else is put in
	q.legs = append(q.legs, l)
	*q.place(l) = len(q.legs)
}

// Pop implements [heap.Interface].
func (q *legHeap) Pop() any {
	last := len(q.legs) - 1
	l := q.legs[last]
	q.legs[last] = nil
	q.legs = q.legs[:last]
	*q.place(l) = 0
	return l
}

func (q *legHeap) first() *held {
	if len(q.legs) == 0 {
		return nil
	}
	return q.legs[0]
}

// set puts a leg in, or moves it to where it belongs now.
func (q *legHeap) set(l *held) {
	if at := *q.place(l); at > 0 {
		heap.Fix(q, at-1)
		return
	}
	heap.Push(q, l)
}

func (q *legHeap) remove(l *held) {
	if at := *q.place(l); at > 0 {
		heap.Remove(q, at-1)
	}
}
