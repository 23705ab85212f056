package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
	"github.com/trunklog/trunklog/store/storetest"
)

// busy is far more than what the tests measure may take on any machine; what they guard against
// takes tens of seconds, and ever longer.
const busy = 5 * time.Second

// TestRestartStorm: thousands of restarts, of trunks that do not exist, of another tenant's, and of
// one that has restarted again and again, cost as much as the calls that they end.
func TestRestartStorm(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	other := call.NameGUID("fabrikam")
	s.owners["sbc2.fabrikam.com"] = other
	const calls = 3000
	for n := range calls {
		s.put(newTalk(n, true).invite().at(time.Second).answer(200, "OK").events()...)
	}
	s.pass(time.Second)
	storm := func(trunk func(i int) string) {
		t.Helper()
		events := make([]call.Event, 5000)
		for i := range events {
			events[i] = call.Event{Kind: call.RestartEvent, Row: call.Row{Trunk: trunk(i)}}
		}
		began := time.Now()
		if err := tryPut(t.Context(), s.in.Sink("http/fabrikam", other), events...); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Second)
		if took := time.Since(began); took > busy {
			t.Errorf("it took %v", took)
		}
	}
	storm(func(i int) string { return fmt.Sprintf("sbc%d.nobody.com", i) })
	storm(func(int) string { return "sbc1.contoso.com" })
	storm(func(int) string { return "sbc2.fabrikam.com" })
	if got := s.in.HearStats(); got.Rows != 0 || got.Open != calls {
		t.Errorf("%+v", got)
	}
}

// TestOneCorrelation: any number of rows that share a correlation id is written, and rows of other
// calls are linked as ever.
func TestOneCorrelation(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	row := func(kind call.Kind, id, correlation string, n int) call.Event {
		r := call.Row{CorrelationID: call.NameGUID(correlation), Start: at, Invite: at, End: at.Add(time.Second), Duration: 1, Successful: true, CallType: "ByotIn", Trunk: "sbc1.contoso.com", Caller: fmt.Sprint(n)}
		r.Settle(kind.Witness(), true)
		return call.Event{Kind: call.RecordEvent, Call: fmt.Sprint(id, n), Row: r}
	}
	began := time.Now()
	for k := range 3 {
		events := make([]call.Event, 2000)
		for i := range events {
			events[i] = row(call.CDR, "crowd", "crowd", k*len(events)+i)
		}
		s.put(events...)
	}
	if took := time.Since(began); took > 2*busy {
		t.Errorf("it took %v", took)
	}
	if got := s.in.HearStats().Unlinked; len(s.rows()) != 6000 || got == 0 {
		t.Errorf("%d rows, %d not linked", len(s.rows()), got)
	}
	s.put(row(call.CDR, "one", "one", 1))
	export := row(call.AdminExport, "export", "one", 1)
	s.put(export)
	if n := len(s.rows()); n != 6001 {
		t.Errorf("%d rows, want 6001", n)
	}
}

// TestHearsayCrowd: however many rows of one correlation id an unauthenticated sender makes up,
// records of authenticated sources are linked by that id, and the made-up rows stay as they came.
func TestHearsayCrowd(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	row := func(w call.Witness, id string) call.Event {
		r := call.Row{ID: call.NameGUID(id), CorrelationID: call.NameGUID("one"), Start: at, Invite: at, End: at.Add(time.Second), Duration: 1, Successful: true, CallType: "ByotIn", Trunk: "sbc1.contoso.com", Caller: "+4930123456"}
		r.Settle(w, true)
		return call.Event{Kind: call.RecordEvent, Row: r}
	}
	put := func(source string, events ...call.Event) {
		t.Helper()
		if err := tryPut(t.Context(), s.in.Sink(source, tenant), events...); err != nil {
			t.Fatal(err)
		}
	}
	const many = 600
	put("radius", row(call.RADIUS.Witness(), "first"))
	for k := range 10 {
		var lies []call.Event
		for i := range many / 10 {
			e := row(call.SIP.Hearsay(), fmt.Sprint("lie", k, "/", i))
			e.Row.Trunk = fmt.Sprintf("sbc%d.contoso.com", 2+i)
			lies = append(lies, e)
		}
		put("tap", lies...)
	}
	if got := s.in.HearStats().Unlinked; got < many-2*crowd {
		t.Errorf("%d rows of hearsay are counted as not linked", got)
	}
	put("cdr", row(call.CDR.Witness(), "second"))
	put("export", row(call.AdminExport.Witness(), "third"))
	var told []call.Row
	for _, r := range s.rows() {
		if r.Proven() {
			told = append(told, r)
		}
	}
	if len(told) != 1 || told[0].ID != call.NameGUID("first") || told[0].Seen != call.RADIUS.Set()|call.CDR.Set()|call.AdminExport.Set() {
		t.Errorf("rows of authenticated sources: %s", show(told))
	}
	if n := len(s.rows()); n != many+1 {
		t.Errorf("%d rows, want %d", n, many+1)
	}
}

