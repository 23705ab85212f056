package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
	"github.com/trunklog/trunklog/store/storetest"
)

// one returns the only row in the store.
func (s *stage) one() call.Row {
	s.Helper()
	rows := s.rows()
	if len(rows) != 1 {
		s.Fatalf("%d rows, want 1; %+v", len(rows), s.in.HearStats())
	}
	return rows[0]
}

func (s *stage) none(when string) {
	s.Helper()
	if rows := s.rows(); len(rows) != 0 {
		s.Fatalf("%s: %d rows, want none", when, len(rows))
	}
}

// TestDialPlan: the dial plan of a trunk rewrites the numbers of its calls, also after a restart,
// and the row keeps the number as it came.
func TestDialPlan(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	s.plan = func(trunk, number string) string {
		if national, ok := strings.CutPrefix(number, "0"); ok && trunk == "sbc1.contoso.com" {
			return "+49" + national
		}
		return number
	}
	s.begin()
	c := newTalk(1, false)
	c.with = func(m *call.Signal) { m.From.User = "030555" }
	c.invite().at(time.Second).answer(200, "OK").request("ACK", true)
	open := c.events()
	s.put(open...)
	s.restart()
	c.at(10*time.Second).request("BYE", true)
	s.put(c.events()[len(open):]...)
	s.pass(time.Minute)
	r := s.one()
	want := plainRow(c)
	established(c, &want, time.Second, 10*time.Second)
	want.Caller, want.CallerRaw = "+4930555", "030555"
	same(t, "a national number", &r, &want)
	if r.By[call.FieldCallerRaw] != r.By[call.FieldCaller] || r.By[call.FieldCalleeRaw] != 0 {
		t.Errorf("the raw numbers are by %v and %v", r.By[call.FieldCallerRaw], r.By[call.FieldCalleeRaw])
	}
}

// TestSilence: a call that is answered and then silent is over after two missed session refreshes,
// or after a day. An inference has another witness than what was heard, and later messages take its
// place.
func TestSilence(t *testing.T) {
	for _, expires := range []int{0, 1800} {
		s := newStage(t, storetest.NewModel())
		c := newTalk(1, true)
		c.with = func(m *call.Signal) { m.SessionExpires = expires }
		c.invite().at(time.Second).answer(200, "OK").request("ACK", true).at(10*time.Second).request("INVITE", true)
		s.put(c.events()...)
		limit := 24 * time.Hour
		if expires > 0 {
			limit = 2 * time.Duration(expires) * time.Second
		}
		s.pass(limit - time.Second)
		s.none("before the limit")
		s.restart()
		s.pass(2 * time.Second)
		r := s.one()
		if r.By[call.FieldEnd] != call.Inferred.Witness() || r.By[call.FieldStart] != call.SIP.Witness() || !r.End.Equal(c.began.Add(10*time.Second)) || r.Duration != 9 {
			t.Errorf("end %v by %v, start by %v, duration %d", r.End, r.By[call.FieldEnd].Kind(), r.By[call.FieldStart].Kind(), r.Duration)
		}
		if got := s.in.HearStats(); got.Rows != 1 || got.Inferred != 1 {
			t.Errorf("%+v", got)
		}
		s.pass(3 * time.Hour)
		end := newTalk(1, true).at(5*time.Hour).request("BYE", false)
		s.put(end.events()...)
		s.pass(time.Second)
		want := plainRow(c)
		established(c, &want, time.Second, 5*time.Hour)
		late := s.one()
		same(t, "a late BYE", &late, &want)
	}
}

// TestRefresh: a call that refreshes its session goes on.
func TestRefresh(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, true)
	c.with = func(m *call.Signal) { m.SessionExpires = 600 }
	s.put(c.invite().at(time.Second).answer(200, "OK").events()...)
	for i := range 10 {
		s.pass(15 * time.Minute)
		c.signals = nil
		c.cseq++
		s.put(c.at(time.Duration(i+1)*15*time.Minute).request("UPDATE", false).events()...)
	}
	s.none("while the session is refreshed")
	s.pass(21 * time.Minute)
	if r := s.one(); !r.End.Equal(c.began.Add(150 * time.Minute)) {
		t.Errorf("end %v", r.End)
	}
}

