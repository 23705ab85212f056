package ingest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
	"github.com/trunklog/trunklog/store/storetest"
)

// carrierLeg is the other leg of a talk, as a back-to-back user agent makes it: it has its own
// Call-ID and nothing of Microsoft's.
func carrierLeg(c *talk, with func(*call.Signal)) *talk {
	o := newTalk(c.n, c.outbound)
	o.callID, o.hop, o.began = c.callID+"-carrier", 1, c.began.Add(10*time.Millisecond)
	o.with = func(m *call.Signal) {
		m.UserAgent, m.Contact = "SBC", call.Address{Host: "10.1.2.3"}
		m.From.Host, m.To.Host, m.URI.Host = "10.1.2.3", "10.9.9.9", "10.9.9.9"
		if with != nil {
			with(m)
		}
	}
	return o
}

// whole adds the messages of an answered call.
func (t *talk) whole() *talk {
	return t.invite().at(time.Second).answer(200, "OK").request("ACK", true).at(4*time.Second).request("BYE", true)
}

func withRaw(events []call.Event) []call.Event {
	for i := range events {
		events[i].Signal.Raw = []byte(fmt.Sprint(events[i].Call, i))
	}
	return events
}

func join(talks ...*talk) (events []call.Event) {
	for _, t := range talks {
		events = append(events, t.events()...)
	}
	return withRaw(events)
}

// TestWalls: callers who hide their numbers, and session ids that are none, tie no two calls; and
// nothing ties the calls of two tenants.
func TestWalls(t *testing.T) {
	other := call.NameGUID("fabrikam")
	for name, with := range map[string]func(*call.Signal){
		"hidden callers": func(m *call.Signal) { m.From.User = "anonymous" },
		"no session": func(m *call.Signal) {
			if m.Code != 0 {
				m.SessionID = strings.Repeat("0", 32)
			}
		},
		"one session": func(m *call.Signal) { m.SessionID = strings.Repeat("1", 32) },
	} {
		s := newStage(t, storetest.NewModel())
		s.owners = map[string]call.GUID{"sbc1.contoso.com": tenant, "sbc2.fabrikam.com": other}
		s.begin()
		a, b := newTalk(1, true), newTalk(2, true)
		a.with = func(m *call.Signal) {
			m.URI.User, m.To.User = "+498001234567", "+498001234567"
			with(m)
		}
		b.with = func(m *call.Signal) {
			a.with(m)
			if m.Method == "INVITE" {
				m.URI.Host = "sbc2.fabrikam.com"
			}
			m.To.Host = "sbc2.fabrikam.com"
		}
		legs := []*talk{carrierLeg(a, a.with), carrierLeg(b, func(m *call.Signal) {
			a.with(m)
			if name == "one session" {
				m.To.Host, m.URI.Host = "sbc2.fabrikam.com", "sbc2.fabrikam.com"
			}
		})}
		// The first call ends while the second one is under way.
		early := legs[1].invite().events()
		s.put(withRaw(append(b.invite().events(), early...))...)
		s.put(join(legs[0].whole(), a.whole())...)
		s.pass(time.Second)
		r := s.one()
		found, err := s.store.Legs(t.Context(), tenant, r.Cursor())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range found {
			for _, callID := range []string{b.callID, legs[1].callID} {
				if l.ID == leg.IDOf("lab", callID) || l.ID == leg.IDWithin(other, "lab", callID) {
					t.Errorf("%s: a leg of another tenant's call is shown with %v", name, r.ID)
				}
			}
		}
	}
}

// TestTenantWall: a message that names another tenant's trunk is never shown with a call, even if
// both have one session id.
func TestTenantWall(t *testing.T) {
	for _, owned := range []bool{true, false} {
		s := newStage(t, storetest.NewModel())
		if owned {
			s.owners["sbc2.fabrikam.com"] = call.NameGUID("fabrikam")
		}
		session := func(m *call.Signal) { m.SessionID = strings.Repeat("1", 32) }
		c := newTalk(1, false)
		c.with = session
		other := carrierLeg(newTalk(2, false), func(m *call.Signal) {
			session(m)
			m.To.Host, m.URI.Host = "sbc2.fabrikam.com", "sbc2.fabrikam.com"
		})
		s.put(join(other.whole(), c.whole())...)
		s.pass(time.Second)
		r := s.one()
		legs, err := s.store.Legs(t.Context(), tenant, r.Cursor())
		if want := 1 + btoi(!owned); err != nil || len(legs) != want {
			t.Errorf("owned %v: %d legs, want %d, %v", owned, len(legs), want, err)
		}
	}
}

