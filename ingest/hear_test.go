package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// The addresses of the calls below.
var (
	teams   = netip.MustParseAddrPort("52.114.75.24:5061")
	sbc     = netip.MustParseAddrPort("10.1.2.3:5061")
	carrier = netip.MustParseAddrPort("10.9.9.9:5060")
)

const (
	agent = "Microsoft.PSTNHub.SIPProxy v.2020.5.13.3 i.EUNO.7"
	user  = "db03c14b-06eb-4189-939b-7cbf3a20ba27"
)

// A talk makes up the messages of one call.
type talk struct {
	n        int
	began    time.Time
	outbound bool
	signals  []call.Signal
	hop      int // 0: between Microsoft and the SBC, 1: between the SBC and the carrier
	now      time.Duration
	callID   string
	xc, xi   call.GUID
	cseq     uint32
	with     func(*call.Signal)
}

func newTalk(n int, outbound bool) *talk {
	t := &talk{
		n: n, outbound: outbound, began: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second),
		xc: call.NameGUID("test", "c", fmt.Sprint(n)), xi: call.NameGUID("test", "i", fmt.Sprint(n)), cseq: 1,
	}
	t.callID = fmt.Sprintf("%d-b2b@10.1.2.3", n)
	if outbound {
		t.callID = strings.ReplaceAll(t.xc.String(), "-", "")
	}
	return t
}

func (t *talk) caller() string { return fmt.Sprintf("+4930%06d", t.n) }
func (t *talk) callee() string { return fmt.Sprintf("+4940%06d", t.n) }

// at moves the clock of the call.
func (t *talk) at(d time.Duration) *talk {
	t.now = d
	return t
}

// message adds a message; fromCaller says that the caller sends it.
func (t *talk) message(fromCaller bool, s call.Signal) *talk {
	s.At = t.began.Add(t.now)
	s.CallID, s.CSeq = t.callID, t.cseq
	ends := [2]netip.AddrPort{teams, sbc}
	if t.hop == 1 {
		ends = [2]netip.AddrPort{sbc, carrier}
	}
	if !t.outbound {
		ends[0], ends[1] = ends[1], ends[0]
	}
	if !fromCaller {
		ends[0], ends[1] = ends[1], ends[0]
	}
	s.Src, s.Dst = ends[0], ends[1]
	s.FromTag = "a"
	s.From = call.Address{Name: "Adele Vance", User: t.caller(), Host: "sip.pstnhub.microsoft.com"}
	s.To = call.Address{User: t.callee(), Host: "sbc1.contoso.com"}
	if !t.outbound {
		s.From = call.Address{User: t.caller(), Host: "sbc1.contoso.com"}
		s.To.Host = "sip.pstnhub.microsoft.com"
	}
	if fromCaller == t.outbound { // Microsoft sends it
		s.UserAgent = agent
		s.Contact = call.Address{Host: "api-du-a-uswe2.pstnhub.microsoft.com", Params: "x-i=" + t.xi.String() + ";x-c=" + strings.ReplaceAll(t.xc.String(), "-", "") + "/d/8/f071fe23ac23488e97f7e301ef21adc4"}
	} else {
		s.Contact = call.Address{User: t.caller(), Host: "sbc1.contoso.com"}
	}
	if t.with != nil {
		t.with(&s)
	}
	t.signals = append(t.signals, s)
	return t
}

func (t *talk) invite() *talk {
	uri := call.Address{User: t.callee(), Host: "sbc1.contoso.com"}
	switch {
	case !t.outbound && t.hop == 0:
		uri.Host = "sip.pstnhub.microsoft.com"
	case t.outbound && t.hop == 1:
		uri.Host = "carrier.example"
	}
	return t.message(true, call.Signal{Method: "INVITE", CSeqMethod: "INVITE", URI: uri})
}

func (t *talk) answer(code int, phrase string) *talk {
	return t.message(false, call.Signal{Code: code, Phrase: phrase, CSeqMethod: "INVITE", ToTag: "b"})
}

