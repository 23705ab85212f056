package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/source/hep"
)

// folding says which packets are folded, and how often.
type folding struct {
	File   string
	Rounds int
}

// folded is what came of it.
type folded struct {
	Calls int       // in the file
	Rates []float64 // calls a second of each round
}

// fold takes packets apart, reads the messages in them and makes rows of their
// calls, which nobody keeps.
func fold(ctx context.Context, q folding, out *json.Encoder) error {
	var answer folded
	for range q.Rounds {
		began := time.Now()
		n, err := foldFile(ctx, q.File)
		if err != nil {
			return err
		}
		answer.Calls = n
		answer.Rates = append(answer.Rates, perSecond(int64(n), time.Since(began)))
	}
	return out.Encode(answer)
}

func foldFile(ctx context.Context, name string) (calls int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := ingest.New(ingest.Config{Store: noStore{}, Tenant: func(string) (call.GUID, bool) { return tenantID(), true }})
	sink := in.SinkOf(ingest.Input{Source: "bench", Recorded: true})
	// One goroutine decodes and the other folds, as in an import.
	const some = 512
	batches := make(chan []call.Event, 4)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(batches)
		var batch []call.Event
		for e, err := range hep.Decoder(nil)(f) {
			if err != nil {
				return err
			}
			if batch = append(batch, e); len(batch) == some {
				select {
				case batches <- batch:
					batch = make([]call.Event, 0, some)
				case <-ctx.Done():
					return nil
				}
			}
		}
		select {
		case batches <- batch:
		case <-ctx.Done():
		}
		return nil
	})
	g.Go(func() error {
		for batch := range batches {
			if _, err := sink.Put(ctx, batch...); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(g.Wait(), sink.Flush(context.WithoutCancel(ctx))); err != nil {
		return 0, err
	}
	return int(in.HearStats().Rows), nil
}

// measureFold measures folding without a socket and without a disk.
func (b *bench) measureFold(ctx context.Context, file string) error {
	var got folded
	c, err := child(ctx, "fold", folding{File: file, Rounds: b.rounds}, &got)
	if err != nil {
		return err
	}
	if got.Calls != b.calls {
		return fmt.Errorf("%d calls of %d were folded", got.Calls, b.calls)
	}
	rate := median(got.Rates)
	b.report.add(result{
		work:     "HEP: decode and fold in process, " + fmt.Sprint(perCall) + " messages a call",
		target:   "≥ 10,000 calls/s",
		measured: span(got.Rates, " calls/s") + "; " + mebibytes(c.Peak) + " at most",
		met:      judge(rate >= 10_000),
	})
	return nil
}

// A noStore keeps nothing, at no cost. What folding does not ask for it does not
// answer.
type noStore struct{ call.Store }

var _ call.Store = noStore{}

func (noStore) Rows(context.Context, call.Query) iter.Seq2[*call.Row, error] {
	return func(func(*call.Row, error) bool) {}
}

func (noStore) Row(context.Context, call.GUID, call.GUID) (call.Row, error) {
	return call.Row{}, call.ErrNotFound
}

func (noStore) Count(context.Context, call.Query) (int64, error) { return 0, nil }

func (noStore) Groups(context.Context, call.Query, call.Grouping) iter.Seq2[*call.Group, error] {
	return func(func(*call.Group, error) bool) {}
}

func (noStore) Write(_ context.Context, b call.Batch) (call.Result, error) {
	res := call.Result{Rows: make([]call.Written, len(b.Rows))}
	for i := range b.Rows {
		res.Rows[i] = call.Written{Place: b.Rows[i].Cursor(), Fate: call.New}
	}
	return res, nil
}

func (noStore) State(context.Context, string) iter.Seq2[call.Named, error] {
	return func(func(call.Named, error) bool) {}
}

func (noStore) Legs(context.Context, call.GUID, call.Cursor) ([]call.Leg, error) { return nil, nil }

func (noStore) Messages(context.Context, call.Leg) iter.Seq2[*call.Message, error] {
	return func(func(*call.Message, error) bool) {}
}

func (noStore) Trim(context.Context, call.GUID, time.Time) (int64, error) { return 0, nil }
func (noStore) TrimMessages(context.Context, time.Time) error             { return nil }
func (noStore) Close() error                                              { return nil }