// TestHiddenCallers: two callers who hide their numbers and call the same number are two.
func TestHiddenCallers(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	hide := func(m *call.Signal) {
		m.From.User, m.To.User = "anonymous", "+498001234567"
		if m.Method == "INVITE" {
			m.URI.User = m.To.User
		}
	}
	c := newTalk(1, false)
	c.with = hide
	s.put(join(carrierLeg(newTalk(2, false), hide).whole(), c.whole())...)
	s.pass(time.Second)
	r := s.one()
	legs, err := s.store.Legs(t.Context(), tenant, r.Cursor())
	if err != nil || len(legs) != 1 || !legs[0].Main {
		t.Errorf("legs %+v, %v", legs, err)
	}
}

// TestCarrierLegs: the leg between an SBC and its carrier is no call of Teams', however the SBC has
// changed the numbers and names.
func TestCarrierLegs(t *testing.T) {
	for _, outbound := range []bool{true, false} {
		trunk := func(m *call.Signal) {
			if outbound {
				m.Contact.Host = "sbc1.contoso.com"
			} else {
				m.URI.Host, m.To.Host = "sbc1.contoso.com", "sbc1.contoso.com"
			}
		}
		main := func(m *call.Signal) { m.From.User = "+4930000000" }
		passed := func(m *call.Signal) {
			main(m)
			if m.From.Host = "sip.pstnhub.microsoft.com"; !outbound {
				m.To.Host = "sip.pstnhub.microsoft.com"
			}
		}
		for name, with := range map[string]func(*call.Signal){
			"the trunk's name":        trunk,
			"the main number":         func(m *call.Signal) { trunk(m); main(m) },
			"a hidden caller":         func(m *call.Signal) { trunk(m); m.From.User = "anonymous" },
			"an extension":            func(m *call.Signal) { trunk(m); m.URI.User, m.To.User = "4711", "4711" },
			"Microsoft's name passed": passed,
		} {
			c := newTalk(1, outbound).whole()
			leg := carrierLeg(c, with).whole()
			s := newStage(t, storetest.NewModel())
			s.put(join(leg, c)...)
			s.pass(time.Minute)
			want := plainRow(c)
			established(c, &want, time.Second, 4*time.Second)
			r := s.one()
			same(t, fmt.Sprint(name, ", outbound ", outbound), &r, &want)
			for r := range s.store.Rows(t.Context(), call.Query{Tenant: call.Unassigned}) {
				t.Errorf("%s, outbound %v: another row %+v", name, outbound, r)
			}
			if name == "Microsoft's name passed" {
				continue // alone it may be Microsoft's
			}
			s = newStage(t, storetest.NewModel())
			s.put(join(leg)...)
			s.pass(time.Minute)
			s.none(name + " alone")
		}
	}
}

