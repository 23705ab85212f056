package ingest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// passedOn is a leg between the SBC and its carrier that has Microsoft's name in From, and nothing
// else of Microsoft's.
func passedOn(c *talk, after time.Duration, carrier netip.AddrPort) *talk {
	o := newTalk(c.n, true)
	o.callID, o.hop, o.began = fmt.Sprintf("%s-%v@10.1.2.3", c.callID, after), 1, c.began.Add(after)
	o.with = func(m *call.Signal) {
		m.UserAgent, m.Contact = "SBC", call.Address{Host: "10.1.2.3"}
		m.To.Host, m.URI.Host = carrier.Addr().String(), carrier.Addr().String()
		for _, end := range [...]*netip.AddrPort{&m.Src, &m.Dst} {
			if end.Addr() != sbc.Addr() {
				*end = carrier
			}
		}
	}
	return o
}

// TestManyToOneNumber: a hundred users call one number at once, and the SBC passes each call on to
// its carrier in Microsoft's name: in every order of the messages there are a hundred rows.
func TestManyToOneNumber(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 13))
	for range min(3, scale(10)) {
		s := newStage(t, storetest.NewModel())
		var events []call.Event
		one := func(m *call.Signal) {
			m.URI.User, m.To.User, m.From.User = "+498001234567", "+498001234567", "+4930555"
		}
		for n := range 100 {
			c := newTalk(n%3, true)
			c.xc, c.xi = call.NameGUID("many", "c", fmt.Sprint(n)), call.NameGUID("many", "i", fmt.Sprint(n))
			c.callID = fmt.Sprintf("%x", c.xc[:])
			c.with = one
			leg := passedOn(c, 10*time.Millisecond, carrier)
			with := leg.with
			leg.with = func(m *call.Signal) { one(m); with(m) }
			events = append(events, c.whole().events()...)
			events = append(events, leg.whole().events()...)
		}
		rnd.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		for len(events) > 0 {
			n := min(len(events), 1+rnd.IntN(200))
			s.put(events[:n]...)
			events = events[n:]
			s.pass(time.Duration(rnd.IntN(50)) * time.Millisecond)
		}
		s.pass(6 * time.Second)
		s.sound()
		if rows := s.rows(); len(rows) != 100 {
			t.Fatalf("seed %d: %d rows, want 100: %+v", seed, len(rows), s.in.HearStats())
		}
		if got := s.in.HearStats(); got.SetAside+got.OtherLegs != 100 || got.Echoes != 0 {
			t.Errorf("%+v", got)
		}
	}
}

// TestSetAside: a leg that only bears Microsoft's name makes a row if its source never surely sees
// Microsoft at that time, and otherwise none, even if that becomes known seconds later.
func TestSetAside(t *testing.T) {
	second := netip.MustParseAddrPort("10.9.9.10:5060")
	for _, sure := range []bool{true, false} {
		for _, first := range []bool{true, false} {
			s := newStage(t, storetest.NewModel())
			c := newTalk(1, true).invite().at(9*time.Second).answer(200, "OK").at(30*time.Second).request("BYE", true)
			refused := passedOn(c, 10*time.Millisecond, carrier).invite().at(6*time.Second).answer(503, "Service Unavailable")
			taken := passedOn(c, 6100*time.Millisecond, second).invite().at(2*time.Second).answer(200, "OK").at(24*time.Second).request("BYE", true)
			if sure && first {
				s.put(c.events()...)
			}
			s.put(join(refused, taken)...)
			s.pass(4 * time.Second)
			if sure && !first {
				s.none("while others may come")
				s.put(c.events()...)
			}
			s.pass(6 * time.Second)
			got := s.in.HearStats()
			want := HearStats{Rows: 2}
			if sure {
				want = HearStats{Rows: 1, SetAside: 2}
			}
			if got.Rows != want.Rows || got.SetAside+got.OtherLegs != want.SetAside {
				t.Errorf("sure %v, first %v: %+v", sure, first, got)
			}
		}
	}
}

// TestEchoCounted: a row that such a leg has made before its source saw Microsoft is counted.
func TestEchoCounted(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, true).invite().at(9*time.Second).answer(200, "OK").at(30*time.Second).request("BYE", true)
	s.put(join(passedOn(c, 10*time.Millisecond, carrier).whole())...)
	s.pass(6 * time.Second)
	s.put(c.events()...)
	s.pass(6 * time.Second)
	if got := s.in.HearStats(); got.Rows != 2 || got.Echoes != 1 {
		t.Errorf("%+v", got)
	}
}

