package cli

import (
	"log/slog"
	"math/rand/v2"
	"strings"

	"github.com/trunklog/trunklog/graph"
)

// checkInject checks --inject. It is for servers whose calls nobody depends on.
func (s *serving) checkInject() error {
	if s.inject == "" {
		return nil
	}
	if _, err := graph.ParseFaults(s.inject); err != nil {
		return usage("--inject: %w", err)
	}
	if !s.strict && !s.demo {
		return usage("--inject does wrong on purpose: it needs --strict, to test clients against, or --demo")
	}
	return nil
}

// faults returns what shall go wrong on purpose, or nil. The seed is in the log, so
// that what was seen can be had again.
func (s *serving) faults(log *slog.Logger) (*graph.Faults, error) {
	if s.inject == "" {
		return nil, nil //nolint:nilnil // no faults are no error
	}
	f, err := graph.ParseFaults(s.inject)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(s.inject, "seed=") {
		f.Seed = rand.Uint64() >> 32 //nolint:gosec // short, to be written again
	}
	log.Warn("doing wrong on purpose (--inject)", "429", f.Throttled, "503", f.Unavailable, "cut", f.Cut,
		"least", f.Least.String(), "most", f.Most.String(), "seed", f.Seed)
	return &f, nil
}

// injected returns the counts of faults by their names.
func injected(n graph.Injected) map[string]uint64 {
	return map[string]uint64{"429": n.Throttled, "503": n.Unavailable, "latency": n.Delayed, "cut": n.Cut}
}
