package main

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest"
)

// sending says who sends events where.
type sending struct {
	Store   string
	Dir     string // on the same disk
	Senders int
	Rounds  int
	Length  time.Duration
	Users   int
	Seed    uint64
}

// sent is what came of it.
type sent struct {
	Rates []float64 // events a second of each round
	Took  []float64 // milliseconds of each event
	Syncs []float64 // of the disk alone, a second, of each round
	Sync  []float64 // milliseconds of each of those
}

// mostEvents is how many events are made before the senders of a round begin.
// A round in which they do not suffice is over sooner.
const mostEvents = 150_000

// sendEvents lets senders put one event each, again and again, into a store
// that holds calls already, and measures the disk alone in between.
func sendEvents(ctx context.Context, q sending) (s sent, err error) {
	err = withStore(ctx, q.Store, func(st call.Store) error {
		sink := ingest.New(ingest.Config{Store: st, Tenant: func(string) (call.GUID, bool) { return call.GUID{}, false }, Now: time.Now}).Sink("bench", tenantID())
		for round := range q.Rounds {
			if err := s.round(ctx, sink, q, uint64(round)); err != nil {
				return err
			}
		}
		return nil
	})
	return s, err
}

// round measures the disk, makes events and lets them be sent.
func (s *sent) round(ctx context.Context, sink *ingest.Sink, q sending, round uint64) error {
	took, err := syncs(q.Dir, q.Length/2)
	if err != nil {
		return err
	}
	s.Sync = append(s.Sync, took...)
	s.Syncs = append(s.Syncs, perSecond(int64(len(took)), q.Length/2))

	events := make(chan call.Event, mostEvents)
	for r := range (crowd{Rows: mostEvents, Users: q.Users, Seed: q.Seed + round + 1}).all() {
		e := call.Event{Kind: call.RecordEvent, Row: r.Clone()}
		if err := sink.Prepare(&e); err != nil {
			return err
		}
		events <- e
	}
	close(events)
	began := time.Now()
	all, err := put(ctx, sink, events, q.Senders, began.Add(q.Length))
	if err != nil {
		return err
	}
	s.Rates = append(s.Rates, perSecond(int64(len(all)), time.Since(began)))
	s.Took = append(s.Took, all...)
	return nil
}

// put lets senders put events one by one until end, and returns the
// milliseconds that each took to be durable.
func put(ctx context.Context, sink call.Sink, events <-chan call.Event, senders int, end time.Time) ([]float64, error) {
	took := make([][]float64, senders)
	g, ctx := errgroup.WithContext(ctx)
	for i := range senders {
		g.Go(func() error {
			for e := range events {
				began := time.Now()
				if began.After(end) {
					return nil
				}
				if _, err := sink.Put(ctx, e); err != nil {
					return err
				}
				took[i] = append(took[i], milliseconds(time.Since(began)))
			}
			return nil
		})
	}
	err := g.Wait()
	return slices.Concat(took...), err
}

// measureEvents measures single events.
func (b *bench) measureEvents(ctx context.Context) error {
	const senders = 64
	var s sent
	c, err := child(ctx, "events", sending{
		Store: "pebble:" + b.storeDir(), Dir: filepath.Join(b.dir), Senders: senders,
		Rounds: b.rounds, Length: 2 * b.slice, Users: b.users, Seed: b.seed,
	}, &s)
	if err != nil {
		return err
	}
	p99 := percentile(s.Took, 99)
	b.report.add(result{
		work:      "durable single events, 64 senders, into " + commas(int64(b.rows)) + " rows",
		target:    "≥ 20,000/s, p99 ≤ 20 ms",
		measured:  span(s.Rates, "/s") + "; p50 " + number(median(s.Took)) + " ms, p99 " + number(p99) + " ms",
		yardstick: "fdatasync of the disk: " + span(s.Syncs, "/s") + b.postgres.inserted(),
		share:     number(median(ratios(s.Rates, s.Syncs))) + " events a sync",
		met:       judge(median(s.Rates) >= 20_000 && p99 <= 20),
	})
	b.report.figures(figures{
		title:   "Durable single events, 64 senders",
		columns: []string{"", "a second, by round", "p50", "p99", "greatest"},
		lines: [][]string{
			{"events", list(s.Rates), number(median(s.Took)) + " ms", number(p99) + " ms", number(percentile(s.Took, 100)) + " ms"},
			{"fdatasync of 4 KiB appended", list(s.Syncs), number(median(s.Sync)) + " ms", number(percentile(s.Sync, 99)) + " ms", number(percentile(s.Sync, 100)) + " ms"},
		},
		note: c.note("making the events up"),
	})
	return nil
}
