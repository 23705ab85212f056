package main

import (
	"cmp"
	"context"
	"slices"
)

// slowPage is the target of first pages: p99, in milliseconds.
const slowPage = 50

// measureLookUps measures the first page of all kinds of what people look for,
// in the store itself.
func (b *bench) measureLookUps(ctx context.Context) error {
	busy, rare, err := b.byUse(ctx)
	if err != nil {
		return err
	}
	raw := figures{
		title:   "First pages of what people look for, in process (ms)",
		columns: []string{"", "rows of a page, median", "asked first: median", "p99", "asked again: median", "p95", "p99", "greatest"},
		note:    "Each question was asked twice, every other one for the newest rows. The numbers, ids and names are those of random calls, so that busy ones are among them more often. Rare numbers have ten calls at most.",
	}
	others := lookUpKind{name: "the others of these"}
	var worst asked
	for _, k := range b.lookUps(busy, rare) {
		if len(k.questions) == 0 {
			b.report.missing("the first page of "+k.name, "no call was noted that has such a one")
			continue
		}
		var a asked
		if _, err := child(ctx, "lookup", asking{Store: "pebble:" + b.storeDir(), Questions: k.questions}, &a); err != nil {
			return err
		}
		raw.lines = append(raw.lines, []string{
			k.name, number(median(floats(a.Rows))), number(median(a.First)), number(percentile(a.First, 99)),
			number(median(a.Page)), number(percentile(a.Page, 95)), number(percentile(a.Page, 99)), number(percentile(a.Page, 100)),
		})
		switch {
		case k.shown:
			b.report.add(k.result(a, b.rows))
		case percentile(a.Page, 99) >= percentile(worst.Page, 99):
			others.name, worst = "the others of these, the slowest of which is "+k.name+",", a
		}
	}
	if len(worst.Page) > 0 {
		b.report.add(others.result(worst, b.rows))
	}
	b.report.figures(raw)
	return nil
}

// result judges the pages of one kind among a number of rows.
func (k lookUpKind) result(a asked, rows int) result {
	p99 := percentile(a.Page, 99)
	return result{
		work:     "first page of " + k.name + " among " + commas(int64(rows)) + " rows",
		target:   "p99 ≤ 50 ms (10 million rows)",
		measured: "p50 " + number(median(a.Page)) + " ms, p99 " + number(p99) + " ms; " + commas(int64(median(floats(a.Rows)))) + " rows each",
		met:      judge(p99 <= slowPage),
	}
}

// byUse returns some of the numbers of random calls: those that most calls have,
// and those that few have. More than a page is not counted.
func (b *bench) byUse(ctx context.Context) (busy, rare []string, err error) {
	const most, few = 20, 10
	numbers := slices.Compact(slices.Sorted(slices.Values(b.numbers(400))))
	q := asking{Store: "pebble:" + b.storeDir()}
	for _, n := range numbers {
		q.Questions = append(q.Questions, question{Numbers: []string{n}})
	}
	var a asked
	if _, err := child(ctx, "lookup", q, &a); err != nil {
		return nil, nil, err
	}
	busy, rare = partByRows(numbers, a.Rows, most, few)
	return busy, rare, nil
}

// partByRows returns the numbers that have most rows, and those that have any
// but few at most. None is both.
func partByRows(numbers []string, rows []int, most, few int) (busy, rare []string) {
	order := make([]int, len(numbers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(rows[j], rows[i]) })
	for at, i := range order {
		switch n := rows[i]; {
		case n > few && at < most:
			busy = append(busy, numbers[i])
		case n > 0 && n <= few:
			rare = append(rare, numbers[i])
		}
	}
	return busy, rare
}
