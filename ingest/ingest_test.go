package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scale returns n times TRUNKLOG_SCALE, and a tenth of that with -short.
func scale(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("TRUNKLOG_SCALE"), 64); err == nil && f > 0 {
		n = int(float64(n) * f)
	}
	if testing.Short() {
		n /= 10
	}
	return max(n, 1)
}

func seedOf(t *testing.T) uint64 {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("TRUNKLOG_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("TRUNKLOG_SEED=%d", seed)
	return seed
}

var (
	tenant = call.NameGUID("test", "tenant")
	now    = func() time.Time { return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC) }
)

// calls makes up calls, of one to three legs each, as Graph and as the export tell them. The nth of
// both is the same leg.
func calls(rnd *rand.Rand, n int) (graph, export []call.Event) {
	for len(graph) < n {
		corr := call.NameGUID("test", "correlation", fmt.Sprint(len(graph)))
		invite := time.Date(2026, 11, 1, 0, 0, rnd.IntN(100_000), 0, time.UTC)
		for range 1 + rnd.IntN(3) {
			i := len(graph)
			invite = invite.Add(time.Duration(2+rnd.IntN(5000)) * time.Millisecond)
			types := [][2]string{{"ByotIn", "dr_in"}, {"ByotOutUserForwarding", "dr_out_user_forwarding"}, {"ByotInUcap", "dr_in_bot"}}[rnd.IntN(3)]
			truth := call.Row{
				CorrelationID: corr, Invite: invite, Start: invite.Add(3 * time.Second), End: invite.Add(9 * time.Second),
				Caller: fmt.Sprintf("+4930%06d", i), Callee: "+4940", Trunk: "sbc1.contoso.com",
			}
			g := call.Event{Kind: call.RecordEvent, Row: truth, Call: fmt.Sprint("g", i)}
			g.Row.ID = call.NameGUID("test", "id", fmt.Sprint(i))
			g.Row.CallType, g.Row.Duration, g.Row.MediaLocation = types[0], 6, "EUWE"
			g.Row.Settle(call.Graph.Witness(), true)
			graph = append(graph, g)
			e := call.Event{Kind: call.RecordEvent, Row: truth, Call: fmt.Sprint("e", i)}
			e.Row.CallType, e.Row.Duration, e.Row.SharedID, e.Row.Trunk = types[1], 9, corr, "SBC1.contoso.com"
			e.Row.Settle(call.AdminExport.Witness(), true)
			export = append(export, e)
		}
	}
	return graph, export
}

// contents returns the tenant's rows without their ids, which depend on the source that came first.
func contents(t *testing.T, s call.Store) []call.Row {
	t.Helper()
	var rows []call.Row
	for r, err := range s.Rows(t.Context(), call.Query{Tenant: tenant}) {
		if err != nil {
			t.Fatal(err)
		}
		c := r.Clone()
		c.ID = call.GUID{}
		rows = append(rows, c)
	}
	slices.SortFunc(rows, func(a, b call.Row) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Caller, b.Caller))
	})
	return rows
}

// TestAnyOrder: in every order, in any batches, with repeats, and from many goroutines, the events
// of two sources make the same rows.
func TestAnyOrder(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range scale(20) {
		graph, export := calls(rnd, 30)
		var want []call.Row
		for order := range 6 {
			store := storetest.NewModel()
			in := New(Config{Store: store, Now: now})
			sinks := map[call.Kind]*Sink{call.Graph: in.Sink("graph", tenant), call.AdminExport: in.Sink("teams", tenant)}
			events := slices.Concat(graph, export)
			switch order {
			case 1:
				events = slices.Concat(export, graph)
			case 2, 3, 4, 5:
				events = append(events, events...)
				rnd.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			}
			putAll(t, rnd, sinks, events, order >= 4)
			got := contents(t, store)
			if want == nil {
				want = got
			}
			if len(got) != len(graph) || !slices.EqualFunc(got, want, func(a, b call.Row) bool { return a.Equal(&b) }) {
				t.Fatalf("seed %d: order %d: %d rows of %d calls, or other values", seed, order, len(got), len(graph))
			}
			if n := sinks[call.Graph].Totals().Linked + sinks[call.AdminExport].Totals().Linked; n != int64(len(graph)) {
				t.Errorf("seed %d: order %d: %d rows were linked, want %d", seed, order, n, len(graph))
			}
			again(t, in, slices.Concat(graph, export), len(graph))
		}
	}
}

