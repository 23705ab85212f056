package main

import (
	"context"
	"errors"
	"path/filepath"
)

// movedSince is how many rows have moved since a walk began.
const movedSince = 100_000

// measureMoves measures a second witness that moves every row, and walks that it
// overtakes.
func (b *bench) measureMoves(ctx context.Context) error {
	dir := filepath.Join(b.dir, "moves")
	q := moving{Store: "pebble:" + dir, Crowd: crowd{Rows: b.moveRows, Users: b.users, Seed: b.seed}, Since: min(movedSince, b.moveRows/2), Rounds: b.rounds}
	var m moved
	c, err := child(ctx, "moves", q, &m)
	if err != nil {
		return err
	}
	if len(m.With) == 0 {
		return errors.New("no page of a walk is full")
	}
	perRow, err := history(ctx, dir, b.moveRows)
	if err != nil {
		return err
	}
	b.report.add(m.writeResult(b.moveRows))
	b.report.add(m.pageResult())
	b.report.figures(figures{
		title:   "A second witness that moves " + commas(int64(b.moveRows)) + " rows (ms)",
		columns: []string{"", "median", "p99", "greatest", "of each"},
		lines: [][]string{
			{"batch of 5,000 as an SBC tells it: new", number(median(m.New)), number(percentile(m.New, 99)), number(percentile(m.New, 100)), list(m.New)},
			{"the same as Graph tells it: moved", number(median(m.Moved)), number(percentile(m.Moved, 99)), number(percentile(m.Moved, 100)), list(m.Moved)},
			{"page of 1,000, none moved since the walk began", number(median(m.Without)), number(percentile(m.Without, 99)), number(percentile(m.Without, 100)), "–"},
			{"page of 1,000, all on it moved since", number(median(m.With)), number(percentile(m.With, 99)), number(percentile(m.With, 100)), "–"},
		},
		note: "The SBC knows no users, and Graph has each call begin and end " + moveBy.String() + " later. Pages were read in turn by both walks, " + commas(int64(len(m.With))) + " each. That a row was new and has moved takes " +
			number(perRow) + " bytes for as long as changes are kept. " + c.note("making the rows up twice"),
	})
	return nil
}

// writeResult judges how many rows a second are moved.
func (m *moved) writeResult(rows int) result {
	rate, fresh := float64(rows)/sum(m.Moved)*1000, float64(rows)/sum(m.New)*1000
	return result{
		work:      "a second witness moves every row by " + moveBy.String() + ", batches of 5,000, " + commas(int64(rows)) + " rows",
		target:    "≥ 20,000 rows/s",
		measured:  number(rate) + " rows/s; batch p50 " + number(median(m.Moved)) + " ms, p99 " + number(percentile(m.Moved, 99)) + " ms",
		yardstick: "the same rows when they were new: " + number(fresh) + " rows/s",
		share:     percent(rate / fresh),
		met:       judge(rate >= 20_000),
	}
}

// pageResult judges the pages of a walk since which some rows have moved.
func (m *moved) pageResult() result {
	times := median(m.With) / median(m.Without)
	return result{
		work:      "page of a walk since which " + commas(int64(m.Since)) + " rows have moved, all 1,000 on it among them",
		target:    "≤ 2 times a page without",
		measured:  "p50 " + number(median(m.With)) + " ms, p99 " + number(percentile(m.With, 99)) + " ms",
		yardstick: "the same of a walk that began afterwards: p50 " + number(median(m.Without)) + " ms, p99 " + number(percentile(m.Without, 99)) + " ms",
		share:     number(times) + " times",
		met:       judge(times <= 2),
	}
}