// TestNeverAnswered: calls that are never answered end, too.
func TestNeverAnswered(t *testing.T) {
	for _, c := range []struct {
		name string
		talk *talk
		wait time.Duration
		code int32
	}{
		{"asked", newTalk(1, true).invite().at(time.Second).answer(100, "Trying"), 10 * time.Minute, 408},
		{"ringing", newTalk(1, true).invite().at(time.Second).answer(180, "Ringing"), time.Hour, 408},
		{"cancelled", newTalk(1, true).invite().at(time.Second).request("CANCEL", true), 32 * time.Second, 487},
		{"challenged", newTalk(1, true).invite().at(time.Second).answer(407, "Proxy Authentication Required"), 5 * time.Second, 407},
	} {
		s := newStage(t, storetest.NewModel())
		s.put(c.talk.events()...)
		s.pass(c.wait - time.Second)
		s.none(c.name)
		s.pass(2 * time.Second)
		r := s.one()
		if r.Successful || r.FinalSIPCode != c.code || !r.Start.Equal(c.talk.began) || r.Failure.IsZero() {
			t.Errorf("%s: %+v", c.name, r)
		}
		if kind := r.By[call.FieldFailure].Kind(); (kind == call.Inferred) != (c.code != 407) {
			t.Errorf("%s: the failure's witness is %v", c.name, kind)
		}
	}
}

// TestInviteLost: a call whose INVITE was lost has a row, which learns of the INVITE when that
// comes late.
func TestInviteLost(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, true).invite().at(time.Second).answer(200, "OK").at(4*time.Second).request("BYE", true)
	s.put(c.events()[1:]...)
	s.pass(4 * time.Second)
	s.none("while the INVITE may come")
	s.pass(2 * time.Second)
	r := s.one()
	if r.ID != c.xc || !r.Start.Equal(c.began.Add(time.Second)) || r.Duration != 3 || !r.Successful || r.Caller != c.caller() || r.Callee != c.callee() {
		t.Errorf("%+v", r)
	}
	s.put(c.events()[0])
	s.pass(time.Second)
	want := plainRow(c)
	established(c, &want, time.Second, 4*time.Second)
	r = s.one()
	same(t, "the INVITE came late", &r, &want)
	if got := s.in.HearStats(); got.Rows != 1 || got.Amended != 1 {
		t.Errorf("%+v", got)
	}
}

// TestLongAfterwards: messages that come after a call was forgotten do not spoil its row.
func TestLongAfterwards(t *testing.T) {
	for _, outbound := range []bool{true, false} {
		s := newStage(t, storetest.NewModel())
		c := newTalk(1, outbound).invite().at(time.Second).answer(200, "OK").at(4*time.Second).request("BYE", true)
		s.put(c.events()...)
		s.pass(time.Minute)
		s.pass(time.Minute)
		if got := s.in.HearStats(); got.Held != 0 {
			t.Fatalf("%+v", got)
		}
		want := s.one()
		for range 2 {
			s.put(c.events()...) // all of it again
			s.pass(time.Minute)
			s.pass(time.Minute)
			got := s.one()
			same(t, "all again", &got, &want)
		}
		s.put(c.events()[1:]...) // some of it again
		s.pass(time.Minute)
		s.pass(time.Minute)
		got := s.one()
		same(t, "some again", &got, &want)
	}
}

// TestTwoLegs: of the two legs of a back-to-back user agent, the one that faces Microsoft makes the
// row, and the messages of the other belong to it.
func TestTwoLegs(t *testing.T) {
	for _, outbound := range []bool{true, false} {
		s := newStage(t, storetest.NewModel())
		c := newTalk(1, outbound).invite().at(time.Second).answer(200, "OK").at(4*time.Second).request("BYE", true)
		other := newTalk(1, outbound)
		other.callID, other.hop, other.began = "carrier-leg", 1, c.began.Add(10*time.Millisecond)
		other.with = func(m *call.Signal) {
			m.UserAgent = "SBC"
			m.Contact = call.Address{Host: "10.1.2.3"}
			m.From.Host, m.To.Host = "carrier.example", "carrier.example"
			m.URI.Host = "carrier.example"
			m.From.User = "0" + strings.TrimPrefix(m.From.User, "+49")
		}
		other.invite().at(time.Second).answer(200, "OK").at(4*time.Second).request("BYE", true)
		events := append(other.events(), c.events()...)
		for i := range events {
			events[i].Signal.Raw = []byte("x")
		}
		s.put(events...)
		s.pass(time.Second)
		s.pass(time.Minute)
		want := plainRow(c)
		established(c, &want, time.Second, 4*time.Second)
		r := s.one()
		same(t, "two legs", &r, &want)
		if got := s.in.HearStats(); got.Rows != 1 || got.OtherLegs != 1 || got.Elsewhere != 0 {
			t.Errorf("%+v", got)
		}
		legs, err := s.store.Legs(t.Context(), tenant, r.Cursor())
		if err != nil || len(legs) != 2 || legs[0].ID != leg.IDWithin(tenant, "lab", c.callID) || !legs[0].Main || legs[1].ID != leg.IDOf("lab", "carrier-leg") {
			t.Errorf("legs %+v, %v", legs, err)
		}
	}
}

