package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trunklog/trunklog/call"
)

// Writes are the durations of writes to a store, and the causes of failed ones. It is created
// before the store, and so before the other metrics.
type Writes struct {
	commit   prometheus.Histogram
	failures *prometheus.CounterVec
}

// NewWrites returns empty Writes.
func NewWrites() *Writes {
	w := &Writes{
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "trunklog_commit_seconds",
			Help:    "How long writes to the store took until they were durable.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trunklog_commit_failures_total",
			Help: "Writes to the store that were not done, by cause. The writer tries a conflict again.",
		}, []string{"cause"}),
	}
	for _, cause := range failureCauses() {
		w.failures.WithLabelValues(cause) // Prometheus cannot see a new series rise from 0
	}
	return w
}

// Store returns st with its writes measured. If st is a [call.Keeper], so is the result.
func (ws *Writes) Store(st call.Store) call.Store {
	w := watched{st, ws}
	if k, ok := st.(call.Keeper); ok {
		return keeper{w, k}
	}
	return w
}

// A watched store measures its writes.
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
	began := time.Now() // the monotonic clock
	res, err := w.Store.Write(ctx, b)
	if err != nil {
		w.writes.failures.WithLabelValues(failureCause(err)).Inc()
		return res, err
	}
	w.writes.commit.Observe(time.Since(began).Seconds())
	return res, nil
}

// failures maps errors of a store to the names of their causes.
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
