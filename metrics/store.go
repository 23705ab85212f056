package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Store returns st, with the time that its writes take being watched. If st is
// a [call.Keeper] so is what is returned.
func (m *Metrics) Store(st call.Store) call.Store {
	w := watched{st, m}
	if k, ok := st.(call.Keeper); ok {
		return keeper{w, k}
	}
	return w
}

// A watched store is one whose writes are timed.
type watched struct {
	call.Store
	m *Metrics
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
		w.m.failures.WithLabelValues(failureCause(err)).Inc()
		return res, err
	}
	w.m.commit.Observe(time.Since(began).Seconds())
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