// TestNear: the legs that share a key are found, the latest first, whichever were removed.
func TestNear(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 19))
	var r recent
	r.init()
	var want []*held
	for n := range 5000 {
		if rnd.IntN(5) < 3 || len(want) == 0 {
			l := &held{Leg: leg.Leg{Source: "lab", CallID: fmt.Sprint(n)}}
			l.Add(&call.Signal{Correlation: "one"})
			r.add(l)
			want = append(want, l)
		} else {
			i := rnd.IntN(len(want))
			if rnd.IntN(2) == 0 {
				i = len(want) - 1 - rnd.IntN(min(len(want), 3))
			}
			r.remove(want[i])
			want = slices.Delete(want, i, i+1)
		}
		var got []*held
		if near := r.legs[r.key("lab", leg.KeyCorrelation, "one")]; near != nil {
			near.latest(10, func(l *held) { got = append(got, l) })
			if len(near.legs) > 2*near.live+8 {
				t.Fatalf("seed %d: %d places for %d legs", seed, len(near.legs), near.live)
			}
		}
		last := slices.Clone(want[max(0, len(want)-10):])
		slices.Reverse(last)
		if !slices.Equal(got, last) {
			t.Fatalf("seed %d, step %d: got %d legs, want %d", seed, n, len(got), len(last))
		}
	}
	for _, l := range want {
		r.remove(l)
	}
	if len(r.legs) != 0 {
		t.Errorf("%d keys are left", len(r.legs))
	}
}

// TestTurns: a source whose calls all end at once does not delay another's.
func TestTurns(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	for n := range 3 * maxPerRound {
		s.put(newTalk(n, true).invite().at(time.Second).answer(404, "Not Found").events()...)
	}
	other := newTalk(5*maxPerRound, true).invite().at(time.Second).answer(486, "Busy Here")
	if err := tryPut(t.Context(), s.in.Sink("other", call.GUID{}), other.events()...); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Second) // one round
	if _, err := s.in.store.Row(t.Context(), tenant, other.xc); err != nil {
		t.Errorf("the other source's call: %v", err)
	}
	for range 4 {
		s.pass(time.Millisecond)
	}
	if got := s.in.HearStats(); got.Rows != 3*maxPerRound+1 {
		t.Errorf("%+v", got)
	}
}