// TestHowItEnded: a row tells how its call ended although messages were lost, repeated, or have
// wrong times.
func TestHowItEnded(t *testing.T) {
	second := netip.MustParseAddrPort("52.114.7.24:5061")
	for _, c := range []struct {
		name string
		talk *talk
		wait time.Duration
		want func(*talk, *call.Row)
	}{
		{
			"the caller leaves by a BYE before it is answered",
			newTalk(1, true).invite().at(time.Second).answer(180, "Ringing").at(3*time.Second).request("BYE", true).answer(487, "Request Terminated"), time.Second,
			func(t *talk, r *call.Row) { refused(t, r, 3*time.Second, 487, "Request Terminated", 560487) },
		},
		{
			"the INVITE and its answer again",
			newTalk(1, true).invite().at(50*time.Millisecond).answer(404, "Not Found").at(500*time.Millisecond).invite().at(520*time.Millisecond).answer(404, "Not Found"), time.Second,
			func(t *talk, r *call.Row) { refused(t, r, 50*time.Millisecond, 404, "Not Found", 560404) },
		},
		{
			"the clock was set back",
			newTalk(1, false).at(2*time.Second).invite().at(time.Second).answer(486, "Busy Here"), time.Second,
			func(t *talk, r *call.Row) {
				refused(t, r, 2*time.Second, 486, "Busy Here", 0) // not before its INVITE
				r.Invite, r.Start = t.began.Add(2*time.Second), t.began.Add(2*time.Second)
			},
		},
		{
			"the answer to the INVITE that was repeated was lost",
			newTalk(1, true).invite().at(50*time.Millisecond).answer(404, "Not Found").at(500 * time.Millisecond).invite(), 11 * time.Minute,
			func(t *talk, r *call.Row) { refused(t, r, 50*time.Millisecond, 404, "Not Found", 560404) },
		},
		{
			"the answer was lost",
			newTalk(1, true).invite().at(time.Second).request("ACK", true).at(4*time.Second).request("BYE", true), 6 * time.Second,
			func(t *talk, r *call.Row) { established(t, r, 0, 4*time.Second) },
		},
		{
			"another proxy was tried",
			func() *talk {
				t := newTalk(1, false).invite().at(4 * time.Second)
				t.with = func(m *call.Signal) {
					if m.Src == teams {
						m.Src = second
					} else {
						m.Dst = second
					}
				}
				return t.invite().at(5*time.Second).answer(486, "Busy Here")
			}(), time.Second,
			func(t *talk, r *call.Row) { refused(t, r, 5*time.Second, 486, "Busy Here", 0) },
		},
	} {
		s := newStage(t, storetest.NewModel())
		s.put(c.talk.events()...)
		s.restart()
		s.pass(c.wait)
		want := plainRow(c.talk)
		c.want(c.talk, &want)
		r := s.one()
		same(t, c.name, &r, &want)
	}
}

// TestInviteUnseen: without the INVITE, every other message still tells the trunk, the caller and
// the callee.
func TestInviteUnseen(t *testing.T) {
	for _, outbound := range []bool{true, false} {
		for _, seen := range []int{1, 3} {
			c := newTalk(1, outbound).whole()
			s := newStage(t, storetest.NewModel())
			if err := tryPut(t.Context(), s.in.Sink("lab", call.GUID{}), c.events()[seen:]...); err != nil {
				t.Fatal(err)
			}
			s.pass(40 * time.Second)
			r := s.one()
			if r.Trunk != "sbc1.contoso.com" || r.Inbound() == outbound || r.Caller != c.caller() || r.Callee != c.callee() || !r.Successful {
				t.Errorf("outbound %v, messages from %d on: %+v", outbound, seen, r)
			}
		}
	}
}

// TestRepeatedAfterRestart: messages that a sender repeats a while after the server was killed
// belong to the same call, whichever of them were in the store.
func TestRepeatedAfterRestart(t *testing.T) {
	for _, outbound := range []bool{true, false} {
		whole := newTalk(1, outbound).whole()
		n := len(whole.events())
		var want call.Row
		for mask := 1<<n - 1; mask > 0; mask-- { // the messages that were seen; all of them first
			s := newStage(t, storetest.NewModel())
			var seen []call.Event
			for i, e := range whole.events() {
				if mask>>i&1 != 0 {
					seen = append(seen, e)
				}
			}
			s.put(seen...)
			s.clock = s.clock.Add(time.Minute) // the server was down
			s.restart()
			s.pass(time.Second)
			s.put(whole.events()...)
			s.pass(10 * time.Second)
			r := s.one()
			if want.ID.IsZero() {
				want = r
			}
			same(t, fmt.Sprintf("outbound %v, seen %b", outbound, mask), &r, &want)
		}
	}
}

// TestNameless: a row whose id no message has told waits longer for one that does, since its id
// cannot be amended.
func TestNameless(t *testing.T) {
	c := newTalk(1, false).whole()
	s := newStage(t, storetest.NewModel())
	last := len(c.events()) - 2 // ACK and BYE
	s.put(c.events()[last:]...)
	s.pass(20 * time.Second)
	s.none("without an id")
	s.put(c.events()...)
	s.pass(time.Second)
	if r := s.one(); r.ID != c.xc {
		t.Errorf("id %v, want %v", r.ID, c.xc)
	}
}

// TestRegionOfTheInvite: the region is that of the INVITE, though Microsoft's later messages may
// come from elsewhere.
func TestRegionOfTheInvite(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, true)
	c.with = func(m *call.Signal) {
		if m.Method == "BYE" {
			m.UserAgent = strings.Replace(m.UserAgent, "EUNO", "ASEA", 1)
		}
	}
	s.put(c.whole().events()...)
	s.restart()
	s.pass(time.Second)
	if r := s.one(); r.SignalLocation != "EUNO" {
		t.Errorf("region %s", r.SignalLocation)
	}
}

