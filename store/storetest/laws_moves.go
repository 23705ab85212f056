package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// movedTo returns Graph's word on a row: that it starts at another time.
func movedTo(r call.Row, start time.Time) call.Row {
	n := call.Row{Tenant: r.Tenant, ID: r.ID, Start: start}
	n.Settle(call.Graph.Witness(), true)
	return n
}

func moveTakesAllAlong(f *fixture) {
	r := rowAt("moved", noon())
	r = told(r, call.SIP.Witness(), func(r *call.Row) {
		r.Caller, r.Callee, r.CorrelationID, r.UserID = "+49301", "+4940***", call.NameGUID("x"), call.NameGUID("u")
	})
	twin := r
	twin.ID[15] ^= 1 // the same index keys
	leg := call.Leg{Tenant: r.Tenant, Row: r.Cursor(), ID: legID(1), Main: true, From: noon(), To: noon()}
	f.write(call.Batch{
		Rows: []call.Row{r, twin}, Legs: []call.Leg{leg},
		Messages: []call.Message{messageAt(leg.ID, noon(), "INVITE")},
	})
	questions := []call.Expr{
		call.Digits("49301"), call.Digits("49401"),
		call.Compare{Field: call.FieldCorrelationID, Value: call.NameGUID("x")},
		call.Compare{Field: call.FieldUserID, Value: call.NameGUID("u")},
		call.Compare{Field: call.FieldID, Value: r.ID},
	}
	for _, to := range []time.Time{noon().Add(time.Millisecond), noon().Add(48 * time.Hour), noon().Add(-48 * time.Hour), noon()} {
		f.write(call.Batch{Rows: []call.Row{movedTo(r, to)}})
		for _, x := range questions {
			f.same(call.Query{Tenant: r.Tenant, Where: x})
			f.same(call.Query{Tenant: r.Tenant, Where: x, From: to, To: to.Add(1)})
		}
		if legs := f.sameLegs(r.Tenant, call.Cursor{Start: to, ID: r.ID}); len(legs) != 1 || !legs[0].Row.Start.Equal(to) {
			f.Fatalf("legs %+v at %v", legs, to)
		}
		f.same(call.Query{Tenant: r.Tenant, Skip: 1})
	}
	// A leg with an old place of a row belongs to the row's present place.
	f.write(call.Batch{Rows: []call.Row{movedTo(r, noon().Add(time.Hour))}})
	leg.ID = legID(2)
	f.write(call.Batch{Legs: []call.Leg{leg}})
	if legs := f.sameLegs(r.Tenant, call.Cursor{Start: noon().Add(time.Hour), ID: r.ID}); len(legs) != 2 {
		f.Fatalf("legs %+v", legs)
	}
	f.sameAll()
}

// legsBeforeTheirRow: legs may come before their row, under its future place. They move along with
// it, also within the batch in which it comes.
func legsBeforeTheirRow(f *fixture) {
	r := rowAt("late", noon())
	leg := call.Leg{Tenant: r.Tenant, Row: r.Cursor(), ID: legID(1), Main: true, From: noon(), To: noon()}
	f.write(call.Batch{Legs: []call.Leg{leg}})
	f.write(call.Batch{Rows: []call.Row{r, movedTo(r, noon().Add(time.Hour))}})
	if legs := f.sameLegs(r.Tenant, call.Cursor{Start: noon().Add(time.Hour), ID: r.ID}); len(legs) != 1 {
		f.Fatalf("legs %+v", legs)
	}
	// The legs of a removed row stay away, though the row comes again in that batch.
	f.write(call.Batch{
		Remove: []call.RowID{{Tenant: r.Tenant, ID: r.ID}},
		Rows:   []call.Row{movedTo(r, noon().Add(time.Hour)), movedTo(r, noon().Add(2*time.Hour))},
	})
	f.sameAll()
}

