// Package metrics shows the program's counts to Prometheus: what arrived, what was dropped and why,
// what became of it, and how long the disk took.
//
// It fetches the counts at each scrape, through functions that the caller passes in, so that no
// part that counts depends on this package. It has a registry of its own and no global one. It does
// not know what a packet or a request is, who may look, or where it is mounted. A label never holds
// personal data.
//
// docs/metrics.md explains each metric to operators.
package metrics

import (
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Config holds the origins of the counts. Each function must allow calls at any time and from
// many goroutines at once. A nil function has no metrics.
type Config struct {
	Version string // of the program
	// Writes are those of the store; nil shows a store without writes.
	Writes *Writes
	// Sources returns what the sources count.
	Sources func() []Source
	// Rows returns what became of the calls of each source.
	Rows func() []Rows
	// Auth returns the counts of tokens, and of requests with them.
	Auth func() Auth
	// Limits returns what limits have refused or held up, by limit.
	Limits func() map[string]uint64
	// Injected returns the faults made on purpose, by kind.
	Injected func() map[string]uint64
	// Connections returns how many connections the server has open.
	Connections func() int64
	// Folding returns the counts of the correlator, which makes rows out of messages.
	Folding func() Folding
	// Log receives errors of showing the metrics; nil is no log.
	Log *slog.Logger
}

// Rows are the counts of what became of the calls of a source. New, Changed and Same add up to the
// kept calls.
type Rows struct {
	Source                       string
	New, Changed, Same, Rejected int64
	Linked                       int64 // of changed and same: those that are rows of another source
	Unassigned                   int64 // of the kept calls: those that belong to no tenant's trunk
}

// Auth are the counts of tokens.
type Auth struct {
	Issued   uint64            // tokens
	Refused  map[string]uint64 // requests for a token, by cause
	Requests map[string]uint64 // requests with a token, or that lacked one, by outcome
	Keys     map[string]uint64 // fetches of the keys of an Entra tenant, by outcome
	Failed   map[string]uint64 // failures that the issuer makes up for later, by what failed
}

// Folding are the counts of the correlator, which makes rows out of messages.
type Folding struct {
	Open      int64             // legs of calls that have begun and not ended
	Held      int64             // all legs in memory
	Lag       time.Duration     // from the time of the last message until it was durable
	Messages  map[string]uint64 // "call" if they belong to a call, "shared" if to either of two tenants', "refused" if its sender may not tell of it, else "other"
	Legs      map[string]uint64 // legs that have ended, by what became of them
	Amended   uint64            // rows that late messages have changed
	Inferred  uint64            // rows of calls whose end is missing from the SIP
	Crowded   uint64            // calls that were closed because too many were open at once
	SetAside  uint64            // legs that bear Microsoft's name, beside others that surely face it
	Echoes    uint64            // rows of legs that ingest would have set aside, had it known in time
	Another   uint64            // calls that another source reported with other times when their row was there
	Unlinked  uint64            // rows that were not linked since too many share their correlation id
	Ambiguous uint64            // rows that were not linked since each of two others may be the same call

	// Clocks says by how much the clocks of sources are ahead of the server's.
	Clocks map[string]time.Duration
}

// Metrics are the metrics of one program.
type Metrics struct {
	registry *prometheus.Registry
	log      *slog.Logger
}

// New returns the metrics of c.
func New(c Config) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), log: c.Log}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	writes := c.Writes
	if writes == nil {
		writes = NewWrites()
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "trunklog_build_info",
		Help:        "Always 1; which version runs is in the labels.",
		ConstLabels: prometheus.Labels{"version": c.Version, "go_version": runtime.Version()},
	})
	info.Set(1)
	m.registry.MustRegister(
		writes.commit, writes.failures, info, newSnapshots(c),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if c.Sources != nil {
		m.registry.MustRegister(sourceCounts{c.Sources})
	}
	return m
}

// Handler serves the metrics in the form that the client asks for: Prometheus's text or
// OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(m.log.Handler(), slog.LevelError),
		MaxRequestsInFlight: 8,
	})
}
