package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/tenant"
)

// whenForms are the forms in which commands take a time, beside "now" and a
// distance from now.
var whenForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

// when reads a time as commands take it: "2026-11-01", RFC 3339, or a distance
// before now such as "-24h", "-90m" or "-7d". A time without a zone is UTC.
func when(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if s == "now" {
		return now.UTC(), nil
	}
	if back, found := strings.CutPrefix(s, "-"); found {
		if d, err := time.ParseDuration(back); err == nil {
			return now.UTC().Add(-d), nil
		}
		if p, err := tenant.ParsePeriod(back); err == nil && !p.Forever() {
			return p.Before(now.UTC()), nil
		}
	}
	for _, form := range whenForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: time %q: give a date (2026-11-01), a time (2026-11-01T08:00:00Z) or a distance before now (-24h, -7d)", call.ErrInvalid, s)
}