// TestPartsRoom: one client's calls in parts take no more than their room; parts of calls that are
// in the room still count, another client has room, and the server does not read all of them again
// to find those that are due.
func TestPartsRoom(t *testing.T) {
	store := &countingStore{Model: storetest.NewModel()}
	s := newStage(t, store)
	const maxPartsOfSource = 500
	s.in.parts.most.source, s.in.parts.most.all = maxPartsOfSource, maxPartsOfSource+1
	greedy, modest := s.in.Sink("http/greedy", tenant), s.in.Sink("http/modest", tenant)
	open := func(n int) call.Event {
		return tell(fmt.Sprint("call", n), false, func(r *call.Row) { r.Start, r.Trunk = s.clock, "sbc1.contoso.com" })
	}
	for n := 0; n < maxPartsOfSource; n += 100 {
		events := make([]call.Event, 100)
		for i := range events {
			events[i] = open(n + i)
		}
		if err := tryPut(t.Context(), greedy, events...); err != nil {
			t.Fatal(err)
		}
	}
	last := tell("call7", true, func(r *call.Row) { r.End = s.clock.Add(time.Minute) })
	out, err := greedy.Put(t.Context(), open(maxPartsOfSource+1), last, open(maxPartsOfSource+2), open(maxPartsOfSource+3))
	rejected := places(out.Rejected)
	if err != nil || !slices.Equal(rejected, []int{0, 3}) && !slices.Equal(rejected, []int{0, 2, 3}) || !errors.Is(out.Err(), errManyParts) {
		t.Fatalf("%v: %+v", err, out)
	}
	if n := len(s.rows()); n != 1 {
		t.Errorf("%d rows, want that of the call that was there", n)
	}
	if err := tryPut(t.Context(), modest, open(1)); err != nil {
		t.Error(err)
	}
	if err := tryPut(t.Context(), s.in.Sink("http/stranger", call.NameGUID("stranger")), open(1), open(2)); err != nil {
		t.Error("another tenant with few calls:", err)
	}
	before := store.read
	if err := s.in.finishParts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := store.read - before; n > 100 {
		t.Errorf("it has read %d values to find that none is due", n)
	}
	s.clock = s.clock.Add(25 * time.Hour)
	if err := s.in.finishParts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(s.rows()); n != maxPartsOfSource+1 && n != maxPartsOfSource+2 {
		t.Errorf("%d rows", n)
	}
	if err := tryPut(t.Context(), greedy, open(maxPartsOfSource+1)); err != nil {
		t.Error(err)
	}
}

// A countingStore counts the values of the state that it returns.
type countingStore struct {
	*storetest.Model
	read int
}

func (s *countingStore) State(ctx context.Context, prefix string) iter.Seq2[call.Named, error] {
	return func(yield func(call.Named, error) bool) {
		for v, err := range s.Model.State(ctx, prefix) {
			s.read++
			if !yield(v, err) {
				return
			}
		}
	}
}

// TestCrowd: a source with calls without end loses its own, and no more than are too many; another
// source's call that rings goes on.
func TestCrowd(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	const most, more = 500, 40
	s.in.hearing.most = most
	ringing := newTalk(0, true).invite()
	if err := tryPut(t.Context(), s.in.Sink("quiet", call.GUID{}), ringing.events()...); err != nil {
		t.Fatal(err)
	}
	for n := range most + more - 1 {
		s.put(newTalk(1+n, true).invite().at(time.Second).answer(200, "OK").events()...)
	}
	for range 10 {
		s.pass(time.Second)
	}
	if got := s.in.HearStats(); got.Crowded != more || got.Open != most || len(s.rows()) != more {
		t.Errorf("%d rows, %+v", len(s.rows()), got)
	}
	ringing.at(2*time.Second).answer(200, "OK").at(12*time.Second).request("BYE", true)
	if err := tryPut(t.Context(), s.in.Sink("quiet", call.GUID{}), ringing.events()[1:]...); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Second)
	if r, err := s.store.Row(t.Context(), tenant, ringing.xc); err != nil || !r.Successful || r.Duration != 10 {
		t.Errorf("the other source's call: %+v, %v", r, err)
	}
}

// TestRest: a tenant with many messages never pauses while it is alone, and does while there are
// others; a tenant with few never pauses.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const plain = 10 * time.Millisecond
		in := New(Config{Store: &slowStore{storetest.NewModel(), func(call.Batch) { time.Sleep(plain) }}})
		n := 0
		put := func(sink *Sink, messages int) time.Duration {
			t.Helper()
			var events []call.Event
			for len(events) < messages {
				n++
				events = append(events, newTalk(n, true).invite().events()...)
			}
			began := time.Now()
			if err := tryPut(t.Context(), sink, events...); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		busy, other := in.Sink("busy", tenant), in.Sink("other", call.NameGUID("other"))
		rested := plain + plain*restFor/time.Duration(runtime.GOMAXPROCS(0))
		for i, c := range []struct {
			sink     *Sink
			messages int
			want     time.Duration
		}{{busy, 500, plain}, {other, 5, plain}, {busy, 500, rested}, {busy, 100, plain}, {other, 5, plain}} {
			if got := put(c.sink, c.messages); got != c.want {
				t.Errorf("put %d took %v, want %v", i, got, c.want)
			}
		}
		time.Sleep(2 * time.Second) // the other tenant is gone
		if got := put(busy, 500); got != plain {
			t.Errorf("alone again it took %v", got)
		}
	})
}
