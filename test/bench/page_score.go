package main

import (
	"context"
	"fmt"
	"time"
)

// A score is what a target has achieved in one round.
type score struct {
	rate     float64 // pages a second
	p50, p99 float64 // milliseconds
	cpu      float64 // milliseconds of the server's processor time for a page
	size     float64 // bytes of a page
}

func (s score) pages() float64     { return s.rate }
func (s score) middle() float64    { return s.p50 }
func (s score) tail() float64      { return s.p99 }
func (s score) processor() float64 { return s.cpu }

// measureMode puts the targets under load in turn, round by round.
func (b *bench) measureMode(ctx context.Context, m mode, targets []target) error {
	rounds := b.rounds
	if m.goal == "" {
		rounds = rounds/2 + 1
	}
	scores := make(map[string][]score)
	for round := range rounds {
		for _, t := range targets {
			s, err := b.score(ctx, uint64(round), t)
			if err != nil {
				return fmt.Errorf("pages, %s: %w", m.name, err)
			}
			scores[t.name] = append(scores[t.name], s)
		}
	}
	raw := figures{title: "Pages of 1,000 rows, " + m.name + ", by this harness's client", columns: []string{"", "pages/s by round", "p50 by round, ms", "p99 by round, ms", "server's processor time for a page, ms", "body, bytes"}}
	for _, t := range targets {
		list := func(f func(score) float64) string { return list(each(scores[t.name], f)) }
		raw.lines = append(raw.lines, []string{t.name, list(score.pages), list(score.middle), list(score.tail), list(score.processor), commas(int64(scores[t.name][0].size))})
	}
	b.report.figures(raw)
	b.report.add(pageResult(m, b.clients, scores))
	return nil
}

// score puts one target under load once.
func (b *bench) score(ctx context.Context, round uint64, t target) (score, error) {
	before, _ := processorTime(t.pid) // 0 where it cannot be told
	began := time.Now()
	all, err := load{b.clients, b.slice, b.seed + round}.run(ctx, t)
	if err != nil {
		return score{}, err
	}
	seconds := time.Since(began).Seconds()
	after, _ := processorTime(t.pid)
	s := score{rate: all.rate(), p50: median(all.took), p99: percentile(all.took, 99), size: all.size()}
	s.cpu = max((after-before).Seconds(), 0) * 1000 / (s.rate * seconds)
	return s, nil
}

// each returns f of every element.
func each[T any](list []T, f func(T) float64) []float64 {
	out := make([]float64, len(list))
	for i, x := range list {
		out[i] = f(x)
	}
	return out
}

// pageResult compares trunklog with each yardstick.
func pageResult(m mode, clients int, scores map[string][]score) result {
	mine := each(scores["trunklog"], score.pages)
	r := result{
		work:     fmt.Sprintf("1,000-row page, random start, %d connections of this harness's client, %s", clients, m.name),
		target:   m.goal,
		measured: span(mine, "pages/s") + "; p50 " + number(median(each(scores["trunklog"], score.middle))) + " ms, p99 " + number(median(each(scores["trunklog"], score.tail))) + " ms",
		met:      noClaim,
	}
	for _, name := range []string{netHTTP, nginxName} {
		if len(scores[name]) == 0 {
			continue
		}
		sep := ""
		if r.share != "" {
			sep = "; "
		}
		yard := each(scores[name], score.pages)
		share := median(ratios(mine, yard))
		r.yardstick += sep + name + " " + span(yard, "pages/s")
		r.share += sep + percent(share) + " of " + name
		if name == m.against {
			r.met = verdict("first " + string(judge(share >= m.first)) + ", then " + string(judge(share >= m.then)))
		}
	}
	return r
}
