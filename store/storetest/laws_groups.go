package storetest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// zones differ in their clocks, and in how these change.
func zones(f *fixture) []*time.Location {
	all := []*time.Location{
		nil, time.UTC,
		time.FixedZone("", 19800), time.FixedZone("local mean time", -2670), time.FixedZone("far", 14*3600),
	}
	for _, name := range []string{
		"Europe/Berlin", "Europe/London", "America/New_York", "Asia/Kathmandu",
		"Australia/Lord_Howe", // changes its clock by half an hour
		"America/St_Johns",    // did so a minute past midnight
		"America/Havana",      // has midnight twice
		"America/Sao_Paulo",   // had no midnight on one day of the year
		"Africa/Monrovia",     // was 44½ minutes behind
		"Pacific/Apia",        // had no 30 December 2011
	} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, zone)
	}
	return all
}

// grouping returns a random question for groups.
func (g *generator) grouping(zones []*time.Location) call.Grouping {
	by := call.Grouping{Every: call.Slot(g.IntN(int(call.Day) + 1)), Zone: pick(g, zones...)}
	if g.oneIn(3) {
		by.By = []call.Dim{call.ByUser}
		return by
	}
	for d := call.ByTrunk; d < call.ByUser; d++ {
		if g.oneIn(3) {
			by.By = append(by.By, d)
		}
	}
	if g.oneIn(8) {
		by.By = append(by.By, call.ByUser)
	}
	return by
}

// groupQuery returns a random question that groups can answer: about any rows, or about such as
// cells tell apart.
func (g *generator) groupQuery(rows []call.Row) call.Query {
	q := g.query(rows)
	q.Reverse, q.After, q.Skip, q.Limit = false, call.Cursor{}, 0, 0
	if g.oneIn(4) {
		q.Walk = call.Version{Epoch: 1, Number: 2} // without effect on groups, though it does not exist
	}
	r := &rows[g.IntN(len(rows))]
	if g.oneIn(2) {
		return q
	}
	q.Where = pick[call.Expr](
		g, nil, nil,
		call.Compare{Field: call.FieldTrunk, Value: r.Trunk},
		call.TextMatch{Field: call.FieldTrunk, Op: call.EqualFold, Part: "sbc1.CONTOSO.com"},
		call.Not{X: call.Or{call.Compare{Field: call.FieldCallType, Value: r.CallType}, call.Compare{Field: call.FieldFinalSIPCode, Value: r.FinalSIPCode}}},
		call.And{call.Compare{Field: call.FieldSuccessful, Value: r.Successful}, call.Compare{Field: call.FieldCallEndSubReason, Op: call.GE, Value: int32(200)}},
	)
	return q
}

func groupsAddUp(f *fixture) {
	g := newGenerator(Seed(f))
	in := zones(f)
	rows := []call.Row{g.row()}
	for range Scale(40) {
		switch g.IntN(8) {
		case 0:
			r := &rows[g.IntN(len(rows))]
			f.trim(r.Tenant, r.Start.Add(time.Duration(g.IntN(3)-1)*time.Minute))
		case 1:
			f.reopen()
		default:
			f.randomWrite(g, &rows)
		}
		for range 4 {
			f.sameGroups(g.groupQuery(rows), g.grouping(in))
		}
	}
}

func groupsOfNothing(f *fixture) {
	tenant := Tenants()[0]
	for range 2 {
		for _, by := range []call.Grouping{{}, {Every: call.Hour, By: []call.Dim{call.ByTrunk}}, {Every: call.Day, By: []call.Dim{call.ByUser}}} {
			for _, q := range []call.Query{{Tenant: tenant}, {Tenant: tenant, From: noon(), To: noon()}, {Tenant: tenant, From: noon(), To: noon().Add(-time.Hour)}} {
				if got := f.sameGroups(q, by); len(got) != 0 {
					f.Fatalf("groups of nothing: %+v", got)
				}
			}
		}
		f.reopen()
	}
	row := rowAt("alone", noon())
	f.write(call.Batch{Rows: []call.Row{row}})
	if got := f.sameGroups(call.Query{Tenant: tenant}, call.Grouping{}); calls(got) != 1 || !got[0].At.IsZero() {
		f.Fatalf("groups of one row: %+v", got)
	}
	f.trim(tenant, noon().Add(1))
	if got := f.sameGroups(call.Query{Tenant: tenant}, call.Grouping{By: []call.Dim{call.ByTrunk}}); len(got) != 0 {
		f.Fatalf("groups of a row that is gone: %+v", got)
	}
}