func removalIsWhole(f *fixture) {
	r := told(rowAt("gone", noon()), call.SIP.Witness(), func(r *call.Row) { r.Caller, r.CorrelationID = "+49301", call.NameGUID("x") })
	leg := call.Leg{Tenant: r.Tenant, Row: r.Cursor(), ID: legID(1), Main: true, From: noon(), To: noon()}
	other := rowAt("other", noon())
	f.write(call.Batch{
		Rows: []call.Row{r, other}, Legs: []call.Leg{leg}, Messages: []call.Message{messageAt(leg.ID, noon(), "INVITE")},
		Aliases: []call.Alias{{Tenant: r.Tenant, ID: call.NameGUID("alias"), Of: r.ID}},
	})
	gone := call.RowID{Tenant: r.Tenant, ID: call.NameGUID("alias")}
	res := f.result(call.Batch{Remove: []call.RowID{gone, gone, {Tenant: r.Tenant, ID: call.NameGUID("nothing")}}})
	if res.Removed[0].Fate != call.Removed || res.Removed[1].Fate != call.Same || res.Removed[2].Fate != call.Same {
		f.Fatalf("removed %+v", res)
	}
	for _, id := range []call.GUID{r.ID, gone.ID} {
		if _, err := f.store.Row(f.Context(), r.Tenant, id); !errors.Is(err, call.ErrNotFound) {
			f.Fatalf("row %v: %v", id, err)
		}
	}
	if n := len(f.sameMessages(always(leg.ID))); n != 0 {
		f.Fatalf("%d messages are left", n)
	}
	f.sameAll()
	f.reopen()
	// The row may come back, under its id and its alias, and is new.
	again := r
	again.ID = gone.ID
	if res := f.result(call.Batch{Rows: []call.Row{r, again}}); res.Counts() != (call.Counts{New: 2}) {
		f.Fatalf("written again: %+v", res)
	}
	// Removed and written in one batch, it is new.
	if res := f.result(call.Batch{Remove: []call.RowID{{Tenant: r.Tenant, ID: r.ID}}, Rows: []call.Row{r}}); res.Counts() != (call.Counts{New: 1}) {
		f.Fatalf("replaced: %+v", res)
	}
	f.sameAll()
}

func aliasesMeanTheRow(f *fixture) {
	r, other := rowAt("row", noon()), rowAt("other", noon().Add(time.Hour))
	f.write(call.Batch{Rows: []call.Row{r, other}})
	// The other turns out to be the same call.
	merged := other
	merged.ID = r.ID
	f.write(call.Batch{
		Remove: []call.RowID{{Tenant: r.Tenant, ID: other.ID}}, Aliases: []call.Alias{{Tenant: r.Tenant, ID: other.ID, Of: r.ID}},
		Rows: []call.Row{told(merged, call.Graph.Witness(), func(r *call.Row) { r.Trunk = "graph.example" })},
	})
	third := call.NameGUID("third")
	f.write(call.Batch{Aliases: []call.Alias{{Tenant: r.Tenant, ID: third, Of: other.ID}}})
	f.write(call.Batch{Aliases: []call.Alias{{Tenant: r.Tenant, ID: third, Of: r.ID}}}) // twice is once
	for range 2 {
		for _, id := range []call.GUID{r.ID, other.ID, third} {
			got, err := f.store.Row(f.Context(), r.Tenant, id)
			if err != nil || got.ID != r.ID || got.Trunk != "graph.example" {
				f.Fatalf("row %v is %+v, %v", id, got, err)
			}
			x := call.Compare{Field: call.FieldID, Value: id}
			if n := len(f.same(call.Query{Tenant: r.Tenant, Where: x})); n != 1 {
				f.Fatalf("%d rows have id %v", n, id)
			}
			f.same(call.Query{Tenant: r.Tenant, Where: call.Not{X: x}})
		}
		f.reopen()
	}
	late := other
	late.ID = third
	late = told(late, call.CDR.Witness(), func(r *call.Row) { r.UserCountry = "DE" })
	res := f.result(call.Batch{Rows: []call.Row{late, movedTo(r, noon().Add(time.Minute)), late}})
	if res.Rows[0].Place.ID != r.ID || !res.Rows[0].Place.Start.Equal(noon().Add(time.Minute)) {
		f.Fatalf("written %+v", res)
	}
	leg := call.Leg{Tenant: r.Tenant, Row: other.Cursor(), ID: legID(1), From: noon(), To: noon()}
	f.write(call.Batch{Legs: []call.Leg{leg}})
	if n := len(f.sameLegs(r.Tenant, call.Cursor{Start: noon().Add(time.Minute), ID: r.ID})); n != 1 {
		f.Fatalf("%d legs", n)
	}
	f.sameAll()
	f.trim(r.Tenant, noon().Add(time.Hour*2))
	if res := f.result(call.Batch{Rows: []call.Row{late}}); res.Rows[0].Place.ID != third || res.Rows[0].Fate != call.New {
		f.Fatalf("an alias of a row that retention took: %+v", res)
	}
	f.sameAll()
}

