package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

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
func fold(ctx context.Context, q folding) (answer folded, err error) {
	for range q.Rounds {
		began := time.Now()
		if answer.Calls, err = foldFile(ctx, q.File); err != nil {
			return answer, err
		}
		answer.Rates = append(answer.Rates, perSecond(int64(answer.Calls), time.Since(began)))
	}
	return answer, nil
}

// foldFile folds the messages in a file, as in an import: one goroutine decodes and
// the other folds.
func foldFile(ctx context.Context, name string) (calls int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := ingest.New(ingest.Config{Store: noStore{}, Tenant: func(string) (call.GUID, bool) { return tenantID(), true }})
	sink := in.SinkOf(ingest.Input{Source: "bench", Recorded: true})
	for batch, err := range ahead(ctx, batchesOf(hep.Decoder(nil)(f), 512)) {
		if err == nil {
			_, err = sink.Put(ctx, batch...)
		}
		if err != nil {
			return 0, err
		}
	}
	err = sink.Flush(context.WithoutCancel(ctx))
	return int(in.HearStats().Rows), err
}

// batchesOf yields events in batches of some, which belong to the receiver.
func batchesOf(events iter.Seq2[call.Event, error], some int) iter.Seq2[[]call.Event, error] {
	return func(yield func([]call.Event, error) bool) {
		batch := make([]call.Event, 0, some)
		for e, err := range events {
			if batch = append(batch, e); err == nil && len(batch) < some {
				continue
			}
			if !yield(batch, err) || err != nil {
				return
			}
			batch = make([]call.Event, 0, some)
		}
		yield(batch, nil)
	}
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
