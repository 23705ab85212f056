package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/store/storetest"
)

// The messages before which time passes.
func answered(s *call.Signal) bool { return s.CSeqMethod == "INVITE" && s.Code/100 == 2 }
func hungUp(s *call.Signal) bool   { return s.Method == "BYE" }
func nothing(*call.Signal) bool    { return false }

// passed are calls in which time passes, before a message or behind all, and how
// many rows there must be when it has passed.
var passed = []struct {
	scenario string
	before   func(*call.Signal) bool
	by       time.Duration
	rows     int
	later    []string // the facts that come later by that
}{
	{"out-early-media", answered, 15 * time.Minute, 0, []string{"answer", "end"}},
	{"in-early-media", answered, 15 * time.Minute, 0, []string{"answer", "end"}},
	{"out-forked", answered, 15 * time.Minute, 0, []string{"answer", "end"}},
	{"out-answered", hungUp, 3 * time.Hour, 0, []string{"end"}}, // Teams offers an hour, and the answer takes none
	{"in-answered", hungUp, 3 * time.Hour, 0, []string{"end"}},
	{"out-glare", hungUp, 3 * time.Hour, 0, []string{"end"}},
	{"out-timer-not-taken", nothing, 3 * time.Hour, 0, nil},
	{"in-timer-not-taken", nothing, 3 * time.Hour, 0, nil},
	{"out-late-answer", answered, 20 * time.Second, 1, nil},
	{"out-late-answer", answered, time.Hour, 1, nil},
	{"out-404", nothing, 3 * time.Hour, 1, nil},
	{"out-cancelled", nothing, 3 * time.Hour, 1, nil},
}

// TestTimePasses lets time pass in calls that were recorded, by a clock that is
// moved: what nobody can wait for in a lab.
func TestTimePasses(t *testing.T) {
	for _, name := range recordings {
		all, events := recordedCalls(t, name)
		for i := range passed {
			p := &passed[i]
			for _, f := range all {
				if f.Scenario == p.scenario {
					t.Run(name+"/"+p.scenario+"/"+p.by.String(), func(t *testing.T) {
						r := newReplay(t)
						var late []call.Event
						for _, e := range events {
							if !bytes.Contains(e.Signal.Raw, []byte(f.Values["callee"])) {
								continue
							}
							if late != nil || p.before(e.Signal) {
								late = append(late, e)
								continue
							}
							r.hear(e, 0)
						}
						r.pass(p.by)
						if n := len(r.rows()); n != p.rows {
							t.Fatalf("after %s there are %d rows, not %d", p.by, n, p.rows)
						}
						for _, e := range late {
							r.hear(e, p.by)
						}
						r.pass(time.Minute)
						want := facts{Scenario: f.Scenario, Values: f.Values, Times: map[string]time.Time{}}
						for name, at := range f.Times {
							want.Times[name] = at
						}
						for _, name := range p.later {
							want.Times[name] = f.Times[name].Add(p.by)
						}
						results, err := compare([]facts{want}, r.rows(), exact)
						if err != nil {
							t.Fatal(err)
						}
						for _, res := range results {
							for _, w := range res.wrong {
								t.Error(w)
							}
						}
					})
				}
			}
		}
	}
}

// recordedCalls returns the facts and the messages of a recording, in the order of
// their times.
func recordedCalls(t *testing.T, name string) (all []facts, events []call.Event) {
	t.Helper()
	factsFile, packetsFile := saved(name)
	f, err := os.ReadFile(factsFile)
	if err != nil {
		t.Fatal(err)
	}
	if all, err = readFacts(bytes.NewReader(f)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(packetsFile)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range hep.Decoder(nil)(bytes.NewReader(b)) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return all, events
}

// A replay is an Ingest that hears what was recorded, by a clock that is moved.
type replay struct {
	*testing.T
	now    time.Time
	tenant call.GUID
	store  call.Store
	in     *ingest.Ingest
	sink   *ingest.Sink
}

func newReplay(t *testing.T) *replay {
	t.Helper()
	tenant, err := call.ParseGUID(tenantID)
	if err != nil {
		t.Fatal(err)
	}
	r := &replay{T: t, tenant: tenant, store: storetest.NewModel()}
	r.in = ingest.New(ingest.Config{
		Store: r.store, Now: func() time.Time { return r.now },
		Tenant: func(trunk string) (call.GUID, bool) { return tenant, trunk == "sbc1.contoso.test" },
	})
	r.sink = r.in.Sink("lab", tenant)
	return r
}

// hear hears a message that much later than it was recorded.
func (r *replay) hear(e call.Event, later time.Duration) {
	r.Helper()
	s := *e.Signal
	s.At = s.At.Add(later)
	e.Signal = &s
	if r.now.IsZero() {
		r.now = s.At
	}
	r.pass(s.At.Sub(r.now))
	if _, err := r.sink.Put(r.Context(), e); err != nil {
		r.Fatal(err)
	}
}

// pass lets time pass, by steps as a running server takes them.
func (r *replay) pass(d time.Duration) {
	r.Helper()
	for until := r.now.Add(d); r.now.Before(until); {
		if r.now = r.now.Add(max(100*time.Millisecond, d/500)); r.now.After(until) {
			r.now = until
		}
		if err := r.in.Tick(r.Context()); err != nil {
			r.Fatal(err)
		}
	}
}

// rows returns what a client of Graph sees.
func (r *replay) rows() []map[string]any {
	r.Helper()
	var b []byte
	for row, err := range r.store.Rows(r.Context(), call.Query{Tenant: r.tenant}) {
		if err != nil {
			r.Fatal(err)
		}
		b = append(graph.AppendRow(b, row, graph.RowOptions{}), '\n')
	}
	rows, err := readRows(bytes.NewReader(b))
	if err != nil {
		r.Fatal(err)
	}
	return rows
}