// TestElsewhere: a leg that has nothing to do with Microsoft makes no row, and is counted.
func TestElsewhere(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, true)
	c.hop = 1
	c.with = func(m *call.Signal) {
		m.UserAgent, m.Contact.Params, m.Contact.Host = "PBX", "", "10.0.0.7"
		m.From.Host, m.To.Host, m.URI.Host = "pbx.example", "pbx.example", "pbx.example"
	}
	s.put(c.invite().at(time.Second).answer(486, "Busy Here").events()...)
	s.pass(time.Minute)
	s.none("elsewhere")
	if got := s.in.HearStats(); got.Elsewhere != 1 {
		t.Errorf("%+v", got)
	}
}

// TestAlongTrunk: if only the name of the trunk points to Microsoft, it counts where the operator
// has bound the source to the trunk.
func TestAlongTrunk(t *testing.T) {
	for _, outbound := range []bool{true, false} {
		s := newStage(t, storetest.NewModel())
		c := newTalk(1, outbound)
		c.with = func(m *call.Signal) {
			m.UserAgent, m.Contact = "", call.Address{}
			m.Src, m.Dst = netip.AddrPortFrom(sbc.Addr(), m.Src.Port()), netip.AddrPortFrom(carrier.Addr(), m.Dst.Port())
			m.From.Host, m.To.Host, m.URI.Host = "10.0.0.1", "10.0.0.2", "10.0.0.2"
			if outbound {
				m.URI.Host = "sbc1.contoso.com"
			} else {
				m.Contact.Host = "sbc1.contoso.com"
			}
		}
		c.invite().at(time.Second).answer(200, "OK").at(3*time.Second).request("BYE", true)
		if err := tryPut(t.Context(), s.in.SinkOf(Input{Source: "lab", Trunk: "sbc1.contoso.com"}), c.events()...); err != nil {
			t.Fatal(err)
		}
		s.pass(6 * time.Second)
		r := s.one()
		if r.Inbound() == outbound || r.Trunk != "sbc1.contoso.com" || r.Duration != 2 || r.Caller != c.caller() || r.Callee != c.callee() {
			t.Errorf("outbound %v: %+v", outbound, r)
		}
	}
}

// TestHearsay: hearsay adds to a row and does not change it.
func TestHearsay(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, true).invite().at(time.Second).answer(200, "OK").at(4*time.Second).request("BYE", true)
	s.put(c.events()...)
	s.pass(time.Second)
	want := s.one()
	lie := newTalk(1, true)
	lie.with = func(m *call.Signal) { m.From.User = "+666" }
	lie.invite().at(2*time.Second).answer(200, "OK").at(400*time.Second).request("BYE", true)
	if err := tryPut(t.Context(), s.in.SinkOf(Input{Source: "udp", Hearsay: true}), lie.events()...); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Second)
	got := s.one()
	same(t, "hearsay", &got, &want)
}

// TestFullStore: what a full store has refused is written when it has room.
func TestFullStore(t *testing.T) {
	store := &fullStore{Model: storetest.NewModel()}
	s := newStage(t, store)
	c := newTalk(1, true).invite().at(time.Second).answer(200, "OK").at(4*time.Second).request("BYE", true)
	store.full = true
	sink := s.in.Sink("lab", call.GUID{})
	if err := tryPut(t.Context(), sink, c.events()...); !errors.Is(err, call.ErrFull) {
		t.Fatalf("Put into a full store: %v", err)
	}
	store.full = false
	s.put(c.events()...)
	store.full = true
	s.clock = s.clock.Add(time.Second)
	for range 3 {
		if err := s.in.Tick(t.Context()); !errors.Is(err, call.ErrFull) {
			t.Fatalf("Tick with a full store: %v", err)
		}
	}
	store.full = false
	s.pass(time.Second)
	s.one()
	if got := s.in.HearStats(); got.Rows != 1 || got.Open != 0 || got.Held != 1 {
		t.Errorf("%+v", got)
	}
	s.pass(time.Minute)
	if got := s.in.HearStats(); got.Held != 0 {
		t.Errorf("%+v", got)
	}
	if state, err := call.Values(t.Context(), store, openPrefix); err != nil || len(state) != 0 {
		t.Errorf("%d legs left in the state, %v", len(state), err)
	}
}

