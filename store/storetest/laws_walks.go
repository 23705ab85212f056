package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A walker records what became of each row since a walk began.
type walker struct {
	g        *generator
	rows     []call.Row         // all that ever existed
	there    map[call.GUID]bool // those in the log now
	always   map[call.GUID]bool // those in the log ever since the beginning
	matches  map[call.GUID]bool // and matched all the time
	trimmed  map[call.GUID]bool // and those that retention has taken meanwhile: written again, they are new
	where    call.Expr
	from, to time.Time
}

// randomWalks reads pages of random sizes, forwards and backwards, with and without an index, and
// does random things between any two of them. A walk may meet no row twice, unless retention took
// the row and a write brought it back; and it must meet once every row that was in the log, and
// matched, all the time.
func randomWalks(f *fixture) {
	g := newGenerator(Seed(f))
	for range Scale(40) {
		f.randomWalk(g)
		if f.Failed() {
			return
		}
	}
	f.sameAll()
}

const walkedNumber = "+49301"

func (f *fixture) randomWalk(g *generator) {
	tenant := call.NameGUID("tenant", fmt.Sprint(g.Uint64()))
	w := &walker{g: g, there: map[call.GUID]bool{}, trimmed: map[call.GUID]bool{}, always: map[call.GUID]bool{}, matches: map[call.GUID]bool{}}
	for i := range 1 + g.IntN(40) {
		r := rowAt(fmt.Sprint(i), w.time())
		r.Tenant = tenant
		r = told(r, call.SIP.Witness(), func(r *call.Row) { r.Caller = pick(g, walkedNumber, "+4940") })
		w.rows = append(w.rows, r)
		if g.oneIn(8) {
			continue
		}
		w.there[r.ID] = true
		f.write(call.Batch{Rows: []call.Row{r}})
	}
	for range g.IntN(4) {
		f.disturb(w, tenant)
	}
	w.where = pick(g, call.Expr(nil), call.Expr(call.Digits(walkedNumber)), call.Expr(call.TextMatch{Field: call.FieldCaller, Op: call.HasPrefix, Part: "+493"}))
	q := call.Query{Tenant: tenant, Where: w.where, Reverse: g.oneIn(2)}
	if g.oneIn(2) {
		q.From, q.To = w.time(), w.time()
		if q.To.Before(q.From) {
			q.From, q.To = q.To, q.From
		}
	}
	w.from, w.to = q.From, q.To
	f.begin(w, tenant)
	met := f.walk(q, pick(g, 1, 2, 3, 7, 1000), func() {
		for range g.IntN(4) {
			f.disturb(w, tenant)
		}
	})
	f.judge(w, q, met)
	f.same(call.Query{Tenant: tenant})
}

// time returns one of a few times, so that rows meet at one place.
func (w *walker) time() time.Time {
	return noon().Add(time.Duration(w.g.IntN(30)) * pick(w.g, time.Second, time.Hour))
}

// begin notes the rows within the window when a walk begins.
func (f *fixture) begin(w *walker, tenant call.GUID) {
	clear(w.trimmed)
	for _, r := range f.same(call.Query{Tenant: tenant, From: w.from, To: w.to}) {
		w.always[r.ID] = true
		w.matches[r.ID] = w.where == nil || w.where.Match(&r)
	}
}

// disturb does one random thing.
func (f *fixture) disturb(w *walker, tenant call.GUID) {
	g := w.g
	r := w.rows[g.IntN(len(w.rows))]
	switch g.IntN(13) {
	case 0, 1, 2, 3:
		if w.there[r.ID] {
			f.write(call.Batch{Rows: []call.Row{movedTo(r, w.time())}})
		}
	case 4:
		r = told(r, call.Graph.Witness(), func(r *call.Row) { r.Caller = pick(g, walkedNumber, "+4940") })
		if w.there[r.ID] {
			r.By[call.FieldStart] = 0
			f.write(call.Batch{Rows: []call.Row{r}})
		}
	case 5, 6:
		f.result(call.Batch{Remove: []call.RowID{{Tenant: tenant, ID: r.ID}}})
		w.there[r.ID], w.always[r.ID] = false, false
	case 7, 8:
		f.write(call.Batch{Rows: []call.Row{r, movedTo(r, w.time())}})
		w.there[r.ID] = true
	case 9:
		f.result(call.Batch{Remove: []call.RowID{{Tenant: tenant, ID: r.ID}}, Rows: []call.Row{r, movedTo(r, w.time())}})
		w.there[r.ID], w.always[r.ID] = true, false
	case 10:
		if g.oneIn(3) {
			before := w.time()
			for _, r := range f.same(call.Query{Tenant: tenant, To: before}) {
				w.trimmed[r.ID], w.there[r.ID], w.always[r.ID] = true, false, false
			}
			f.trim(tenant, before)
		}
	case 11:
		if g.oneIn(5) {
			f.reopen()
		}
	case 12:
		if was, err := f.store.Row(f.Context(), tenant, r.ID); err == nil {
			now := was.Clone()
			now.Start = w.time()
			f.result(call.Batch{Replace: []call.Replacement{{Was: was, Now: now}}})
		}
	}
	if now, err := f.store.Row(f.Context(), tenant, r.ID); err == nil && w.where != nil && !w.where.Match(&now) {
		w.matches[r.ID] = false
	}
}

func (f *fixture) judge(w *walker, q call.Query, met []call.Row) {
	f.Helper()
	times := map[call.GUID]int{}
	places := make([]call.Cursor, len(met))
	for i, r := range met {
		times[r.ID]++
		places[i] = r.Place()
		if w.where != nil && !w.where.Match(&r) {
			f.Fatalf("%s met a row that does not match: %+v", show(q), r)
		}
	}
	if q.Reverse {
		slices.Reverse(places)
	}
	if !slices.IsSortedFunc(places, func(x, y call.Cursor) int { return comparePlace(call.Row{Start: x.Start, ID: x.ID}, y) }) {
		f.Fatalf("%s: the places are not in order: %v", show(q), places)
	}
	for id, n := range times {
		if n > 1 && !w.trimmed[id] {
			f.Fatalf("%s met row %v %d times", show(q), id, n)
		}
	}
	for id, always := range w.always {
		if always && w.matches[id] && times[id] != 1 && !w.trimmed[id] {
			f.Fatalf("%s met row %v, which was there all the time, %d times", show(q), id, times[id])
		}
	}
}
