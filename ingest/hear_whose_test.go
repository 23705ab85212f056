package ingest

import (
	"context"
	"fmt"
	"math/rand/v2"
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

// TestShared: a tenant is shown only what was told of its own calls, whoever shares a listener, a
// proxy or a Call-ID with it. Three tenants and two carriers call, each message bears the mark of
// its tenant, and no row, message or update of one tenant has another's mark.
func TestShared(t *testing.T) {
	seed := seedOf(t)
	for n := range scale(25) {
		c := newSharers(t, rand.New(rand.NewPCG(seed, uint64(n)))) //nolint:gosec // not negative
		c.run()
		if t.Failed() {
			t.Fatalf("seed %d, run %d", seed, n)
		}
	}
}

// A sharedLine is what one listener hears of one call on one way, in an order of its own.
type sharedLine struct {
	input  Input
	events []call.Event
}

// A sharers is three tenants who call carriers, and each other, through proxies that they share.
type sharers struct {
	*stage
	rnd   *rand.Rand
	lines []sharedLine   // what each listener hears of each call on each way
	want  map[string]int // by the mark of the tenant: calls of which all messages are told
	mu    sync.Mutex
	told  []Update
}

var (
	sharing       = []string{"alfa", "beta", "gamma"}
	sharedProxies = []string{"10.1.2.3:5061", "10.1.2.4:5061"}
	sharedTeams   = []string{"52.114.75.24:5061", "52.114.76.10:5061"}
)

func sharerOf(name string) call.GUID { return call.NameGUID("sharers", name) }

func newSharers(t *testing.T, rnd *rand.Rand) *sharers {
	c := &sharers{stage: newStage(t, storetest.NewModel()), rnd: rnd, want: map[string]int{}}
	c.owners = map[string]call.GUID{}
	for _, name := range sharing {
		c.owners["sbc."+name+".com"] = sharerOf(name)
	}
	c.begin()
	for n := range 6 + rnd.IntN(6) {
		order := rnd.Perm(len(sharing))
		a, b := sharing[order[0]], sharing[order[1]]
		proxy := sharedProxies[rnd.IntN(len(sharedProxies))]
		switch rnd.IntN(3) {
		case 0: // alone
			c.add(c.talk(n, rnd.IntN(2) == 0, a, "", proxy, sharedTeams[0]), true)
		case 1: // from one tenant to another
			teams := sharedTeams[rnd.IntN(len(sharedTeams))]
			c.add(c.talk(n, true, a, "", proxy, sharedTeams[0]), teams != sharedTeams[0])
			c.add(c.talk(n, false, b, a, proxy, teams), teams != sharedTeams[0])
		default: // two calls with one Call-ID, of two SBCs
			c.add(c.talk(n, false, a, "", sharedProxies[0], sharedTeams[0]), true)
			c.add(c.talk(n, false, b, "", sharedProxies[1], sharedTeams[1]), true)
		}
	}
	return c
}

// talk returns a call of a tenant, which may come from another tenant's trunk.
func (c *sharers) talk(n int, outbound bool, of, from, proxy, microsoft string) *talk {
	t := newTalk(n, outbound)
	t.callID = fmt.Sprintf("%d@sharers", n)
	t.xc, t.xi = call.NameGUID(of, "c", fmt.Sprint(n)), call.NameGUID(of, "i", fmt.Sprint(n))
	trunk := "sbc." + of + ".com"
	t.with = func(m *call.Signal) {
		for _, end := range []*netip.AddrPort{&m.Src, &m.Dst} {
			if *end == teams {
				*end = netip.MustParseAddrPort(microsoft)
			} else {
				*end = netip.MustParseAddrPort(proxy)
			}
		}
		for _, host := range []*string{&m.URI.Host, &m.Contact.Host, &m.From.Host, &m.To.Host} {
			if *host == "sbc1.contoso.com" {
				*host = trunk
			}
		}
		if from != "" { // a proxy has passed it on
			m.From.Host, m.To.Host = "sip.pstnhub.microsoft.com", "sbc."+from+".com"
		}
		m.From.Name = ""
		m.Phrase += " " + of
		m.Raw = fmt.Appendf(nil, "%s %d %s %d %v %v %v", of, n, m.Method, m.Code, m.At, m.Src, m.Dst)
	}
	return t
}

// add adds what one listener or two hear of a call: the INVITE first, the rest in any order and
// some of it twice.
func (c *sharers) add(t *talk, whole bool) {
	if c.rnd.IntN(3) == 0 {
		t.invite().at(time.Second).answer(486, "Busy").request("ACK", true)
	} else {
		t.invite().at(100*time.Millisecond).answer(180, "Ringing").at(time.Second).answer(200, "OK").request("ACK", true).
			at(4*time.Second).request("BYE", c.rnd.IntN(2) == 0).message(false, call.Signal{Code: 200, CSeqMethod: "BYE", ToTag: "b"})
	}
	events := t.events()
	for _, by := range [][]Input{{{Source: "tap"}}, {{Source: "tap", Hearsay: true}}, {{Source: "tap"}, {Source: "tap2", Hearsay: true}}}[c.rnd.IntN(3)] {
		rest := append(slices.Clone(events[1:]), events[1:][:c.rnd.IntN(len(events))]...)
		if c.rnd.IntN(2) == 0 {
			c.rnd.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		}
		c.lines = append(c.lines, sharedLine{by, append(events[:1:1], rest...)})
	}
	if whole {
		of, _, _ := strings.Cut(string(t.signals[0].Raw), " ")
		c.want[of]++
	}
}

// run puts all messages, from one listener or two, with a restart now and then, and all of them
// again after the legs were forgotten.
func (c *sharers) run() {
	all := slices.Clone(c.lines)
	for again := range 2 {
		stop := c.watch()
		c.lines = slices.Clone(all)
		c.rnd.Shuffle(len(c.lines), func(i, j int) { c.lines[i], c.lines[j] = c.lines[j], c.lines[i] })
		c.tell(&stop)
		for _, d := range []time.Duration{time.Second, 40 * time.Second, 25 * time.Hour, 25 * time.Hour} {
			c.pass(d)
		}
		stop()
		c.check(again)
	}
}

func (c *sharers) tell(stop *func()) {
	for len(c.lines) > 0 {
		i := c.rnd.IntN(len(c.lines))
		l := &c.lines[i]
		n := min(1+c.rnd.IntN(3), len(l.events))
		if err := tryPut(c.Context(), c.in.SinkOf(l.input), l.events[:n]...); err != nil {
			c.Fatal(err)
		}
		if l.events = l.events[n:]; len(l.events) == 0 {
			c.lines = slices.Delete(c.lines, i, i+1)
		}
		c.pass(time.Duration(c.rnd.IntN(200)) * time.Millisecond)
		if c.rnd.IntN(8) == 0 {
			(*stop)()
			c.restart()
			*stop = c.watch()
		}
	}
}

// watch checks the updates of calls until it is stopped.
func (c *sharers) watch() (stop func()) {
	ctx, cancel := context.WithCancel(c.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = c.in.Watch(ctx, true, func(u Update) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.told = append(c.told, u)
			return nil
		})
	})
	return func() { cancel(); wg.Wait() }
}

