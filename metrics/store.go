package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trunklog/trunklog/call"
)

// Writes are the times that writes to a store have taken, and the causes of those that
// were not done. A store is watched before there is anything else to be shown.
type Writes struct {
	commit   prometheus.Histogram
	failures *prometheus.CounterVec
}

// NewWrites returns the times of no writes.
func NewWrites() *Writes {
	w := &Writes{
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "trunklog_commit_seconds",
			Help:    "How long writes to the store took until they were durable.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trunklog_commit_failures_total",
			Help: "Writes to the store that were not done, by cause. A conflict is tried again by whoever wrote.",
		}, []string{"cause"}),
	}
	for _, cause := range failureCauses() {
		w.failures.WithLabelValues(cause) // a count that is not there cannot rise from 0
	}
	return w
}

// Store returns st, with the time that its writes take being watched. If st is
// a [call.Keeper] so is what is returned.
func (ws *Writes) Store(st call.Store) call.Store {
	w := watched{st, ws}
	if k, ok := st.(call.Keeper); ok {
		return keeper{w, k}
	}
	return w
}

// A watched store is one whose writes are timed.
type watched struct {
	call.Store
	writes *Writes
}

// A keeper is a watched store that can look after itself.
type keeper struct {
	watched
	call.Keeper
}

var (
	_ call.Store  = keeper{}
	_ call.Keeper = keeper{}
)

// Write implements [call.Store].
func (w watched) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	began := time.Now() // the clock that only goes forward
	res, err := w.Store.Write(ctx, b)
	if err != nil {
		w.writes.failures.WithLabelValues(failureCause(err)).Inc()
		return res, err
	}
	w.writes.commit.Observe(time.Since(began).Seconds())
	return res, nil
}

// failures pairs errors of a store with the names of their causes.
func failures() []failure {
	return []failure{
		{call.ErrFull, "full"},
		{call.ErrConflict, "conflict"},
		{call.ErrInvalid, "invalid"},
		{call.ErrClosed, "closed"},
		{context.Canceled, "canceled"},
		{context.DeadlineExceeded, "timeout"},
	}
}

type failure struct {
	err  error
	name string
}

const otherFailure = "other"

func failureCauses() []string {
	names := []string{otherFailure}
	for _, f := range failures() {
		names = append(names, f.name)
	}
	return names
}

func failureCause(err error) string {
	for _, f := range failures() {
		if errors.Is(err, f.err) {
			return f.name
		}
	}
	return otherFailure
}
