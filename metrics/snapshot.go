package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trunklog/trunklog/call"
)

// A family is a metric whose value comes from a function of [Config].
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func counter(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue}
}

func gauge(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue}
}

// families are the metrics that snapshots collects.
type families struct {
	authIssued, authRefused, authRequests, authKeys, authFailed family
	limited, injected, connections                              family
	rows, linked, unassigned                                    family
	open, held, lag, heard, legs, amended, inferred, crowded    family
	aside, echoes, another, unlinked, ambiguous, clocks         family
}

func newFamilies() families {
	return families{
		authIssued:   counter("trunklog_auth_tokens_issued_total", "Tokens that were issued."),
		authRefused:  counter("trunklog_auth_tokens_refused_total", "Requests to the token issuer that were refused, by cause.", "cause"),
		authRequests: counter("trunklog_auth_requests_total", "Requests that showed a token or should have, by outcome.", "outcome"),
		authKeys:     counter("trunklog_auth_entra_keys_total", "Times that the keys of an Entra tenant were read, by outcome.", "outcome"),
		authFailed:   counter("trunklog_auth_failures_total", "What the issuer could not do and makes up for later, by what.", "what"),
		limited:      newMeasure(call.Limited()).family,
		injected:     counter("trunklog_injected_total", "Answers that were spoilt or delayed on purpose, by fault.", "fault"),
		connections:  gauge("trunklog_connections", "Connections of clients and of capture agents that are open."),
		rows:         counter("trunklog_rows_total", "Calls by what became of them: new, changed, same, rejected.", "source", "outcome"),
		linked:       counter("trunklog_rows_linked_total", "Calls that were found to be rows of another source.", "source"),
		unassigned:   counter("trunklog_rows_unassigned_total", "Calls that were kept and belong to no tenant's trunk.", "source"),
		open:         gauge("trunklog_open_calls", "Legs of calls heard by SIP that have begun and not ended."),
		held:         gauge("trunklog_held_calls", "Legs of calls heard by SIP that are in memory."),
		lag:          gauge("trunklog_fold_lag_seconds", "From the time of the last SIP message to its being durable."),
		heard:        counter("trunklog_fold_messages_total", "SIP messages, by whether they belong to a call.", "outcome"),
		legs:         counter("trunklog_fold_legs_total", "Legs of calls heard by SIP that have ended, by what became of them.", "outcome"),
		amended:      counter("trunklog_fold_amended_total", "Rows that late SIP messages have changed."),
		inferred:     counter("trunklog_fold_inferred_total", "Rows of calls whose end was not heard."),
		crowded:      counter("trunklog_fold_crowded_total", "Calls that were closed because there were too many at once."),
		aside:        counter("trunklog_legs_set_aside_total", "Legs that bear Microsoft's name and made no row, because others of their source surely face Microsoft at the same time."),
		echoes:       counter("trunklog_fold_echoes_total", "Rows of legs that would have been set aside, had it been known in time that others surely face Microsoft."),
		another:      counter("trunklog_fold_other_times_total", "Calls that a source told with other times than those of the row that was there, which stayed."),
		unlinked:     counter("trunklog_rows_unlinked_total", "Rows that were not linked with others, because more than 64 that start at about the same time share their correlation id."),
		ambiguous:    counter("trunklog_rows_ambiguous_total", "Records of an SBC without a correlation id, and calls of Microsoft's, that were not linked, because two others each may be the same call."),
		clocks:       gauge("trunklog_source_clock_offset_seconds", "By how much the clock of a source's agents is ahead of this one, where that is steady.", "source"),
	}
}

// all returns every family of f.
func (f *families) all() []family {
	return []family{
		f.authIssued, f.authRefused, f.authRequests, f.authKeys, f.authFailed,
		f.limited, f.injected, f.connections,
		f.rows, f.linked, f.unassigned,
		f.open, f.held, f.lag, f.heard, f.legs, f.amended, f.inferred, f.crowded,
		f.aside, f.echoes, f.another, f.unlinked, f.ambiguous, f.clocks,
	}
}

// snapshots calls the functions of [Config] at each scrape.
type snapshots struct {
	c Config
	f families
}

func newSnapshots(c Config) *snapshots { return &snapshots{c, newFamilies()} }

// Describe implements [prometheus.Collector].
func (s *snapshots) Describe(to chan<- *prometheus.Desc) {
	for _, f := range s.f.all() {
		to <- f.desc
	}
}

// Collect implements [prometheus.Collector].
func (s *snapshots) Collect(to chan<- prometheus.Metric) {
	out := output(to)
	if s.c.Rows != nil {
		for _, r := range s.c.Rows() {
			out.add(s.f.rows, float64(r.New), r.Source, "new")
			out.add(s.f.rows, float64(r.Changed), r.Source, "changed")
			out.add(s.f.rows, float64(r.Same), r.Source, "same")
			out.add(s.f.rows, float64(r.Rejected), r.Source, "rejected")
			out.add(s.f.linked, float64(r.Linked), r.Source)
			out.add(s.f.unassigned, float64(r.Unassigned), r.Source)
		}
	}
	if s.c.Auth != nil {
		s.auth(out, s.c.Auth())
	}
	if s.c.Limits != nil {
		out.by(s.f.limited, s.c.Limits())
	}
	if s.c.Injected != nil {
		out.by(s.f.injected, s.c.Injected())
	}
	if s.c.Connections != nil {
		out.add(s.f.connections, float64(s.c.Connections()))
	}
	if s.c.Folding != nil {
		s.folding(out, s.c.Folding())
	}
}

func (s *snapshots) auth(out output, x Auth) {
	out.add(s.f.authIssued, float64(x.Issued))
	out.by(s.f.authRefused, x.Refused)
	out.by(s.f.authRequests, x.Requests)
	out.by(s.f.authKeys, x.Keys)
	out.by(s.f.authFailed, x.Failed)
}

func (s *snapshots) folding(out output, x Folding) {
	out.add(s.f.open, float64(x.Open))
	out.add(s.f.held, float64(x.Held))
	out.add(s.f.lag, x.Lag.Seconds())
	for outcome, n := range x.Messages {
		out.add(s.f.heard, float64(n), outcome)
	}
	for outcome, n := range x.Legs {
		out.add(s.f.legs, float64(n), outcome)
	}
	out.add(s.f.amended, float64(x.Amended))
	out.add(s.f.inferred, float64(x.Inferred))
	out.add(s.f.crowded, float64(x.Crowded))
	out.add(s.f.aside, float64(x.SetAside))
	out.add(s.f.echoes, float64(x.Echoes))
	out.add(s.f.another, float64(x.Another))
	out.add(s.f.unlinked, float64(x.Unlinked))
	out.add(s.f.ambiguous, float64(x.Ambiguous))
	for source, ahead := range x.Clocks {
		out.add(s.f.clocks, ahead.Seconds(), source)
	}
}

// output receives the values of one scrape.
type output chan<- prometheus.Metric

func (o output) add(f family, value float64, labels ...string) {
	o <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
}

// by adds the counts of a metric with one label.
func (o output) by(f family, values map[string]uint64) {
	for label, n := range values {
		o.add(f, float64(n), label)
	}
}