// groupsWithinASlot begins and ends questions within and beside the quarters and days that an
// engine may have added up.
func groupsWithinASlot(f *fixture) {
	var rows []call.Row
	start := noon().Add(-13 * time.Hour)
	for i := range 300 {
		r := rowAt(strconv.Itoa(i), start.Add(time.Duration(i)*7*time.Minute))
		if i%5 == 0 {
			r.Start = r.Start.Truncate(15 * time.Minute).Add(time.Duration(i%3-1) * 100)
		}
		r.Trunk, r.UserID, r.Duration = "sbc"+strconv.Itoa(i%2), call.GUID{1: byte(i % 7)}, int32(i%20)
		rows = append(rows, r)
	}
	f.write(call.Batch{Rows: rows})
	var moments []time.Time
	for _, at := range []time.Time{start, noon(), noon().Add(12 * time.Hour), noon().Add(37 * time.Minute)} {
		moments = append(moments, at.Add(-100), at, at.Add(1), at.Add(100), at.Add(8*time.Minute))
	}
	moments = append(moments, time.Time{})
	for i, from := range moments {
		for j, to := range moments {
			if testing.Short() && (i+j)%8 != 0 {
				continue // other pairs use each moment as a bound, too
			}
			for _, by := range []call.Grouping{
				{Every: call.QuarterHour, By: []call.Dim{call.ByTrunk}}, {By: []call.Dim{call.ByUser}}, {Every: call.Day}, {Every: call.Day, By: []call.Dim{call.ByUser}},
			} {
				q := call.Query{Tenant: Tenants()[0], From: from, To: to}
				if got := f.sameGroups(q, by); calls(got) != int64(len(f.same(q))) {
					f.Fatalf("%d calls in the groups of %s", calls(got), show(q))
				}
			}
		}
	}
}

// groupsWhenClocksChange has a call every ten minutes around each change of the
// clock of 2023, and in the years of the zones that are hardest.
func groupsWhenClocksChange(f *fixture) {
	var rows []call.Row
	for _, change := range []time.Time{
		time.Date(2023, 3, 26, 1, 0, 0, 0, time.UTC),   // Berlin, London
		time.Date(2023, 10, 29, 1, 0, 0, 0, time.UTC),  //
		time.Date(2023, 11, 5, 5, 0, 0, 0, time.UTC),   // Havana, New York
		time.Date(2023, 10, 1, 15, 30, 0, 0, time.UTC), // Lord Howe
		time.Date(2010, 11, 7, 2, 31, 0, 0, time.UTC),  // St. John's
		time.Date(2018, 11, 4, 3, 0, 0, 0, time.UTC),   // São Paulo
		time.Date(1972, 1, 7, 0, 44, 30, 0, time.UTC),  // Monrovia
		time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC), // Apia
	} {
		for i := range 2 * 36 * 6 {
			if testing.Short() && i%3 != 0 {
				continue
			}
			at := change.Add(time.Duration(i)*10*time.Minute - 36*time.Hour)
			r := rowAt(at.String(), at)
			r.Trunk = "sbc" + strconv.Itoa(i%2)
			rows = append(rows, r)
		}
	}
	f.write(call.Batch{Rows: rows})
	for z, zone := range zones(f) {
		for every := call.WholeTime; every <= call.Day; every++ {
			for i, dim := range []call.Dim{call.ByTrunk, call.ByUser} {
				if testing.Short() && (int(every)+i+z)%4 != 0 {
					continue
				}
				got := f.sameGroups(call.Query{Tenant: Tenants()[0]}, call.Grouping{Every: every, Zone: zone, By: []call.Dim{dim}})
				if calls(got) != int64(len(rows)) || !slices.IsSortedFunc(got, func(a, b call.Group) int { return a.Compare(&b) }) {
					f.Fatalf("%d calls of %d, by %v in %v", calls(got), len(rows), every, zone)
				}
			}
		}
	}
}

