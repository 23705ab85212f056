package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trunklog/trunklog/call"
)

// A Source is the name of a source, and its counter.
type Source struct {
	Name string
	call.Counter
}

// sourceCounts shows the counts of sources, by their own measures.
type sourceCounts struct{ sources func() []Source }

// Describe implements [prometheus.Collector]. It describes nothing, because the sources are not
// known yet.
func (c sourceCounts) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector]. It ignores a count whose name is not among the
// measures of its source.
func (c sourceCounts) Collect(to chan<- prometheus.Metric) {
	for _, s := range c.sources() {
		measures := map[string]measure{}
		for _, m := range s.Measures() {
			measures[m.Name] = newMeasure(m)
		}
		s.Counts(func(name, cause string, n uint64) {
			if m, ok := measures[name]; ok {
				output(to).add(m.family, float64(n), m.labels(s.Name, cause)...)
			}
		})
	}
}

// A measure is the metric of a [call.Measure].
type measure struct {
	family
	of call.Measure
}

func newMeasure(m call.Measure) measure {
	var labels []string
	if !m.Alone {
		labels = append(labels, "source")
	}
	if m.By != "" {
		labels = append(labels, m.By)
	}
	if m.Gauge {
		return measure{gauge(m.Name, m.Help, labels...), m}
	}
	return measure{counter(m.Name, m.Help, labels...), m}
}

// labels returns the values of the labels.
func (m measure) labels(source, cause string) (values []string) {
	if !m.of.Alone {
		values = append(values, source)
	}
	if m.of.By != "" {
		values = append(values, cause)
	}
	return values
}
