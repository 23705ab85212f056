package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// deep is how many rows are skipped; less if the store has not so many.
const deep = 1_000_000

// measureSkip asks for the first page and for a page far behind, in turn, by
// one connection: once for the same two pages again and again, and once with a
// range that begins anywhere.
func (b *bench) measureSkip(ctx context.Context, s *server) error {
	skip := min(deep, b.rows/2)
	from, to := b.crowd().span()
	var first, far []float64
	for range b.rounds {
		c, err := dial(ctx, target{name: "trunklog", addr: s.http})
		if err != nil {
			return err
		}
		f, d, err := b.skipRound(c, s, from, to, skip)
		if err = errors.Join(err, c.conn.Close()); err != nil {
			return fmt.Errorf("$skip=%d: %w", skip, err)
		}
		first = append(first, median(f))
		far = append(far, median(d))
	}
	share := median(ratios(far, first))
	r := result{
		work:     "page at `$skip` = " + commas(int64(skip)) + " against page at 0",
		target:   "≤ 1.2 times",
		measured: span(far, "ms") + " against " + span(first, "ms"),
		share:    number(share) + " times",
		met:      judge(share <= 1.2),
	}
	if p := b.postgres; len(p.far) > 0 {
		r.yardstick = fmt.Sprintf("PostgreSQL `OFFSET` %s: %s against %s, %s times", commas(p.skip), span(p.far, "ms"), span(p.first, "ms"), number(median(ratios(p.far, p.first))))
	}
	b.report.add(r)
	b.report.figures(figures{
		title:   "A page far behind, one client, identity (median of each round, ms)",
		columns: []string{"", "by round"},
		lines:   [][]string{{"`$skip` = 0", list(first)}, {"`$skip` = " + commas(int64(skip)), list(far)}},
		note:    "The same range is asked for at 0 and behind the given number of rows, in turn.",
	})
	return nil
}

// skipRound asks a number of times in turn and returns the milliseconds.
func (b *bench) skipRound(c *client, s *server, from, to time.Time, skip int) (first, far []float64, err error) {
	for i := range 42 {
		n := i % 2 * skip
		c.request = func(out []byte, _ *rand.Rand) []byte {
			return appendRequest(out, pagePath(from, to, n), c.addr, s.token, "identity")
		}
		began := time.Now()
		if _, err := c.do(nil); err != nil {
			return nil, nil, err
		}
		took := milliseconds(time.Since(began))
		switch {
		case i < 2: // the first ones warm up
		case n == 0:
			first = append(first, took)
		default:
			far = append(far, took)
		}
	}
	return first, far, nil
}