// aliasesOfTheGone: an alias goes with its row, also within the batch that removes the row; and of
// a row that comes under two ids in one batch the later word stands.
func aliasesOfTheGone(f *fixture) {
	a, b, x := rowAt("a", noon()), rowAt("b", noon().Add(time.Hour)), rowAt("x", noon())
	alias := func(id, of call.Row) call.Alias { return call.Alias{Tenant: a.Tenant, ID: id.ID, Of: of.ID} }
	gone := func(r call.Row) []call.RowID { return []call.RowID{{Tenant: r.Tenant, ID: r.ID}} }
	f.write(call.Batch{Rows: []call.Row{a, b}, Aliases: []call.Alias{alias(x, a)}})
	f.result(call.Batch{Remove: gone(a), Aliases: []call.Alias{alias(a, b), alias(x, b)}})
	for _, id := range []call.Row{a, x} {
		if got := f.mustRow(id); got.ID != b.ID {
			f.Fatalf("%v finds %v", id.ID, got.ID)
		}
	}
	f.result(call.Batch{Remove: gone(x)})
	f.write(call.Batch{Rows: []call.Row{a}, Aliases: []call.Alias{alias(x, a)}})
	f.result(call.Batch{Remove: gone(a), Rows: []call.Row{x}})
	if got := f.mustRow(x); got.ID != x.ID {
		f.Fatalf("a row under what was an alias has id %v", got.ID)
	}
	for _, id := range []call.GUID{{1}, {0xff}} {
		r := rowAt("order", noon())
		r.ID = call.GUID{0x80, id[0]}
		f.write(call.Batch{Rows: []call.Row{r}, Aliases: []call.Alias{{Tenant: r.Tenant, ID: id, Of: r.ID}}})
		r = told(r, call.SIP.Witness(), func(r *call.Row) { r.Trunk = "one" })
		other := told(r, call.SIP.Witness(), func(r *call.Row) { r.ID, r.Trunk = id, "two" })
		for _, rows := range [][]call.Row{{r, other}, {other, r}} {
			f.write(call.Batch{Rows: rows})
			if got := f.mustRow(r).Trunk; got != rows[1].Trunk {
				f.Fatalf("alias %v: trunk %q, want the later, %q", id, got, rows[1].Trunk)
			}
		}
	}
	f.sameAll()
}

// conditionsOfBefore: a reopened store no longer tells earlier writes apart.
func conditionsOfBefore(f *fixture) {
	r := told(rowAt("a", noon()), call.SIP.Witness(), func(r *call.Row) { r.CorrelationID = call.NameGUID("c") })
	f.write(call.Batch{Rows: []call.Row{rowAt("b", noon())}})
	before := f.latest(r.Tenant)
	f.write(call.Batch{Rows: []call.Row{r}})
	f.reopen()
	still := []call.Condition{{Tenant: r.Tenant, Correlation: call.NameGUID("c"), After: before}}
	f.refused(call.Batch{Rows: []call.Row{rowAt("d", noon())}, Still: still}, call.ErrConflict)
	still[0].After = f.latest(r.Tenant)
	f.write(call.Batch{Rows: []call.Row{rowAt("d", noon())}, Still: still})
}

