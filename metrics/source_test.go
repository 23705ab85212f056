package metrics

import (
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
)

// A told counter has fixed counts.
type told struct {
	measures []call.Measure
	counts   []count
}

type count struct {
	name, cause string
	n           uint64
}

func (t told) Measures() []call.Measure { return t.measures }

func (t told) Counts(yield func(name, cause string, n uint64)) {
	for _, c := range t.counts {
		yield(c.name, c.cause, c.n)
	}
}

// hepMeasures and pushMeasures are as two kinds of sources have them.
func hepMeasures() []call.Measure {
	return []call.Measure{
		{Name: "trunklog_hep_packets_total", Help: "HEP packets received."},
		{Name: "trunklog_hep_bytes_total", Help: "Bytes of the HEP packets received."},
		{Name: "trunklog_hep_messages_total", Help: "SIP messages taken out of HEP packets and accepted."},
		{Name: "trunklog_hep_lost_bytes_total", Help: "Bytes that came over TCP between HEP packets and are part of none."},
		{Name: "trunklog_hep_further_messages_total", Help: "SIP messages that followed another one in the same HEP packet."},
		{Name: "trunklog_hep_retimed_total", Help: "SIP messages without a usable time, which were given that of their arrival."},
		{Name: "trunklog_hep_refused_total", Help: "HEP packets of which nothing came, by cause.", By: "cause"},
		{Name: "trunklog_hep_kernel_drops_total", Help: "Datagrams that the kernel had no room for."},
		{Name: "trunklog_hep_connections", Help: "Open connections of capture agents.", Gauge: true},
		{Name: "trunklog_hep_connections_accepted_total", Help: "Connections of capture agents that were accepted."},
		{Name: "trunklog_hep_connections_refused_total", Help: "Connections that came to nothing before any packet was read, by cause.", By: "cause"},
	}
}

func pushMeasures() []call.Measure {
	return []call.Measure{
		{Name: "trunklog_push_requests_total", Help: "Requests that delivered calls over HTTP, by outcome.", By: "outcome", Alone: true},
		{Name: "trunklog_push_rejected_total", Help: "Records in such requests that were not taken, by cause.", By: "cause", Alone: true},
		{Name: "trunklog_push_bytes_total", Help: "Bytes of such requests, after unpacking.", Alone: true},
		{Name: "trunklog_push_active_requests", Help: "Such requests that are being worked on now.", Gauge: true, Alone: true},
	}
}

// hep returns what a source of HEP counts: a number for each measure without causes,
// in their order, and the others.
func hep(plain [9]uint64, others ...count) told {
	t := told{hepMeasures(), others}
	for _, m := range t.measures {
		if m.By == "" {
			t.counts = append(t.counts, count{m.Name, "", plain[0]})
			copy(plain[:], plain[1:])
		}
	}
	return t
}

// exampleSources are two of one kind and the only one of another.
func exampleSources() []Source {
	return []Source{
		{"sbc1", hep([9]uint64{7, 4200, 4, 0, 0, 1, 3, 5, 15},
			count{"trunklog_hep_refused_total", "auth", 2}, count{"trunklog_hep_refused_total", "length", 0},
			count{"trunklog_hep_connections_refused_total", "no-certificate", 16}, count{"trunklog_hep_connections_refused_total", "crowded", 0})},
		{"sbc2", hep([9]uint64{1})},
		{"http", told{pushMeasures(), []count{
			{"trunklog_push_requests_total", "accepted", 3},
			{"trunklog_push_requests_total", "busy", 1},
			{"trunklog_push_rejected_total", "record", 6},
			{"trunklog_push_bytes_total", "", 999},
			{"trunklog_push_active_requests", "", 2},
		}}},
	}
}

// TestSourceOfAnyKind: a source of an unknown kind is shown by its own measures; a count without a
// measure is ignored, and harms nothing else.
func TestSourceOfAnyKind(t *testing.T) {
	text := own(shown(t, New(Config{
		Limits: func() map[string]uint64 { return map[string]uint64{"scans": 1} },
		Sources: func() []Source {
			return []Source{{"desk", told{
				[]call.Measure{{Name: "trunklog_toy_marbles", Help: "Marbles on the desk.", By: "colour", Gauge: true}, call.Limited()},
				[]count{{"trunklog_toy_marbles", "blue", 3}, {"trunklog_toy_other", "", 4}, {call.Limited().Name, "marbles", 5}},
			}}}
		},
	})))
	for _, want := range []string{
		"# TYPE trunklog_toy_marbles gauge", `trunklog_toy_marbles{colour="blue",source="desk"} 3`,
		`trunklog_limited_total{limit="marbles"} 5`, `trunklog_limited_total{limit="scans"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "trunklog_toy_other") {
		t.Error("what was not told before is shown")
	}
}
