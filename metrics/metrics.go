// Package metrics shows what the program counts to Prometheus: what arrived,
// what was dropped and why, what became of it, and how long the disk took.
//
// It asks for the counts when it is asked for them, through functions that are
// passed in, so that nobody who counts knows who looks. It has a registry of
// its own and no global one. It does not know what a packet or a request is,
// who may look, or where it is mounted. A label never holds anything that
// belongs to a person.
//
// What each metric means to an operator is in docs/metrics.md.
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

// A Config says where the counts come from. Each function may be called at any
// time and from many goroutines at once. Of one that is nil there are no
// metrics.
type Config struct {
	Version string // of the program
	// Writes are those of the store; nil shows a store that nothing was written to.
	Writes *Writes
	// Sources returns what the sources count.
	Sources func() []Source
	// Rows returns what became of the calls of each source.
	Rows func() []Rows
	// Auth returns the counts of tokens, and of requests that were judged by them.
	Auth func() Auth
	// Limits returns what limits have refused or held up, by limit.
	Limits func() map[string]uint64
	// Injected returns what was done wrong on purpose, by fault.
	Injected func() map[string]uint64
	// Connections returns how many there are that the server has accepted.
	Connections func() int64
	// Folding returns the counts of the correlator, which makes rows out of messages.
	Folding func() Folding
	// Log is told when the metrics cannot be shown; nil is no log.
	Log *slog.Logger
}

// Rows are the counts of what became of the calls of a source. New, Changed and
// Same add up to the calls that were kept.
type Rows struct {
	Source                       string
	New, Changed, Same, Rejected int64
	Linked                       int64 // of changed and same: found to be rows of another source
	Unassigned                   int64 // of the ones that were kept: belong to no tenant's trunk
}

// Auth are the counts of tokens.
type Auth struct {
	Issued   uint64            // tokens
	Refused  map[string]uint64 // requests for a token, by cause
	Requests map[string]uint64 // requests that showed a token, or should have, by outcome
	Keys     map[string]uint64 // times that the keys of an Entra tenant were read, by outcome
	Failed   map[string]uint64 // what could not be done and is made up for later, by what
}

// Folding are the counts of the correlator, which makes rows out of messages.
type Folding struct {
	Open      int64             // legs of calls that have begun and not ended
	Held      int64             // all legs in memory
	Lag       time.Duration     // from the time of the last message to its being durable
	Messages  map[string]uint64 // "call" if they belong to a call, else "other"
	Legs      map[string]uint64 // legs that have ended, by what became of them
	Amended   uint64            // rows that late messages have changed
	Inferred  uint64            // rows of calls whose end was not heard
	Crowded   uint64            // calls that were closed because there were too many at once
	SetAside  uint64            // legs that bear Microsoft's name, beside others that surely face it
	Echoes    uint64            // rows of legs that would have been set aside, had that been known in time
	Another   uint64            // calls that another source told with other times when their row was there
	Unlinked  uint64            // rows that were not linked since too many share their correlation id
	Ambiguous uint64            // rows that were not linked since each of two others may be the same call

	// Clocks are by how much the clocks of sources are ahead of ours.
	Clocks map[string]time.Duration
}

// Metrics are the metrics of one program.
type Metrics struct {
	registry *prometheus.Registry
	log      *slog.Logger
}

// New returns the metrics of what c describes.
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

// Handler shows the metrics in the form that the client asks for: Prometheus's
// text or OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(m.log.Handler(), slog.LevelError),
		MaxRequestsInFlight: 8,
	})
}