// groupsFollowTheRow folds rows until they are in another cell.
func groupsFollowTheRow(f *fixture) {
	row := rowAt("one", noon())
	row.By = [call.NumFields]call.Witness{}
	steps := []func(*call.Row){
		func(r *call.Row) { r.Trunk = "SBC1.contoso.com" },
		func(r *call.Row) { r.Trunk, r.CallType = "sbc1.contoso.com", "ByotIn" },
		func(r *call.Row) { r.UserID = call.GUID{7} },
		func(r *call.Row) { r.Successful, r.Duration, r.Invite = true, 8, noon().Add(-3*time.Second) },
		func(r *call.Row) { r.UserID, r.Duration = call.GUID{8}, 70 },
		func(r *call.Row) { r.FinalSIPCode, r.CallEndSubReason = 486, 560486 },
	}
	for i, step := range steps {
		w := told(row, (call.Inferred + call.Kind(i)).Witness(), step)
		for range 2 { // a repeat changes nothing
			f.write(call.Batch{Rows: []call.Row{w}})
			for _, by := range []call.Dim{call.ByTrunk, call.ByDirection, call.ByCallType, call.ByCode, call.BySubcode, call.ByRang, call.ByAnswered, call.ByUser} {
				if got := f.sameGroups(call.Query{Tenant: row.Tenant}, call.Grouping{Every: call.Day, By: []call.Dim{by}}); calls(got) != 1 {
					f.Fatalf("step %d, by %v: %+v", i, by, got)
				}
			}
		}
	}
}

func groupsOfTwoTenants(f *fixture) {
	rows := Rows(31, 400)
	f.write(call.Batch{Rows: rows})
	all := call.Grouping{Every: call.Hour, By: []call.Dim{call.ByTrunk, call.ByAnswered}}
	var n int64
	for _, tenant := range Tenants() {
		n += calls(f.sameGroups(call.Query{Tenant: tenant}, all))
		n -= calls(f.sameGroups(call.Query{Tenant: tenant}, call.Grouping{Every: call.Day, By: []call.Dim{call.ByUser}}))
	}
	if n != 0 {
		f.Fatalf("by trunk there are %d calls more than by user", n)
	}
	f.trim(Tenants()[0], noon().AddDate(0, 0, -10))
	for _, tenant := range Tenants() {
		f.sameGroups(call.Query{Tenant: tenant}, all)
	}
}

// groupsAreOfAllRows asks questions that have no meaning for groups.
func groupsAreOfAllRows(f *fixture) {
	f.write(call.Batch{Rows: Rows(32, 10)})
	tenant := Tenants()[0]
	good := call.Query{Tenant: tenant}
	for _, ask := range []struct {
		q  call.Query
		by call.Grouping
	}{
		{call.Query{Tenant: tenant, After: call.Cursor{Start: noon()}}, call.Grouping{}},
		{call.Query{Tenant: tenant, Skip: 1}, call.Grouping{}},
		{call.Query{Tenant: tenant, Limit: 1}, call.Grouping{}},
		{call.Query{Tenant: tenant, Reverse: true}, call.Grouping{}},
		{good, call.Grouping{Every: call.Day + 1}},
		{good, call.Grouping{By: []call.Dim{call.ByUser + 1}}},
	} {
		for name, s := range map[string]call.Store{"store": f.store, "model": f.model} {
			if got, err := groups(f.Context(), s, ask.q, ask.by); !errors.Is(err, call.ErrInvalid) || len(got) > 0 {
				f.Errorf("%s: groups of %s by %v: %v, %v; want %v", name, show(ask.q), ask.by, got, err, call.ErrInvalid)
			}
		}
	}
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	for _, dim := range []call.Dim{call.ByTrunk, call.ByUser} {
		if _, err := groups(ctx, f.store, good, call.Grouping{By: []call.Dim{dim}}); !errors.Is(err, context.Canceled) {
			f.Errorf("groups with a cancelled context: %v", err)
		}
	}
}

// groupsAreASnapshot reads groups during writes of batches that each have a call in the middle of
// the time and one at each end: it must never see a part of a batch.
func groupsAreASnapshot(f *fixture) {
	const batches = 60
	lo, hi := noon().Add(-3*time.Hour+time.Minute), noon().Add(3*time.Hour+time.Minute)
	var done atomic.Bool
	var writer sync.WaitGroup
	writer.Go(func() {
		defer done.Store(true)
		for i := range batches {
			var rows []call.Row
			for j, at := range []time.Time{lo, noon(), hi.Add(-time.Second)} {
				rows = append(rows, rowAt(strconv.Itoa(3*i+j), at))
			}
			if _, err := f.store.Write(f.Context(), call.Batch{Rows: rows}); err != nil {
				f.Error(err)
				return
			}
		}
	})
	for last := false; !last; {
		last = done.Load()
		got, err := groups(f.Context(), f.store, call.Query{Tenant: Tenants()[0], From: lo, To: hi}, call.Grouping{Every: call.Hour})
		if n := calls(got); err != nil || n%3 != 0 || last && n != 3*batches && !f.Failed() {
			f.Errorf("%d calls in %+v, %v", n, got, err)
			break
		}
	}
	writer.Wait()
}
