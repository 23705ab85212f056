package node

import (
	"context"
	"io"
	"net/http"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/door"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/metrics"
)

// A watch answers the requests of monitoring.
type watch struct {
	*metrics.Metrics
	sources  []*listening
	statuses func(context.Context) []admin.SourceStatus
}

func newWatch(n *Node) *watch {
	w := &watch{sources: n.sources, statuses: n.statuses}
	w.Metrics = metrics.New(metrics.Config{
		Version:     n.c.Version,
		Writes:      n.writes,
		Sources:     w.counters,
		Rows:        w.rows,
		Auth:        func() metrics.Auth { return authCounts(n.authority.Stats()) },
		Limits:      func() map[string]uint64 { return n.limits().counts() },
		Injected:    func() map[string]uint64 { return injected(n.api.Stats().Injected) },
		Connections: func() int64 { return n.door.Stats().Open },
		Folding:     func() metrics.Folding { return foldingCounts(n.in.HearStats()) },
		Log:         n.c.Log,
	})
	return w
}

func (w *watch) counters() []metrics.Source {
	all := make([]metrics.Source, len(w.sources))
	for i, l := range w.sources {
		all[i] = metrics.Source{Name: l.name, Counter: l}
	}
	return all
}

func authCounts(s auth.Stats) metrics.Auth {
	return metrics.Auth{
		Issued: uint64(s.Issued),
		Refused: map[string]uint64{
			"limited": uint64(s.Limited), "replayed": uint64(s.Replayed),
			"other": uint64(max(s.Refused-s.Limited-s.Replayed, 0)),
		},
		Requests: map[string]uint64{"allowed": uint64(s.Allowed), "denied": uint64(s.Denied), "unavailable": uint64(s.Unavailable)},
		Keys:     map[string]uint64{"read": uint64(s.JWKSFetched), "failed": uint64(s.JWKSFailed)},
		Failed:   map[string]uint64{"last-use": uint64(s.UseNotSaved), "round": uint64(s.RoundFailed)},
	}
}

// A limiting holds the counts of the limits.
type limiting struct {
	door  door.Stats
	pages graph.Stats
	heads uint64
	slow  uint64
}

func (n *Node) limits() limiting {
	return limiting{n.door.Stats(), n.api.Stats(), n.heads.refused.Load(), n.heads.slow.Load()}
}

// counts returns them by their names in docs/limits.md. Sources count what they refuse themselves.
func (l limiting) counts() map[string]uint64 {
	return map[string]uint64{
		"connections-of-address": l.door.Address,
		"connections":            l.door.All,
		"idle-connections":       l.door.Evicted,
		"no-request":             l.door.Mute,
		"headers":                l.heads,
		"path":                   l.pages.TooLong,
		"answers":                l.slow,
		"page-timeout":           l.pages.TimedOut,
		"requests":               l.pages.Limited,
		"pages":                  l.pages.PagesHeld,
		"scans":                  l.pages.ScansHeld,
	}
}

func (w *watch) rows() []metrics.Rows {
	all := make([]metrics.Rows, len(w.sources))
	for i, l := range w.sources {
		all[i] = rowsOf(l.name, l.sink.Totals())
	}
	return all
}

func rowsOf(name string, t ingest.Totals) metrics.Rows {
	return metrics.Rows{Source: name, New: t.New, Changed: t.Changed, Same: t.Same, Rejected: t.Rejected, Linked: t.Linked, Unassigned: t.Unassigned}
}

func foldingCounts(s ingest.HearStats) metrics.Folding {
	return metrics.Folding{
		Open: s.Open, Held: s.Held, Lag: s.Lag,
		Messages: map[string]uint64{"call": s.Messages, "other": s.Other, "shared": s.Shared, "refused": s.Refused},
		Legs:     map[string]uint64{"row": s.Rows, "part": s.OtherLegs, "elsewhere": s.Elsewhere, "rejected": s.Rejected},
		Amended:  s.Amended, Inferred: s.Inferred, Crowded: s.Crowded,
		SetAside: s.SetAside, Echoes: s.Echoes, Another: s.Another, Unlinked: s.Unlinked, Ambiguous: s.Ambiguous, Clocks: s.Offsets,
	}
}

// pages returns the handler of the pages for monitoring: /metrics, /healthz, /readyz and /sources.
func (w *watch) pages(ready func(ctx context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", w.Handler())
	mux.HandleFunc("GET /healthz", w.health)
	mux.HandleFunc("GET /sources", w.listSources)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			say(w, http.StatusServiceUnavailable, "not ready: "+call.Words(err))
			return
		}
		say(w, http.StatusOK, "ready")
	})
	return mux
}

// say answers with one line of text.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
