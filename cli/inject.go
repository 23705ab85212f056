package cli

import (
	"math/rand/v2"
	"strings"

	"github.com/trunklog/trunklog/graph"
)

// checkInject checks --inject, which only a server for tests or a demo may have.
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

// faults returns the faults of --inject, or nil. Without a seed it draws one, which the log shows
// so that a tester can repeat the run.
func (s *serving) faults() (*graph.Faults, error) {
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
	return &f, nil
}