// TestLegsOfOneSecond: of two legs of one call that began within one second, the first on a whole
// one, neither is taken for the other. An INVITE without a fraction fits any leg of its second, but
// the callers tell them apart.
func TestLegsOfOneSecond(t *testing.T) {
	leg := func(ms int, caller string) call.Row {
		invite := time.Date(2026, 11, 1, 0, 0, 28, ms*1_000_000, time.UTC)
		return call.Row{
			CorrelationID: call.NameGUID("test", "correlation"), Invite: invite, Start: invite.Add(3 * time.Second),
			Caller: caller, Callee: "+4940", CallType: "ByotIn", Trunk: "sbc1.contoso.com",
		}
	}
	export := call.Event{Kind: call.RecordEvent, Row: leg(0, "+4930000029"), Call: "first"}
	export.Row.Settle(call.AdminExport.Witness(), true)
	graph := call.Event{Kind: call.RecordEvent, Row: leg(725, "+4930000030"), Call: "second"}
	graph.Row.Settle(call.Graph.Witness(), true)
	for _, events := range [][]call.Event{{export, graph}, {graph, export}} {
		in := New(Config{Store: storetest.NewModel(), Now: now})
		for i := range events {
			if err := tryPut(t.Context(), in.Sink("test", tenant), events[i]); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := in.store.Count(t.Context(), call.Query{Tenant: tenant}); err != nil || n != 2 {
			t.Errorf("%d rows, %v; want 2", n, err)
		}
	}
}

// putAll puts the events, in batches of any size, several at once if parallel is set.
func putAll(t *testing.T, rnd *rand.Rand, sinks map[call.Kind]*Sink, events []call.Event, parallel bool) {
	t.Helper()
	var wg sync.WaitGroup
	for len(events) > 0 {
		kind := topKind(events[0].Row.Seen)
		n := 1
		for most := rnd.IntN(20); n < len(events) && n <= most && topKind(events[n].Row.Seen) == kind; n++ {
		}
		batch := events[:n:n]
		events = events[n:]
		put := func() {
			if err := tryPut(t.Context(), sinks[kind], batch...); err != nil {
				t.Error(err)
			}
		}
		if parallel {
			wg.Go(put)
		} else {
			put()
		}
	}
	wg.Wait()
}

// again puts the events again, to a new Ingest, and fails if that changes anything.
func again(t *testing.T, in *Ingest, events []call.Event, rows int) {
	t.Helper()
	fresh := New(Config{Store: in.store, Now: now}).Sink("graph", tenant)
	var export []call.Event
	for i := range events {
		if topKind(events[i].Row.Seen) == call.AdminExport {
			export = append(export, events[i])
		} else if err := tryPut(t.Context(), fresh, events[i]); err != nil {
			t.Error(err)
		}
	}
	if err := tryPut(t.Context(), fresh, export...); err != nil {
		t.Error(err)
	}
	if got := fresh.Totals(); got.New != 0 || got.Changed != 0 || got.Same != int64(len(events)) || got.Linked != 0 {
		t.Errorf("putting the events of %d rows again: %+v", rows, got)
	}
}

// TestTwoProcesses: two processes on one store make one row of a call, whichever writes first.
func TestTwoProcesses(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	graph, export := calls(rnd, 40)
	at := now()
	clock := func() time.Time { return at }
	store := storetest.NewModel()
	a := New(Config{Store: store, Now: clock}).Sink("graph", tenant)
	b := New(Config{Store: store, Now: clock}).Sink("teams", tenant)
	for i := range graph {
		first, second := a, b
		events := [2]call.Event{graph[i], export[i]}
		if i%2 == 1 {
			first, second = b, a
			slices.Reverse(events[:])
		}
		// Days that go back make both processes change link/TENANT.
		for j := range events {
			r := &events[j].Row
			for f := range call.NumFields {
				if f.Type() == call.Time && r.Known(f) {
					r.SetTime(f, r.Time(f).AddDate(0, 0, -i))
				}
			}
		}
		if err := tryPut(t.Context(), first, events[0]); err != nil {
			t.Fatal(err)
		}
		at = at.Add(recheck)
		if err := tryPut(t.Context(), second, events[1]); err != nil {
			t.Fatal(err)
		}
	}
	if got := contents(t, store); len(got) != len(graph) {
		t.Errorf("%d rows of %d calls", len(got), len(graph))
	}
}

// TestConflict: of two processes that link two legs to one row at the same moment, one has to look
// again.
func TestConflict(t *testing.T) {
	graph, export := calls(rand.New(rand.NewPCG(11, 11)), 4)
	last := len(graph) - 1
	other := export[0]
	other.Call, other.Row.Caller = "other", "+4999"
	store := &hookStore{Model: storetest.NewModel()}
	a := New(Config{Store: store, Now: now}).Sink("teams", tenant)
	b := New(Config{Store: store.Model, Now: now}).Sink("teams", tenant)
	g := New(Config{Store: store, Now: now}).Sink("graph", tenant)
	if err := tryPut(t.Context(), g, graph[0], graph[last]); err != nil {
		t.Fatal(err)
	}
	// Now link/TENANT has its day, and does not change any more.
	if err := tryPut(t.Context(), a, export[last]); err != nil {
		t.Fatal(err)
	}
	store.before = func(batch call.Batch) {
		if len(batch.Rows) > 0 {
			store.before = nil
			if err := tryPut(t.Context(), b, other); err != nil {
				t.Error(err)
			}
		}
	}
	if err := tryPut(t.Context(), a, export[0]); err != nil {
		t.Fatal(err)
	}
	again := func(s *Sink) {
		before := s.Totals()
		if err := tryPut(t.Context(), s, export[0], other, export[0]); err != nil {
			t.Fatal(err)
		}
		if got := s.Totals(); got.New != before.New || got.Changed != before.Changed || got.Same != before.Same+3 {
			t.Errorf("again: %+v, before %+v", got, before)
		}
	}
	again(a)
	again(b)
	if got := contents(t, store); len(got) != 3 || a.Totals().Linked+b.Totals().Linked != 2 {
		t.Errorf("%d rows, linked %d and %d", len(got), a.Totals().Linked, b.Totals().Linked)
	}
}

// TestLateAnswer: a sink that has read that a tenant has no rows to be linked, and gets that answer
// only after the tenant has its first one, does not act on it.
func TestLateAnswer(t *testing.T) {
	graph, export := calls(rand.New(rand.NewPCG(12, 12)), 1)
	store := &hookStore{Model: storetest.NewModel()}
	in := New(Config{Store: store, Now: now})
	store.behind = func() {
		store.behind = nil
		if err := tryPut(t.Context(), in.Sink("teams", tenant), export...); err != nil {
			t.Error(err)
		}
	}
	if err := tryPut(t.Context(), in.Sink("graph", tenant), graph...); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, store); len(got) != len(graph) {
		t.Errorf("%d rows of %d calls", len(got), len(graph))
	}
}