type fullStore struct {
	*storetest.Model
	full bool
}

func (s *fullStore) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	if s.full {
		return call.Result{}, fmt.Errorf("test: %w", call.ErrFull)
	}
	return s.Model.Write(ctx, b)
}

// TestRecording: a recording becomes rows when it ends, however old its calls are, and the next one
// takes up the calls that it leaves open.
func TestRecording(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, true).invite().at(time.Second).answer(200, "OK").at(4*time.Second).request("BYE", true)
	record := func(events ...call.Event) {
		t.Helper()
		s.restart()
		sink := s.in.SinkOf(Input{Source: "hep", Tenant: tenant, Recorded: true})
		if err := errors.Join(tryPut(t.Context(), sink, events...), sink.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	record(c.events()[:2]...)
	s.none("the first half")
	record(c.events()[2:]...)
	want := plainRow(c)
	established(c, &want, time.Second, 4*time.Second)
	r := s.one()
	same(t, "recorded", &r, &want)
	s.clock = s.clock.AddDate(1, 0, 0)
	record(c.events()[:2]...)
	r = s.one()
	same(t, "recorded again, a year later", &r, &want)
}

// TestKeptLater: messages that are heard again, now that messages are kept, belong to the row.
func TestKeptLater(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, true).invite().at(time.Second).answer(200, "OK").at(4*time.Second).request("BYE", true)
	for i := range c.signals {
		c.signals[i].Raw = []byte(fmt.Sprint("message ", i))
	}
	for _, keep := range []bool{false, true} {
		s.restart()
		s.in.keepSIP = keep
		sink := s.in.SinkOf(Input{Source: "hep", Tenant: tenant, Recorded: true})
		if err := errors.Join(tryPut(t.Context(), sink, c.events()...), sink.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
		r := s.one()
		legs, err := s.store.Legs(t.Context(), tenant, r.Cursor())
		if err != nil || len(legs) != btoi(keep) {
			t.Errorf("kept %v: %d legs, %v", keep, len(legs), err)
		}
	}
}

// TestClockJumps: when the clock of the capturing host jumps, back or forward, during a call, there
// is one row, and none of its durations is negative.
func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{-2 * time.Hour, -time.Second, 26 * time.Hour} {
		s := newStage(t, storetest.NewModel())
		c := newTalk(1, true).invite().at(time.Second).answer(200, "OK").at(10*time.Second+jump).request("BYE", true)
		for _, e := range c.events() {
			s.put(e)
			s.pass(time.Second)
		}
		if r := s.one(); r.Duration < 0 || !r.Successful || !r.Start.Equal(c.began.Add(time.Second)) || r.Caller != c.caller() {
			t.Errorf("by %v: %+v", jump, r)
		}
	}
}

