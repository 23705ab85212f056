package main

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/trunklog/trunklog/call"
)

// groupDays is how many days are added up, from the end of the log.
const groupDays = 28

// adding says which calls of which store are added up, by trunk and hour.
type adding struct {
	Store    string
	From, To time.Time
	Rounds   int
}

// added is what came of it.
type added struct {
	Cells, Scan groupsOf
	Calls       int64 // that start within the time
}

// groupsOf is what one question took.
type groupsOf struct {
	Took   []float64 // milliseconds of each round
	Rows   float64   // of ranging over the rows and adding up
	Groups int
	Calls  int64 // that were added up
}

// addUp asks for groups that cells answer and for some that none does.
func addUp(ctx context.Context, q adding) (a added, err error) {
	of := call.Query{Tenant: tenantID(), From: q.From, To: q.To}
	err = withStore(ctx, q.Store, func(st call.Store) (err error) {
		if a.Calls, err = st.Count(ctx, of); err != nil {
			return err
		}
		if a.Cells, err = askGroups(ctx, st, of, q.Rounds); err != nil {
			return err
		}
		of.Where = call.Compare{Field: call.FieldMediaBypass, Value: true}
		a.Scan, err = askGroups(ctx, st, of, q.Rounds)
		return err
	})
	return a, err
}

// askGroups adds up the rows itself, twice, because the first time they come from
// the disk's cache. Then it asks for the groups several times and verifies that
// they come to the same.
func askGroups(ctx context.Context, st call.Reader, q call.Query, rounds int) (g groupsOf, err error) {
	by := call.Grouping{Every: call.Hour, By: []call.Dim{call.ByTrunk}}
	var want []call.Group
	for range 2 {
		if want, g.Rows, err = timedGroups(call.AddUp(ctx, st, q, by)); err != nil {
			return g, err
		}
	}
	g.Groups = len(want)
	for i := range want {
		g.Calls += want[i].Calls
	}
	for range rounds {
		got, took, err := timedGroups(st.Groups(ctx, q, by))
		if err != nil {
			return g, err
		}
		if !slices.Equal(got, want) {
			return g, errors.New("the groups are not what adding up the rows gives")
		}
		g.Took = append(g.Took, took)
	}
	return g, nil
}

// timedGroups returns the groups, and the milliseconds until all had come.
func timedGroups(of iter.Seq2[*call.Group, error]) (all []call.Group, took float64, err error) {
	began := time.Now()
	for g, err := range of {
		if err != nil {
			return nil, 0, err
		}
		all = append(all, *g)
	}
	return all, milliseconds(time.Since(began)), nil
}

// measureGroups measures how long calls take to be added up, in the store itself.
func (b *bench) measureGroups(ctx context.Context) error {
	to := b.end()
	q := adding{Store: "pebble:" + b.storeDir(), From: to.AddDate(0, 0, -groupDays), To: to, Rounds: 2*b.rounds + 1}
	var a added
	if _, err := child(ctx, "groups", q, &a); err != nil {
		return err
	}
	if a.Calls == 0 || a.Scan.Calls == 0 {
		return errors.New("there are no calls to be added up")
	}
	b.report.add(a.cellsResult())
	b.report.add(a.scanResult())
	raw := figures{
		title:   "Groups by trunk and hour, in process (ms)",
		columns: []string{"", "calls", "groups", "by round", "ranging over the rows"},
		note:    "Of " + commas(a.Calls) + " calls, those of the last " + strconv.Itoa(groupDays) + " days at most. The rows were ranged over twice, and the second time counts.",
	}
	line := func(name string, g groupsOf) {
		raw.lines = append(raw.lines, []string{name, commas(g.Calls), commas(int64(g.Groups)), list(g.Took), number(g.Rows)})
	}
	line("all, from cells", a.Cells)
	line("with media bypass, by a scan", a.Scan)
	b.report.figures(raw)
	return nil
}

func (a *added) cellsResult() result {
	took := median(a.Cells.Took)
	return result{
		work:      "groups by trunk and hour over " + strconv.Itoa(groupDays) + " days, from cells: " + commas(a.Calls) + " calls",
		target:    "≤ 50 ms",
		measured:  span(a.Cells.Took, "ms"),
		yardstick: "ranging over the rows and adding up: " + number(a.Cells.Rows) + " ms",
		share:     percent(took / a.Cells.Rows),
		met:       judge(took <= 50),
	}
}

func (a *added) scanResult() result {
	perMillion := each(a.Scan.Took, func(ms float64) float64 { return ms / 1000 / float64(a.Calls) * 1e6 })
	return result{
		work:      "groups by trunk and hour where media bypass is on, which no cell knows: " + commas(a.Calls) + " rows read",
		target:    "≤ 1 s per million rows read",
		measured:  span(perMillion, "s per million"),
		yardstick: "ranging over the rows and adding up: " + number(a.Scan.Rows/1000/float64(a.Calls)*1e6) + " s per million",
		share:     percent(median(a.Scan.Took) / a.Scan.Rows),
		met:       judge(median(perMillion) <= 1),
	}
}