func badAliasesAreRefused(f *fixture) {
	a, b := rowAt("a", noon()), rowAt("b", noon())
	f.write(call.Batch{Rows: []call.Row{a, b}, Aliases: []call.Alias{{Tenant: a.Tenant, ID: call.NameGUID("alias"), Of: a.ID}}})
	for _, bad := range []call.Alias{
		{Tenant: a.Tenant, ID: b.ID, Of: a.ID},                             // a row
		{Tenant: a.Tenant, ID: call.NameGUID("x"), Of: call.NameGUID("y")}, // of nothing
		{Tenant: a.Tenant, ID: a.ID, Of: a.ID},                             // of itself
		{Tenant: a.Tenant, ID: call.NameGUID("alias"), Of: b.ID},           // of another row already
		{Tenant: call.NameGUID("other"), ID: call.NameGUID("x"), Of: a.ID}, // in another tenant
	} {
		f.refused(call.Batch{Rows: []call.Row{rowAt("c", noon())}, Aliases: []call.Alias{bad}}, call.ErrConflict)
	}
	f.refused(call.Batch{
		Remove:  []call.RowID{{Tenant: a.Tenant, ID: a.ID}, {Tenant: a.Tenant, ID: b.ID}},
		Aliases: []call.Alias{{Tenant: a.Tenant, ID: a.ID, Of: b.ID}, {Tenant: a.Tenant, ID: b.ID, Of: a.ID}},
	}, call.ErrConflict)
}

func stillHoldsOrConflicts(f *fixture) {
	corr := call.NameGUID("correlation")
	with := func(id string) call.Row {
		return told(rowAt(id, noon()), call.SIP.Witness(), func(r *call.Row) { r.CorrelationID = corr })
	}
	f.write(call.Batch{Rows: []call.Row{rowAt("a", noon())}})
	tenant := with("x").Tenant
	at, err := f.store.Latest(f.Context(), tenant)
	if err != nil {
		f.Fatal(err)
	}
	still := func(v call.Version) []call.Condition {
		return []call.Condition{{Tenant: tenant, Correlation: corr, After: v}}
	}
	f.write(call.Batch{Rows: []call.Row{rowAt("b", noon())}, Still: still(at)})
	f.write(call.Batch{Rows: []call.Row{with("c")}, Still: still(at)})
	f.refused(call.Batch{Rows: []call.Row{with("d")}, Still: still(at)}, call.ErrConflict)
	f.refused(call.Batch{Rows: []call.Row{with("d")}, Still: still(call.Version{Epoch: at.Epoch + 2, Number: at.Number})}, call.ErrConflict)
	now, _ := f.store.Latest(f.Context(), tenant)
	f.write(call.Batch{Rows: []call.Row{with("d")}, Still: still(now)})
	// A row that learns its correlation id counts as well.
	now, _ = f.store.Latest(f.Context(), tenant)
	f.write(call.Batch{Rows: []call.Row{with("a")}})
	f.refused(call.Batch{Rows: []call.Row{with("e")}, Still: still(now)}, call.ErrConflict)
}

// walk reads the rows of q page by page, as of one version, and calls between before each page but
// the first.
func (f *fixture) walk(q call.Query, size int, between func()) (met []call.Row) {
	f.Helper()
	v, err := f.store.Latest(f.Context(), q.Tenant)
	if err != nil {
		f.Fatal(err)
	}
	q.Walk, q.Limit = v, size
	for {
		rows, err := all(f.T, f.store, q)
		if err != nil {
			f.Fatalf("%s: %v", show(q), err)
		}
		met = append(met, rows...)
		if len(rows) < size {
			return met
		}
		q.After = rows[len(rows)-1].Place()
		between()
	}
}

func ids(rows []call.Row) (out []string) {
	for _, r := range rows {
		out = append(out, r.ID.String())
	}
	return out
}

func walkOverMoves(f *fixture) {
	var rows []call.Row
	for i := range 6 {
		rows = append(rows, rowAt(fmt.Sprint(i), noon().Add(time.Duration(i)*time.Minute)))
	}
	f.write(call.Batch{Rows: rows})
	want := ids(rows)
	for _, reverse := range []bool{false, true} {
		for _, move := range [][2]int{{0, 5}, {5, 0}, {2, 3}, {3, 2}, {0, 3}, {4, 1}} {
			from, to := move[0], rows[move[1]].Start.Add(time.Second)
			n := 0
			got := ids(f.walk(call.Query{Tenant: rows[0].Tenant, Reverse: reverse}, 2, func() {
				if n++; n == 1 {
					f.write(call.Batch{Rows: []call.Row{movedTo(rows[from], to)}})
				} else {
					f.write(call.Batch{Rows: []call.Row{movedTo(rows[from], to.Add(-time.Duration(n)*time.Minute))}})
				}
			}))
			expect := slices.Clone(want)
			if reverse {
				slices.Reverse(expect)
			}
			if !slices.Equal(got, expect) {
				f.Fatalf("row %d moves to behind %d, reverse %v: met %v, want %v", from, move[1], reverse, got, expect)
			}
			f.write(call.Batch{Rows: []call.Row{movedTo(rows[from], rows[from].Start)}})
			f.sameAll()
		}
	}
}