// request adds a request within the dialog.
func (t *talk) request(method string, fromCaller bool) *talk {
	s := call.Signal{Method: method, CSeqMethod: method}
	if method != "CANCEL" {
		s.ToTag = "b"
	}
	t.message(fromCaller, s)
	if r := &t.signals[len(t.signals)-1]; !fromCaller {
		r.From, r.To, r.FromTag, r.ToTag = r.To, r.From, r.ToTag, r.FromTag
	}
	return t
}

// through repeats the messages on the other hop, a little later and with the Request-URI that they
// have there, as a proxy does.
func (t *talk) through() *talk {
	lag := 3 * time.Millisecond
	for _, s := range slices.Clone(t.signals) {
		on := *t
		on.signals, on.hop = nil, 1
		fromCaller := (s.Src == teams) == t.outbound
		if s.Method == "INVITE" && s.ToTag == "" {
			on.invite()
		} else {
			on.message(fromCaller, s)
		}
		other := on.signals[0]
		other.Method, other.Code, other.Phrase, other.CSeq, other.CSeqMethod = s.Method, s.Code, s.Phrase, s.CSeq, s.CSeqMethod
		other.FromTag, other.ToTag, other.From, other.To, other.UserAgent, other.Contact = s.FromTag, s.ToTag, s.From, s.To, s.UserAgent, s.Contact
		// Microsoft's messages are later on the other hop; those to Microsoft were earlier there.
		if other.At = s.At.Add(lag); s.Dst == teams {
			other.At = s.At.Add(-lag)
		}
		t.signals = append(t.signals, other)
	}
	return t
}

func (t *talk) events() []call.Event {
	events := make([]call.Event, len(t.signals))
	for i := range t.signals {
		events[i] = call.Event{Kind: call.MessageEvent, Call: t.signals[i].CallID, Signal: &t.signals[i]}
	}
	return events
}

// A stage is an Ingest with a store and a clock that the test moves.
type stage struct {
	*testing.T
	in    *Ingest
	store call.Store
	clock time.Time
	plan  func(trunk, number string) string

	owners map[string]call.GUID // owners of trunks
}

func newStage(t *testing.T, store call.Store) *stage {
	s := &stage{T: t, store: store, clock: time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC), owners: map[string]call.GUID{"sbc1.contoso.com": tenant}}
	s.begin()
	return s
}

func (s *stage) begin() {
	s.in = New(Config{
		Store: s.store, Now: func() time.Time { return s.clock }, KeepSIP: true, Number: s.plan,
		Tenant: func(trunk string) (call.GUID, bool) {
			owner, ok := s.owners[trunk]
			return owner, ok
		},
	})
}

// restart begins a new Ingest on the same store.
func (s *stage) restart() {
	s.Helper()
	s.begin()
	if _, err := s.in.Resume(s.Context(), func(string) bool { return true }); err != nil {
		s.Fatal(err)
	}
}

// tryPut puts events, and returns an error if one is rejected.
func tryPut(ctx context.Context, sink *Sink, events ...call.Event) error {
	out, err := sink.Put(ctx, events...)
	return errors.Join(err, out.Err())
}

// places returns the places of the rejected events.
func places(rejected []call.Rejection) (all []int) {
	for _, r := range rejected {
		all = append(all, r.Event)
	}
	return all
}

// put puts events of source "lab".
func (s *stage) put(events ...call.Event) {
	s.Helper()
	if err := tryPut(s.Context(), s.in.Sink("lab", call.GUID{}), events...); err != nil {
		s.Fatal(err)
	}
}

// pass moves the clock, and lets the rounds do what is due.
func (s *stage) pass(d time.Duration) {
	s.Helper()
	s.clock = s.clock.Add(d)
	if err := s.in.Tick(s.Context()); err != nil {
		s.Fatal(err)
	}
}

func (s *stage) rows() (rows []call.Row) {
	s.Helper()
	for r, err := range s.store.Rows(s.Context(), call.Query{Tenant: tenant}) {
		if err != nil {
			s.Fatal(err)
		}
		rows = append(rows, r.Clone())
	}
	return rows
}

