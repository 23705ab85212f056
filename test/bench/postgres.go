package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// besides is what PostgreSQL did with the same work.
type besides struct {
	version string
	rows    int       // of the table; 0 if it was not measured
	rates   []float64 // rows a second of each slice
	perRow  float64   // bytes on disk
	skip    int64
	first   []float64 // milliseconds of the first page
	far     []float64 // milliseconds of the page behind skip rows
	singles []float64 // milliseconds of each insert
	seconds float64   // that the inserts took
}

// inserted says how many rows a second it inserted one by one.
func (p besides) inserted() string {
	if len(p.singles) == 0 {
		return ""
	}
	return "; PostgreSQL `INSERT`, 64 clients: " + number(float64(len(p.singles))/p.seconds) + "/s, p99 " + number(percentile(p.singles, 99)) + " ms"
}

// measurePostgres does with PostgreSQL what is done with trunklog. That it is
// not there is no failure.
func (b *bench) measurePostgres(ctx context.Context) error {
	p, err := startPostgres(ctx, b.dir)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b.missing("PostgreSQL", err)
		return nil
	}
	defer p.stop()
	out := besides{version: p.version(ctx), rows: min(b.postgresRows, b.rows)}
	c := crowd{Rows: out.rows, Users: b.users, Seed: b.seed}
	filled, err := p.copyRows(ctx, c, max(out.rows/20/batchRows, 1))
	if err != nil {
		return err
	}
	bytes, err := p.bytes(ctx)
	if err != nil {
		return err
	}
	out.rates, out.perRow = filled.rates, float64(bytes)/float64(out.rows)
	out.skip = int64(min(deep, out.rows*5/6))
	from, _ := c.span()
	if out.first, out.far, err = p.offsets(ctx, from, out.skip, 9); err != nil {
		return err
	}
	length := max(2*b.slice.Truncate(time.Second), time.Second)
	if out.singles, err = p.inserts(ctx, 64, length); err != nil {
		return err
	}
	out.seconds = length.Seconds()
	b.postgres = out
	b.report.fact("PostgreSQL", out.version+", with 512 MB of shared buffers, a max_wal_size of 4 GB, all else by default: every commit is synced")
	b.report.figures(figures{
		title:   "PostgreSQL, " + commas(int64(out.rows)) + " rows, one connection, one COPY and commit for each 5,000",
		columns: []string{"", "rows/s by slice", "until the last commit", "checkpoint", "bytes a row"},
		lines: [][]string{{
			"COPY", list(out.rates), number(perSecond(int64(out.rows), filled.elapsed)) + " rows/s", filled.close.Round(time.Millisecond).String(), number(out.perRow),
		}},
		note: fmt.Sprintf("`OFFSET` 0: %s ms. `OFFSET` %s: %s ms. Single inserts of 64 clients: %s in %s s, p50 %s ms, p99 %s ms.",
			list(out.first), commas(out.skip), list(out.far), commas(int64(len(out.singles))), strconv.Itoa(int(out.seconds)), number(median(out.singles)), number(percentile(out.singles, 99))),
	})
	return nil
}