// check compares what each tenant is shown with what was told of its calls.
func (c *sharers) check(again int) {
	for _, name := range sharing {
		rows := 0
		for r, err := range c.store.Rows(c.Context(), call.Query{Tenant: sharerOf(name)}) {
			if err != nil {
				c.Fatal(err)
			}
			rows++
			c.own(name, r)
			for _, raw := range (&script{t: c.T, store: c.store.(*storetest.Model)}).messages(r) {
				if !strings.HasPrefix(raw, name+" ") {
					c.Errorf("time %d: the ladder of a call of %s has %q", again, name, raw)
				}
			}
		}
		if rows < c.want[name] {
			c.Errorf("time %d: %s has %d rows of %d calls: %+v", again, name, rows, c.want[name], c.in.HearStats())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range c.told {
		for _, name := range sharing {
			if u.Row.Tenant == sharerOf(name) {
				c.own(name, &u.Row)
			}
		}
	}
}

// own fails if a row shows what was told of another tenant's calls.
func (c *sharers) own(name string, r *call.Row) {
	said := r.FinalSIPPhrase
	for claim := range r.Claims() {
		said += fmt.Sprint(" ", claim.Value)
	}
	for _, other := range sharing {
		if other == name {
			continue
		}
		if strings.Contains(said, other) || strings.Contains(r.Trunk, other) {
			c.Errorf("a row of %s says %q on %s", name, said, r.Trunk)
		}
		for n := range 12 {
			if r.CorrelationID == call.NameGUID(other, "i", fmt.Sprint(n)) || r.ID == call.NameGUID(other, "c", fmt.Sprint(n)) {
				c.Errorf("a row of %s has the id of a call of %s", name, other)
			}
		}
	}
}

// TestOpenLegOfBefore: a leg that an earlier release has left open, under an id that does not
// depend on the tenant, goes on under that id.
func TestOpenLegOfBefore(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c := newTalk(1, true).whole()
	events := withRaw(c.events())
	old := leg.Leg{ID: leg.IDOf("lab", c.callID), Source: "lab", CallID: c.callID, Told: call.SIP.Witness()}
	old.Add(events[0].Signal)
	m := events[0].Signal
	_, err := s.store.Write(t.Context(), call.Batch{
		State:    map[string][]byte{openPrefix + "lab/" + old.ID.String(): old.Encode(nil)},
		Messages: []call.Message{{Leg: old.ID, At: m.At, Src: m.Src, Dst: m.Dst, Raw: m.Raw}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.put(events...)
	s.restart()
	s.pass(time.Second)
	want := plainRow(c)
	established(c, &want, time.Second, 4*time.Second)
	r := s.one()
	same(t, "begun before", &r, &want)
	if legs, err := s.store.Legs(t.Context(), tenant, r.Cursor()); err != nil || len(legs) != 1 || legs[0].ID != old.ID {
		t.Errorf("%+v, %v", legs, err)
	}
	if kept := (&script{t: t, store: s.store.(*storetest.Model)}).messages(&r); len(kept) != len(events) {
		t.Errorf("%d messages of %d: %q", len(kept), len(events), kept)
	}
}