// talks are calls of all kinds, with their rows. A field that is not named is as in plainRow.
var talks = []struct {
	name string
	make func(n int) *talk
	want func(t *talk, r *call.Row)
}{
	{"answered, the caller hangs up", func(n int) *talk {
		return newTalk(n, true).invite().at(100*time.Millisecond).answer(100, "Trying").at(500*time.Millisecond).answer(180, "Ringing").
			at(2*time.Second).answer(200, "OK").request("ACK", true).at(9*time.Second).request("BYE", true).message(false, call.Signal{Code: 200, CSeqMethod: "BYE"})
	}, func(t *talk, r *call.Row) { established(t, r, 2*time.Second, 9*time.Second) }},
	{"answered, the callee hangs up", func(n int) *talk {
		return newTalk(n, false).invite().at(2*time.Second).answer(200, "OK").request("ACK", true).at(5500*time.Millisecond).request("BYE", false)
	}, func(t *talk, r *call.Row) { established(t, r, 2*time.Second, 5500*time.Millisecond) }},
	{"a re-INVITE is no new call", func(n int) *talk {
		t := newTalk(n, true).invite().at(2*time.Second).answer(200, "OK").at(3 * time.Second)
		t.cseq = 2
		t.request("INVITE", true).answer(200, "OK")
		t.cseq = 3
		return t.at(4*time.Second).request("INVITE", true).answer(488, "Not Acceptable Here").at(8*time.Second).request("BYE", true)
	}, func(t *talk, r *call.Row) { established(t, r, 2*time.Second, 8*time.Second) }},
	{"not found", func(n int) *talk { return newTalk(n, true).invite().at(time.Second).answer(404, "Not Found") }, func(t *talk, r *call.Row) {
		refused(t, r, time.Second, 404, "Not Found", 560404)
	}},
	{"busy, inbound", func(n int) *talk {
		return newTalk(n, false).invite().at(time.Second).answer(486, "Busy Here").request("ACK", true)
	}, func(t *talk, r *call.Row) {
		refused(t, r, time.Second, 486, "Busy Here", 0)
	}},
	{"cancelled", func(n int) *talk {
		return newTalk(n, false).invite().at(time.Second).answer(180, "Ringing").at(4*time.Second).request("CANCEL", true).answer(487, "Request Terminated")
	}, func(t *talk, r *call.Row) {
		refused(t, r, 4*time.Second, 487, "Request Terminated", 540487)
	}},
	{"cancelled too late", func(n int) *talk {
		return newTalk(n, true).invite().at(4*time.Second).answer(200, "OK").at(4001*time.Millisecond).request("CANCEL", true).message(false, call.Signal{Code: 481, Phrase: "No", CSeqMethod: "CANCEL"}).at(5*time.Second).request("BYE", true)
	}, func(t *talk, r *call.Row) { established(t, r, 4*time.Second, 5*time.Second) }},
	{"challenged", func(n int) *talk {
		t := newTalk(n, true).invite().at(20*time.Millisecond).answer(401, "Unauthorized").request("ACK", true)
		t.cseq = 2
		return t.at(1040*time.Millisecond).invite().at(3*time.Second).answer(200, "OK").at(7*time.Second).request("BYE", false)
	}, func(t *talk, r *call.Row) { established(t, r, 3*time.Second, 7*time.Second) }},
	{"answered again and again", func(n int) *talk {
		return newTalk(n, true).invite().at(500*time.Millisecond).invite().at(time.Second).answer(503, "Service Unavailable").at(1500*time.Millisecond).answer(503, "Service Unavailable")
	}, func(t *talk, r *call.Row) {
		refused(t, r, time.Second, 503, "Service Unavailable", 560503)
	}},
	{"forwarded", func(n int) *talk {
		t := newTalk(n, true)
		t.with = func(s *call.Signal) {
			if s.Method == "INVITE" {
				s.HistoryInfo = "<sip:+1425@sip.pstnhub.microsoft.com;user=phone?Reason=SIP;cause=302>;index=1"
			}
		}
		return t.invite().at(time.Second).answer(603, "Decline")
	}, func(t *talk, r *call.Row) {
		refused(t, r, time.Second, 603, "Decline", 560603)
		r.CallType = "ByotOutUserForwarding"
	}},
	{"transferred", func(n int) *talk {
		t := newTalk(n, true)
		t.with = func(s *call.Signal) {
			if s.Method == "INVITE" {
				s.ReferredBy = "<sip:sip.pstnhub.microsoft.com:5061;x-m=8:orgid:" + user + ";x-t=t;x-ti=" + call.NameGUID("ti").String() + ";x-tt=aHR0>"
			}
		}
		return t.invite().at(time.Second).answer(200, "OK").at(3*time.Second).request("BYE", true)
	}, func(t *talk, r *call.Row) {
		established(t, r, time.Second, 3*time.Second)
		r.CallType, r.TransferorID = "ByotOutUserTransfer", call.NameGUID("ti")
		r.UserID, _ = call.ParseGUID(user)
	}},
	{"only Microsoft's Contact tells the id", func(n int) *talk {
		return newTalk(n, false).invite().at(time.Second).answer(183, "Session Progress").at(2*time.Second).answer(500, "Server Internal Error")
	}, func(t *talk, r *call.Row) {
		refused(t, r, 2*time.Second, 500, "Server Internal Error", 0)
	}},
}