func walkOfAnotherTime(f *fixture) {
	r := rowAt("a", noon())
	f.write(call.Batch{Rows: []call.Row{r, rowAt("b", noon())}})
	v, _ := f.store.Latest(f.Context(), r.Tenant)
	gone := func(v call.Version) {
		f.Helper()
		if _, err := all(f.T, f.store, call.Query{Tenant: r.Tenant, Walk: v}); !errors.Is(err, call.ErrGone) {
			f.Fatalf("a walk as of %v: %v", v, err)
		}
		for _, err := range f.store.Changes(f.Context(), r.Tenant, v) {
			if !errors.Is(err, call.ErrGone) {
				f.Fatalf("changes after %v: %v", v, err)
			}
		}
	}
	gone(call.Version{Epoch: v.Epoch, Number: v.Number + 1}) // from the future
	gone(call.Version{Epoch: v.Epoch ^ 2, Number: v.Number}) // of another epoch
	if _, err := all(f.T, f.store, call.Query{Tenant: call.NameGUID("another"), Walk: v}); !errors.Is(err, call.ErrGone) {
		f.Fatalf("another tenant's: %v", err)
	}
	if rows, err := all(f.T, f.store, call.Query{Tenant: r.Tenant, Walk: call.FirstRelease()}); err != nil || len(rows) != 2 {
		f.Fatalf("a walk of the first release: %d rows, %v", len(rows), err)
	}
	f.write(call.Batch{Rows: []call.Row{movedTo(r, noon().Add(time.Hour))}})
	if err := f.store.TrimChanges(f.Context(), time.Now().Add(time.Hour)); err != nil {
		f.Fatal(err)
	}
	gone(v)
	gone(call.FirstRelease())
	now, _ := f.store.Latest(f.Context(), r.Tenant)
	if rows, err := all(f.T, f.store, call.Query{Tenant: r.Tenant, Walk: now}); err != nil || len(rows) != 2 {
		f.Fatalf("%d rows, %v", len(rows), err)
	}
	k, ok := f.store.(call.Keeper)
	if !ok {
		return
	}
	if err := k.NewEpoch(f.Context()); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		f.Fatal(err)
	} else if err == nil {
		gone(now)
		f.store = f.reopened()
		gone(now)
	}
}

// reopened closes the store and opens it again.
func (f *fixture) reopened() call.Store {
	f.Helper()
	if err := f.store.Close(); err != nil {
		f.Fatal(err)
	}
	return f.open(f.T, f.dir)
}

func walkOverManyMoves(f *fixture) {
	const n = 50
	var rows []call.Row
	for i := range n {
		rows = append(rows, rowAt(fmt.Sprint(i), noon().Add(time.Duration(i)*time.Second)))
	}
	f.write(call.Batch{Rows: rows})
	for _, reverse := range []bool{false, true} {
		step := 0
		got := f.walk(call.Query{Tenant: rows[0].Tenant, Reverse: reverse}, 10, func() {
			var batch []call.Row
			for range Scale(300) { // one row, to and fro
				step++
				batch = append(batch, movedTo(rows[25], noon().Add(time.Duration(step%97)*time.Second)))
				if len(batch) == 20 {
					f.write(call.Batch{Rows: batch})
					batch = nil
				}
			}
			for i := range rows { // and all of them a little
				batch = append(batch, movedTo(rows[i], rows[i].Start.Add(time.Duration(step)*time.Millisecond)))
			}
			f.write(call.Batch{Rows: batch})
		})
		seen := map[call.GUID]int{}
		for _, r := range got {
			seen[r.ID]++
		}
		for i := range rows {
			if seen[rows[i].ID] != 1 {
				f.Fatalf("reverse %v: row %d was met %d times", reverse, i, seen[rows[i].ID])
			}
		}
	}
	f.sameAll()
}