// TestRepeatedAgain: a sender that repeats the messages of a call that is over does not delay its
// row further, not even where the row waits for what may follow.
func TestRepeatedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		talk *talk
		from int // index of the first message that is heard
		wait time.Duration
	}{
		"answered":        {newTalk(1, true).whole(), 0, 300 * time.Millisecond},
		"the next trunk":  {newTalk(1, true).invite().at(time.Second).answer(503, "Service Unavailable"), 0, time.Second},
		"challenged":      {newTalk(1, true).invite().at(time.Second).answer(407, "Proxy Authentication Required"), 0, 5 * time.Second},
		"cancelled":       {newTalk(1, true).invite().at(time.Second).request("CANCEL", true), 0, 32 * time.Second},
		"without INVITE":  {newTalk(1, true).whole(), 1, 5 * time.Second},
		"without its id":  {nameless(), 3, 32 * time.Second},
		"perhaps an echo": {passedOn(newTalk(1, true), 0, carrier).whole(), 0, 5 * time.Second},
	} {
		s := newStage(t, storetest.NewModel())
		events := c.talk.events()[c.from:]
		s.put(events...)
		for range 3 {
			if got := s.in.HearStats(); got.Rows != 0 {
				t.Errorf("%s: a row before it has settled", name)
			}
			s.pass(c.wait / 3)
			s.put(events...)
		}
		s.pass(time.Millisecond)
		if got := s.in.HearStats(); got.Rows != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// nameless is a call to Teams in which no message tells Microsoft's id.
func nameless() *talk {
	c := newTalk(1, false)
	c.with = func(m *call.Signal) { m.Contact.Params = "" }
	return c.whole()
}

// TestHeardTwice: a call without an id from Microsoft that is heard, and then read from a
// recording, has one row.
func TestHeardTwice(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, false)
	c.with = func(m *call.Signal) { m.Contact.Params = "" }
	c.invite().at(time.Second).answer(404, "Not Found")
	s.put(c.events()...)
	s.pass(time.Second)
	recorded := s.in.SinkOf(Input{Source: "calls.hep", Recorded: true})
	if err := tryPut(t.Context(), recorded, c.events()...); err != nil {
		t.Fatal(err)
	}
	if err := recorded.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.one()
}

// TestHeardWhole: when only the carrier's side of a call was heard, and was forgotten, the row
// learns the rest when all of the call is heard again.
func TestHeardWhole(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, false).whole().through()
	events := c.events()
	s.put(events[len(events)/2:]...) // the other hop alone, milliseconds earlier
	s.put(events[1])
	s.pass(6 * time.Second)
	s.one()
	s.pass(25 * time.Hour)
	if got := s.in.HearStats(); got.Held != 0 {
		t.Fatalf("%+v", got)
	}
	s.put(events...)
	s.pass(6 * time.Second)
	r := s.one()
	if !r.End.Equal(c.began.Add(4*time.Second)) || !r.Invite.Equal(c.began) {
		t.Errorf("invite %v, end %v", r.Invite, r.End)
	}
	s.sound()
}

// TestOtherHopStandsIn: for a message that was seen only on the other hop of a proxy, the round
// waits a while before that stands in for the one to Microsoft.
func TestOtherHopStandsIn(t *testing.T) {
	for _, outbound := range []bool{true, false} {
		for missing := range 4 { // INVITE, 200, ACK, BYE
			c := newTalk(1, outbound).whole().through()
			events := slices.Delete(c.events(), missing, missing+1)
			s := newStage(t, storetest.NewModel())
			s.put(events...)
			s.pass(time.Second)
			if missing != 2 {
				s.none("while it may come")
			}
			s.put(c.events()...)
			s.pass(time.Second)
			want := plainRow(c)
			established(c, &want, time.Second, 4*time.Second)
			r := s.one()
			same(t, fmt.Sprintf("outbound %v, missing %d", outbound, missing), &r, &want)

			s = newStage(t, storetest.NewModel())
			s.put(events...)
			s.pass(6 * time.Second)
			r = s.one()
			if d := r.End.Sub(want.End).Abs(); !r.Successful || d > 5*time.Millisecond {
				t.Errorf("outbound %v, missing %d: %+v", outbound, missing, r)
			}
		}
	}
}