// plainRow returns the fields that the rows of all talks have.
func plainRow(t *talk) call.Row {
	r := call.Row{
		Tenant: tenant, ID: t.xc, CorrelationID: t.xi, Invite: t.began, Start: t.began, CallType: "ByotIn",
		Caller: t.caller(), Callee: t.callee(), SignalLocation: "EUNO", Trunk: "sbc1.contoso.com",
	}
	if t.outbound {
		r.CallType, r.UserDisplayName = "ByotOut", "Adele Vance"
	}
	return r
}

func established(t *talk, r *call.Row, start, end time.Duration) {
	r.Successful, r.Start, r.End = true, t.began.Add(start), t.began.Add(end)
	r.Duration, r.FinalSIPPhrase = int32((end-start)/time.Second), "BYE"
	if r.CallEndSubReason = 540000; t.outbound {
		r.CallEndSubReason = 560000
	}
}

func refused(t *talk, r *call.Row, at time.Duration, code int32, phrase string, subcode int32) {
	r.Failure, r.FinalSIPCode, r.FinalSIPPhrase, r.CallEndSubReason = t.began.Add(at), code, phrase, subcode
}

// same compares two rows as clients see them.
func same(t *testing.T, name string, got, want *call.Row) {
	t.Helper()
	if got.Tenant != want.Tenant {
		t.Errorf("%s: tenant %v, want %v", name, got.Tenant, want.Tenant)
	}
	for f := range call.NumFields {
		if g, w := value(got, f), value(want, f); g != w {
			t.Errorf("%s: %s is %s, want %s", name, f, g, w)
		}
	}
}

func value(r *call.Row, f call.Field) string {
	switch f.Type() {
	case call.ID:
		return r.GUID(f).String()
	case call.Text:
		return fmt.Sprintf("%q", r.Text(f))
	case call.Time:
		return r.Time(f).Format(time.RFC3339Nano)
	case call.Number:
		return fmt.Sprint(r.Number(f))
	case call.Bool:
		return fmt.Sprint(r.Bool(f))
	}
	return ""
}

// TestHear: a call of each kind has exactly one row, in every order of its messages, with repeats
// and restarts, and whether they are seen on one hop or on both hops of a proxy.
func TestHear(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 3))
	for i, c := range talks {
		for _, proxy := range []bool{false, true} {
			for order := range 6 + scale(10) {
				one := c.make(i)
				if proxy {
					one.through()
				}
				want := plainRow(one)
				c.want(one, &want)
				events := one.events()
				switch {
				case order == 1:
					slices.Reverse(events)
				case order > 1:
					events = append(events, events[:rnd.IntN(len(events)+1)]...)
					rnd.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
				}
				s := newStage(t, storetest.NewModel())
				for len(events) > 0 {
					n := 1 + rnd.IntN(len(events))
					s.put(events[:n]...)
					events = events[n:]
					s.pass(time.Duration(rnd.IntN(100)) * time.Millisecond)
					if order > 3 && rnd.IntN(3) == 0 {
						s.restart()
					}
				}
				s.pass(6 * time.Second)
				name := fmt.Sprintf("seed %d: %s, proxy %v, order %d", seed, c.name, proxy, order)
				rows := s.rows()
				if len(rows) != 1 {
					t.Fatalf("%s: %d rows", name, len(rows))
				}
				same(t, name, &rows[0], &want)
				if t.Failed() {
					return
				}
			}
		}
	}
}