// A hookStore calls functions before a write and after a read of state.
type hookStore struct {
	*storetest.Model
	before func(call.Batch)
	behind func()
}

func (s *hookStore) State(ctx context.Context, prefix string) iter.Seq2[call.Named, error] {
	return func(yield func(call.Named, error) bool) {
		s.Model.State(ctx, prefix)(yield)
		if s.behind != nil {
			s.behind()
		}
	}
}

func (s *hookStore) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	if s.before != nil {
		s.before(b)
	}
	return s.Model.Write(ctx, b)
}

// TestFailedWrite: a write that failed is as if it had not been tried.
func TestFailedWrite(t *testing.T) {
	graph, export := calls(rand.New(rand.NewPCG(8, 8)), 10)
	store := storetest.NewModel()
	in := New(Config{Store: store, Now: now})
	g, e := in.Sink("graph", tenant), in.Sink("teams", tenant)
	for i := range graph {
		for _, put := range []func() error{
			func() error { return tryPut(t.Context(), e, export[i]) },
			func() error { return tryPut(t.Context(), g, graph[i]) },
		} {
			store.FailWrites(call.ErrFull)
			if err := put(); !errors.Is(err, call.ErrFull) {
				t.Fatalf("a full store: %v", err)
			}
			store.FailWrites(nil)
			if err := put(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := contents(t, store); len(got) != len(graph) {
		t.Errorf("%d rows of %d calls", len(got), len(graph))
	}
	if got := g.Totals(); got.Linked != int64(len(graph)) {
		t.Errorf("%+v", got)
	}
}

// TestFailedRead: a sink that fails to read does not write, since a row that it cannot look up may
// be in the store.
func TestFailedRead(t *testing.T) {
	_, export := calls(rand.New(rand.NewPCG(9, 9)), 3)
	broken := errors.New("broken")
	for fail := range 10 {
		store := &brokenStore{Model: storetest.NewModel(), err: broken, after: fail}
		err := tryPut(t.Context(), New(Config{Store: store, Now: now}).Sink("teams", tenant), export...)
		rows := contents(t, store.Model)
		if (err == nil) != (len(rows) == 3) || err != nil && (!errors.Is(err, broken) || len(rows) != 0) {
			t.Errorf("read %d fails: %d rows and %v", fail, len(rows), err)
		}
	}
}

// A brokenStore fails each read after a number of reads.
type brokenStore struct {
	*storetest.Model
	err   error
	after int
}

func (s *brokenStore) State(ctx context.Context, prefix string) iter.Seq2[call.Named, error] {
	if s.after--; s.after < 0 {
		return func(yield func(call.Named, error) bool) { yield(call.Named{}, s.err) }
	}
	return s.Model.State(ctx, prefix)
}

func (s *brokenStore) Row(ctx context.Context, tenant, id call.GUID) (call.Row, error) {
	if s.after--; s.after < 0 {
		return call.Row{}, s.err
	}
	return s.Model.Row(ctx, tenant, id)
}

// TestPutLeavesEvents: Put does not change its caller's events.
func TestPutLeavesEvents(t *testing.T) {
	graph, export := calls(rand.New(rand.NewPCG(10, 10)), 5)
	store := storetest.NewModel()
	in := New(Config{Store: store, Now: now})
	before := slices.Clone(export)
	if err := tryPut(t.Context(), in.Sink("graph", tenant), graph...); err != nil {
		t.Fatal(err)
	}
	if err := tryPut(t.Context(), in.Sink("teams", tenant), export...); err != nil {
		t.Fatal(err)
	}
	for i := range export {
		if !export[i].Row.Equal(&before[i].Row) {
			t.Errorf("event %d was changed to %+v", i, export[i])
		}
	}
}

func TestPrepare(t *testing.T) {
	s := New(Config{Store: storetest.NewModel()}).Sink("spool", call.GUID{})
	e := call.Event{Kind: call.RecordEvent, Call: "x", Row: call.Row{Start: now()}}
	e.Row.Settle(call.CDR.Witness(), false)
	if err := s.Prepare(&e); err != nil || e.Row.ID != call.NameGUID("spool", "x") {
		t.Errorf("%v, id %v", err, e.Row.ID)
	}
	e.Row.Caller = "\xff"
	var syntax *call.SyntaxError
	if err := s.Prepare(&e); !errors.As(err, &syntax) || !errors.Is(err, call.ErrInvalid) {
		t.Errorf("a text that is not UTF-8: %v", err)
	}
	if err := tryPut(t.Context(), s, e, call.Event{}); !errors.Is(err, call.ErrInvalid) {
		t.Errorf("a Put of nothing good: %v", err)
	}
	if out, err := s.Put(t.Context(), e, call.Event{}); err != nil || !slices.Equal(places(out.Rejected), []int{0, 1}) || out.Count(call.Rejected) != 2 {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestKinds: an event is rejected, with an error that says why, if its kind does not exist or does
// not go with its Signal. It does not hold up other events.
func TestKinds(t *testing.T) {
	signal := &call.Signal{CallID: "x", Method: "INVITE", CSeqMethod: "INVITE"}
	for _, c := range []struct {
		kind   call.EventKind
		signal *call.Signal
		want   string
	}{
		{0, nil, "kind 0 is no record, part, last part, message or restart"},
		{0, signal, "kind 0 is no record, part, last part, message or restart"},
		{call.RestartEvent + 1, nil, "kind 6 is no record, part, last part, message or restart"},
		{call.MessageEvent, nil, "kind message has to have a Signal"},
		{call.RecordEvent, signal, "kind record has a Signal"},
		{call.PartEvent, signal, "kind part has a Signal"},
		{call.LastPartEvent, signal, "kind last part has a Signal"},
		{call.RestartEvent, signal, "kind restart has a Signal"},
	} {
		t.Run(fmt.Sprint(c.kind, " ", c.signal != nil), func(t *testing.T) {
			good := call.Event{Kind: call.RecordEvent, Call: "x", Row: call.Row{Start: now()}}
			good.Row.Settle(call.CDR.Witness(), false)
			bad := good
			bad.Kind, bad.Signal = c.kind, c.signal
			last := tell("y", true, func(r *call.Row) { r.Start = now() })
			s := newStage(t, storetest.NewModel())
			sink := s.in.Sink("lab", tenant)
			if err := sink.Prepare(&bad); !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("prepared: %v", err)
			}
			for _, other := range []call.Event{good, last} {
				restart := call.Event{Kind: call.RestartEvent, Row: call.Row{Trunk: "sbc1.contoso.com"}}
				out, err := sink.Put(t.Context(), restart, other, bad)
				if why := fmt.Sprint(out.Err()); err != nil || !slices.Equal(places(out.Rejected), []int{2}) || out.Fates[0] != call.Taken || !strings.Contains(why, "1 of 3 events cannot be kept") || !strings.Contains(why, c.want) {
					t.Errorf("put: %v, %v", out, err)
				}
			}
			if n := len(s.rows()); n != 2 {
				t.Errorf("%d rows, want 2", n)
			}
		})
	}
}
