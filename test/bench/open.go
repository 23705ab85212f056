package main

import (
	"context"
	"time"
)

// measureOpen stops the server cleanly and starts it again, several times, and
// once with nothing of the store in memory. It leaves it stopped.
func (b *bench) measureOpen(ctx context.Context, h *house, s *server) error {
	token := s.token
	var stops, opens []float64
	raw := figures{title: "From the start of the process to its first page, after a clean stop", columns: []string{"", "by round, ms"}}
	var coldly string
	for round := range b.rounds + 1 {
		began := time.Now()
		if err := s.Stop(); err != nil {
			return err
		}
		stops = append(stops, milliseconds(time.Since(began)))
		last := round == b.rounds
		if last {
			if err := forget(b.storeDir()); err != nil {
				b.missing("opening with nothing of the store in memory", err)
				break
			}
		}
		var err error
		if s, err = h.serve(ctx, token); err != nil {
			return err
		}
		ready := milliseconds(s.ready)
		if last {
			raw.lines = append(raw.lines, []string{"nothing of the store in memory", number(ready)})
			coldly = "; " + number(ready) + " ms with nothing of it in memory"
			if err := s.Stop(); err != nil {
				return err
			}
			break
		}
		opens = append(opens, ready)
	}
	raw.lines = append([][]string{{"in memory", list(opens)}, {"stopping", list(stops)}}, raw.lines...)
	b.report.figures(raw)
	b.report.add(result{
		work:     "from start to first page after a clean stop, " + commas(int64(b.rows)) + " rows",
		target:   "≤ 1 s (10 million rows)",
		measured: span(opens, "ms") + coldly,
		met:      judge(percentile(opens, 100) <= 1000),
	})
	return nil
}