// TestTwoSources: a call that two sources hear at the same time, by clocks that differ, has one row
// with the times of one of them, in any order: those of the authenticated one if only one is. Ids
// that only the other has heard are in it.
func TestTwoSources(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 17))
	ahead := 3 * time.Second
	for _, trusted := range []int{-1, 0, 1} {
		for try := range 20 {
			s := newStage(t, storetest.NewModel())
			var events [2][]call.Event
			for i := range events {
				c := newTalk(1, true).invite().at(2*time.Second).answer(200, "OK").at(10*time.Second).request("BYE", true)
				for k := range c.signals {
					m := &c.signals[k]
					if m.At = m.At.Add(time.Duration(i) * ahead); i == 0 {
						m.UserAgent = "" // the first source to hear it does not see the region
					}
				}
				events[i] = c.events()
			}
			for len(events[0])+len(events[1]) > 0 {
				i := rnd.IntN(2)
				if len(events[i]) < len(events[1-i])-1 || len(events[i]) == 0 { // the two overlap
					i = 1 - i
				}
				input := Input{Source: fmt.Sprint("tap", i), Hearsay: trusted != i}
				if err := tryPut(t.Context(), s.in.SinkOf(input), events[i][0]); err != nil {
					t.Fatal(err)
				}
				events[i] = events[i][1:]
				s.pass(time.Duration(rnd.IntN(500)) * time.Millisecond)
				s.sound()
			}
			s.pass(10 * time.Second)
			s.sound()
			r := s.one()
			if r.Duration != 8 || r.SignalLocation != "EUNO" || !r.End.Equal(r.Start.Add(8*time.Second)) || !r.Start.Equal(r.Invite.Add(2*time.Second)) {
				t.Fatalf("seed %d, try %d, trusted %d: %+v", seed, try, trusted, r)
			}
			if want := newTalk(1, true).began.Add(max(0, time.Duration(trusted)) * ahead); !r.Invite.Equal(want) {
				t.Fatalf("seed %d, try %d: tap%d is authenticated, and the INVITE is at %v, not %v", seed, try, trusted, r.Invite, want)
			}
		}
	}
}

// TestTwoRecordings: a call that two sources tell one after the other, by clocks that differ and
// however far apart, has one row with the times of one of them: the same in each order, and again
// when it is told again.
func TestTwoRecordings(t *testing.T) {
	tell := func(s *stage, source int) {
		c := newTalk(1, true).invite().at(2*time.Second).answer(200, "OK").at(10*time.Second).request("BYE", true)
		for k := range c.signals {
			c.signals[k].At = c.signals[k].At.Add(time.Duration(source) * 3 * time.Second)
		}
		sink := s.in.SinkOf(Input{Source: fmt.Sprint("tap", source), Recorded: true})
		if err := errors.Join(tryPut(s.Context(), sink, c.events()...), sink.Flush(s.Context())); err != nil {
			s.Fatal(err)
		}
		s.sound()
	}
	began := newTalk(1, true).began
	var want call.Row
	for i, order := range [][]int{{0, 1}, {1, 0}, {0, 1, 0}, {1, 0, 1, 0}, {1, 1, 0, 0}} {
		for _, pause := range []time.Duration{time.Second, 50 * time.Hour} {
			s := newStage(t, storetest.NewModel())
			for _, source := range order {
				tell(s, source)
				s.pass(pause)
				s.restart()
			}
			r := s.one()
			if i == 0 && pause == time.Second {
				want = r
			}
			if !r.Equal(&want) || !r.Invite.Equal(began) || !r.Start.Equal(began.Add(2*time.Second)) || !r.End.Equal(began.Add(10*time.Second)) || r.Source != "tap0" {
				t.Errorf("order %v, %v apart: %+v\nwant %+v", order, pause, r, want)
			}
		}
	}
}

// TestClock: an offset in which two minutes agree is steady, late messages do not matter, and the
// offset helps to find the same call.
func TestClock(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	told := map[string]time.Duration{}
	s.in.clock = func(source string, ahead time.Duration) { told[source] = ahead }
	ahead := 7 * time.Second
	var last *talk
	for n := range 150 {
		last = newTalk(n, true)
		last.began = s.clock.Add(ahead - time.Duration(n%5)*time.Second) // late by up to 4 s
		s.put(last.invite().at(10*time.Millisecond).answer(404, "Not Found").events()...)
		s.pass(time.Second)
	}
	if got := s.in.HearStats().Offsets["lab"]; (got-ahead).Abs() > 20*time.Millisecond || told["lab"] != got {
		t.Errorf("offset %v, told %v", got, told)
	}
	// The SBC's record of the same call, by a clock that is right.
	want := plainRow(last)
	want.ID, want.UserDisplayName = call.GUID{}, "from the record"
	want.Invite, want.Start = want.Invite.Add(-ahead), want.Start.Add(-ahead)
	want.Failure, want.FinalSIPCode = want.Invite.Add(10*time.Millisecond), 404
	record := call.Event{Kind: call.RecordEvent, Row: want, Call: "record"}
	record.Row.Settle(call.CDR.Witness(), true)
	before := len(s.rows())
	s.put(record)
	if n := len(s.rows()); n != before {
		t.Errorf("%d rows, want %d", n, before)
	}
}