// TestWatch: a watcher is told of each call as it goes on, and delays no call.
func TestWatch(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var got []string
	var wg sync.WaitGroup
	for _, open := range []bool{false, true} {
		wg.Go(func() {
			if err := s.in.Watch(ctx, open, func(u Update) error {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, fmt.Sprint(open, " ", u.Progress, " ", u.Row.Caller, " ", u.Row.CallType, " ", u.Row.Trunk))
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	watchers := func() int {
		s.in.feed.mu.Lock()
		defer s.in.feed.mu.Unlock()
		return len(s.in.feed.watchers)
	}
	for deadline := time.Now().Add(10 * time.Second); watchers() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("they have not begun")
		}
	}
	c := newTalk(1, true).invite().at(time.Second).answer(180, "Ringing").at(2*time.Second).answer(200, "OK").at(4*time.Second).request("BYE", true)
	for _, e := range c.events() {
		s.put(e)
	}
	s.pass(time.Second)
	want := []string{
		"false ended +4930000001 ByotOut sbc1.contoso.com",
		"true answered +4930000001 ByotOut sbc1.contoso.com",
		"true ended +4930000001 ByotOut sbc1.contoso.com",
		"true ringing +4930000001 ByotOut sbc1.contoso.com",
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		mu.Lock()
		n := len(got)
		mu.Unlock()
		if n >= len(want) || time.Now().After(deadline) {
			break
		}
	}
	cancel()
	wg.Wait()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestHeardAfterExport: messages of a call that the admin centre's export has told first belong to
// its row, and there is only that row.
func TestHeardAfterExport(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, true).invite().at(time.Second).answer(200, "OK").at(4*time.Second).request("BYE", true)
	want := plainRow(c)
	established(c, &want, time.Second, 4*time.Second)
	export := call.Event{Kind: call.RecordEvent, Row: want, Call: "export"}
	export.Row.ID, export.Row.SharedID = call.GUID{}, c.xi
	export.Row.Settle(call.AdminExport.Witness(), true)
	s.put(export)
	events := c.events()
	for i := range events {
		events[i].Signal.Raw = []byte(fmt.Sprint("message ", i))
	}
	s.put(events...)
	s.pass(time.Second)
	r := s.one()
	want.ID, want.SharedID = r.ID, c.xi
	same(t, "heard after the export", &r, &want)
	leg := call.Leg{ID: leg.IDWithin(tenant, "lab", c.callID), From: c.began, To: c.began.Add(time.Minute)}
	n := 0
	for _, err := range s.store.Messages(t.Context(), leg) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != len(events) {
		t.Errorf("%d messages kept, want %d", n, len(events))
	}
	if legs, err := s.store.Legs(t.Context(), tenant, r.Cursor()); err != nil || len(legs) != 1 {
		t.Errorf("legs of the row: %+v, %v", legs, err)
	}
}

// TestRestart: when an SBC restarts, its calls are over, those heard and those told in parts; calls
// of other SBCs are not.
func TestRestart(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, true).invite().at(time.Second).answer(200, "OK").at(60*time.Second).request("UPDATE", true)
	s.put(c.events()...)
	s.put(tell("one", false, func(r *call.Row) { r.Start, r.Trunk = c.began, "sbc1.contoso.com" }))
	restart := func(trunk string) { s.put(call.Event{Kind: call.RestartEvent, Row: call.Row{Trunk: trunk}}) }
	restart("sbc2.contoso.com")
	s.pass(time.Hour)
	s.none("another SBC has restarted")
	s.restart()
	restart("SBC1.contoso.com")
	s.pass(time.Second)
	if got := s.in.HearStats(); got.Rows != 2 || got.Inferred != 2 || got.Open != 0 {
		t.Errorf("%+v", got)
	}
	r, err := s.store.Row(t.Context(), tenant, c.xc)
	if err != nil || !r.End.Equal(c.began.Add(60*time.Second)) || r.By[call.FieldEnd].Kind() != call.Inferred {
		t.Errorf("%+v, %v", r, err)
	}
	told := newTalk(3, false).invite().at(time.Second).answer(200, "OK")
	s.put(told.events()...)
	for _, owner := range []call.GUID{call.NameGUID("another"), tenant} {
		before := s.in.HearStats().Rows
		if err := tryPut(t.Context(), s.in.Sink("http/client", owner), call.Event{Kind: call.RestartEvent, Row: call.Row{Trunk: "sbc1.contoso.com"}}); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Second)
		if got := s.in.HearStats().Rows - before; got != uint64(btoi(owner == tenant)) {
			t.Errorf("a restart that tenant %v tells of has ended %d calls", owner, got)
		}
	}
	other := newTalk(2, true).invite().at(time.Second).answer(200, "OK")
	s.put(other.events()...)
	restart("")
	s.pass(time.Second)
	if got := s.in.HearStats(); got.Rows != 4 {
		t.Errorf("%+v", got)
	}
}

// TestHiddenTopology: an SBC that hides its topology passes the caller's name and the product's
// name on to a leg of its own; that leg makes no row.
func TestHiddenTopology(t *testing.T) {
	for _, outbound := range []bool{true, false} {
		s := newStage(t, storetest.NewModel())
		c := newTalk(1, outbound).invite().at(time.Second).answer(200, "OK").at(4*time.Second).request("BYE", true)
		other := newTalk(1, outbound)
		other.callID, other.hop, other.began = "masked", 1, c.began.Add(2*time.Millisecond)
		other.with = func(m *call.Signal) { m.Contact = call.Address{Host: "10.1.2.3"} }
		other.invite().at(time.Second).answer(200, "OK").at(4*time.Second).request("BYE", true)
		if !outbound {
			for i := range other.signals {
				other.signals[i].URI.Host, other.signals[i].To.Host = "sbc1.contoso.com", "sbc1.contoso.com"
			}
		}
		s.put(append(other.events(), c.events()...)...)
		s.pass(time.Second)
		want := plainRow(c)
		established(c, &want, time.Second, 4*time.Second)
		r := s.one()
		same(t, fmt.Sprint("outbound ", outbound), &r, &want)
	}
}
