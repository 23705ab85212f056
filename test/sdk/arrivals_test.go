package sdk

import (
	"slices"
	"sync"
	"testing"
)

// Arrivals are late rows that are imported while a client walks over the log:
// some between two pages, so that what it must find is known exactly, and some
// by a process that runs beside it.
type arrivals struct {
	h       *house
	tally   *tally
	all     []row
	batches map[int][]row // imported after the page of this number
	beside  []row
	running sync.WaitGroup
	err     error
}

func newArrivals(t *testing.T, h *house, rows []row) *arrivals {
	late := generate(t, 8_000, 2)
	a := &arrivals{h: h, tally: newTally(rows), all: slices.Concat(rows, late), batches: map[int][]row{}}
	for i, r := range late {
		switch i % 8 {
		case 0:
			a.batches[1] = append(a.batches[1], r)
		case 1:
			a.batches[9] = append(a.batches[9], r)
		case 2:
			a.batches[20] = append(a.batches[20], r)
		default:
			a.beside = append(a.beside, r)
		}
	}
	return a
}

// besideFrom is the page after which the process beside the walk begins.
const besideFrom = 4

func (a *arrivals) afterPage(t *testing.T, page int) {
	t.Helper()
	if page == besideFrom {
		a.tally.perhaps(a.beside)
		a.running.Go(func() { a.err = a.h.tryAdd(t, a.beside) })
	}
	batch := a.batches[page]
	if batch == nil {
		return
	}
	if err := a.h.tryAdd(t, batch); err != nil {
		t.Error(err)
		return
	}
	if ahead, behind := a.tally.late(batch); ahead == 0 || behind == 0 {
		t.Errorf("after page %d, %d rows came ahead of the walk and %d behind it: the test shows nothing", page, ahead, behind)
	}
}

// finish checks the walk and returns all rows that are in the log now.
func (a *arrivals) finish(t *testing.T) []row {
	t.Helper()
	a.running.Wait()
	if a.err != nil {
		t.Error(a.err)
	}
	a.tally.check(t)
	return a.all
}
