package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/door"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/metrics"
	"github.com/trunklog/trunklog/store/socket"
)

// A watch is what monitoring looks at. What it counts is set before anybody can
// look.
type watch struct {
	*metrics.Metrics
	in        *ingest.Ingest
	sources   []*listening
	authority *auth.Authority
	api       *graph.Handler
	door      *door.Door
	heads     *headLimit
}

func newWatch(log *slog.Logger) *watch {
	w := &watch{}
	w.Metrics = metrics.New(metrics.Config{
		Version:     version(),
		Sources:     w.counters,
		Rows:        w.rows,
		Auth:        func() metrics.Auth { return authCounts(w.authority.Stats()) },
		Limits:      func() map[string]uint64 { return w.limits().counts() },
		Injected:    func() map[string]uint64 { return injected(w.api.Stats().Injected) },
		Connections: func() int64 { return w.door.Stats().Open },
		Folding:     func() metrics.Folding { return foldingCounts(w.in.HearStats()) },
		Log:         log,
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

// A limiting is what limits count.
type limiting struct {
	door  door.Stats
	pages graph.Stats
	heads uint64
	slow  uint64
}

func (w *watch) limits() limiting {
	return limiting{w.door.Stats(), w.api.Stats(), w.heads.refused.Load(), w.heads.slow.Load()}
}

// counts returns them by the names that docs/limits.md has. What sources have refused
// they count themselves.
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
		Messages: map[string]uint64{"call": s.Messages, "other": s.Other},
		Legs:     map[string]uint64{"row": s.Rows, "part": s.OtherLegs, "elsewhere": s.Elsewhere, "rejected": s.Rejected},
		Amended:  s.Amended, Inferred: s.Inferred, Crowded: s.Crowded,
		SetAside: s.SetAside, Echoes: s.Echoes, Another: s.Another, Unlinked: s.Unlinked, Ambiguous: s.Ambiguous, Clocks: s.Offsets,
	}
}

// pages returns what monitoring asks for: /metrics, /healthz, /readyz and /sources.
func (w *watch) pages(ready func(ctx context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", w.Handler())
	mux.HandleFunc("GET /healthz", w.health)
	mux.HandleFunc("GET "+sourcesPath, w.listSources)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			say(w, http.StatusServiceUnavailable, "not ready: "+words(err))
			return
		}
		say(w, http.StatusOK, "ready")
	})
	return mux
}

// say answers in one line of text.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// withPages leads requests for the pages to them, and all others on.
func withPages(pages, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			// Unlike what commands ask for, a page is short.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute))
			pages.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// A readiness knows whether the server can do its work. Only a write tells
// whether writes are possible, and a write may hang: so one goroutine writes,
// and those who ask wait for it no longer than they can.
type readiness struct {
	store call.Store
	up    atomic.Bool // the listeners are open
	asked chan chan<- error
}

const (
	readyEvery = 5 * time.Second // between two writes
	readyWait  = 2 * time.Second
	readyState = "server/ready"
)

var (
	errStarting   = errors.New("the server is starting")
	errStopping   = errors.New("the server is stopping")
	errStoreStuck = fmt.Errorf("the store has not taken a write within %v", readyWait)
)

func newReadiness(st call.Store) *readiness {
	return &readiness{store: st, asked: make(chan chan<- error)}
}

// run answers those who ask, until ctx is done.
func (r *readiness) run(ctx context.Context) error {
	var last time.Time
	var err error
	for {
		select {
		case <-ctx.Done():
			return nil
		case answer := <-r.asked:
			if now := time.Now(); last.IsZero() || now.Sub(last) >= readyEvery {
				last = now
				_, err = r.store.Write(ctx, call.Batch{State: map[string][]byte{readyState: []byte(now.UTC().Format(time.RFC3339))}})
			}
			answer <- err
		}
	}
}

// check returns why the server cannot do its work, or nil. The server stops
// when serving is done.
func (r *readiness) check(ctx, serving context.Context) error {
	switch {
	case serving.Err() != nil:
		return errStopping
	case !r.up.Load():
		return errStarting
	}
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	answer := make(chan error, 1)
	select {
	case r.asked <- answer:
	case <-ctx.Done():
		return errStoreStuck
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return errStoreStuck
	}
}

// An admin is where the server is looked after: the socket in the data folder,
// for commands and monitoring, and a port for monitoring if one was asked for.
type admin struct {
	socket  net.Listener
	monitor net.Listener // nil if there is none
}

// openAdmin listens on the socket, and on monitor if that is not empty.
func openAdmin(data, monitor string) (a admin, err error) {
	if a.socket, err = socket.Listen(datadir.Socket(data)); err != nil || monitor == "" {
		return a, err
	}
	if a.monitor, err = net.Listen("tcp", monitor); err != nil {
		return a, errors.Join(fmt.Errorf("--admin-listen: %w", err), a.socket.Close())
	}
	return a, nil
}

// close closes what serving has not closed, if it came to that.
func (a *admin) close() {
	_ = a.socket.Close()
	if a.monitor != nil {
		_ = a.monitor.Close()
	}
}

// serve lets g serve both until ctx is done. Commands work on the store that is
// shared with them.
func (a *admin) serve(ctx context.Context, g *errgroup.Group, shared call.Store, w *watch, ready *readiness, log *slog.Logger) {
	pages := w.pages(func(asked context.Context) error { return ready.check(asked, ctx) })
	g.Go(func() error {
		return serveHTTP(ctx, a.socket, withTail(ctx, w.in, withPages(pages, socket.Handler(shared, version()))), log)
	})
	if a.monitor != nil {
		log.Info("monitoring", "address", a.monitor.Addr().String())
		g.Go(func() error { return serveHTTP(ctx, a.monitor, pages, log) })
	}
}
