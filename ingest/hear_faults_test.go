package ingest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// A wire says on which ports and addresses an agent sees the messages of a talk.
var wires = []struct {
	name string
	// on returns the ends of a message that is the n-th on its connection.
	on func(src, dst netip.AddrPort, request bool, n int) (netip.AddrPort, netip.AddrPort)
}{
	{"one port each", func(src, dst netip.AddrPort, _ bool, _ int) (netip.AddrPort, netip.AddrPort) { return src, dst }},
	{"requests from ports of their own, answers to the port in Via", func(src, dst netip.AddrPort, request bool, n int) (netip.AddrPort, netip.AddrPort) {
		if request {
			src = netip.AddrPortFrom(src.Addr(), uint16(30000+n%3))
		}
		return src, dst
	}},
	{"requests from ports of their own, answers back to them", func(src, dst netip.AddrPort, request bool, _ int) (netip.AddrPort, netip.AddrPort) {
		if request {
			return netip.AddrPortFrom(src.Addr(), 30000), dst
		}
		return src, netip.AddrPortFrom(dst.Addr(), 30000)
	}},
	{"port 0", func(src, dst netip.AddrPort, request bool, _ int) (netip.AddrPort, netip.AddrPort) {
		if request {
			return src, netip.AddrPortFrom(dst.Addr(), 0)
		}
		return netip.AddrPortFrom(src.Addr(), 0), dst
	}},
}

// overWire gives a talk's messages the ports of a wire.
func (t *talk) overWire(wire int) *talk {
	for i := range t.signals {
		s := &t.signals[i]
		s.Src, s.Dst = wires[wire].on(s.Src, s.Dst, s.Method != "", i)
	}
	return t
}

// TestWires: the ports on which a call's messages are seen do not change its row.
func TestWires(t *testing.T) {
	for i, c := range talks {
		for wire := range wires {
			for _, proxy := range []bool{false, true} {
				for _, reversed := range []bool{false, true} {
					one := c.make(i)
					if proxy {
						one.through()
					}
					one.overWire(wire)
					events := one.events()
					if reversed {
						slices.Reverse(events)
					}
					s := newStage(t, storetest.NewModel())
					s.put(events...)
					s.pass(6 * time.Second)
					want := plainRow(one)
					c.want(one, &want)
					r := s.one()
					same(t, fmt.Sprintf("%s, %s, proxy %v, reversed %v", c.name, wires[wire].name, proxy, reversed), &r, &want)
				}
			}
		}
	}
}

// TestFaults: whatever happens to the messages of calls on their way, each call has at most one
// row, and at most one of hearsay, and no row ever contradicts itself.
func TestFaults(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 11))
	for n := range scale(3000) {
		s := newStage(t, storetest.NewModel())
		s.in.keepSIP = false
		one := talks[rnd.IntN(len(talks))].make(n % 1000)
		if rnd.IntN(3) == 0 {
			one.through()
		}
		one.overWire(rnd.IntN(len(wires)))
		sources := s.faulty(rnd, one)
		for left := true; left; {
			left = false
			for _, f := range sources {
				left = f.put(s, rnd) || left
			}
			s.pass(time.Duration(rnd.IntN(3000)) * time.Millisecond)
			s.sound()
			if rnd.IntN(12) == 0 {
				s.restart()
			}
		}
		for _, wait := range []time.Duration{time.Second, 5 * time.Second, 40 * time.Second, 2 * time.Hour, 25 * time.Hour} {
			s.pass(wait)
			s.sound()
		}
		// A row that hearsay has made first may have another id than the one that an authenticated
		// source makes of its own messages.
		told := slices.DeleteFunc(s.rows(), func(r call.Row) bool { return !r.Proven() })
		if rows := s.rows(); len(told) > 1 || len(rows)-len(told) > 1 || len(rows) > 1 && sources[0].input.Hearsay == sources[len(sources)-1].input.Hearsay {
			t.Errorf("%d rows:\n%+v\n%+v", len(rows), rows[0], rows[1])
		}
		if t.Failed() {
			t.Fatalf("seed %d, call %d: %v", seed, n, sources)
		}
	}
}

// A fault is what one source hears of a call, and has not told yet.
type fault struct {
	input  Input
	events []call.Event
}

func (f *fault) String() string { return fmt.Sprintf("%s: %d left", f.input.Source, len(f.events)) }

func (f *fault) put(s *stage, rnd *rand.Rand) (left bool) {
	s.Helper()
	n := rnd.IntN(len(f.events) + 1)
	if err := tryPut(s.Context(), s.in.SinkOf(f.input), f.events[:n]...); err != nil {
		s.Fatal(err)
	}
	f.events = f.events[n:]
	return len(f.events) > 0
}

// faulty returns what one or two sources hear of a call: with gaps, out of order, repeated, by
// clocks that are off and that jump.
func (s *stage) faulty(rnd *rand.Rand, one *talk) (all []*fault) {
	for i := range 1 + rnd.IntN(2) {
		f := &fault{input: Input{Source: fmt.Sprint("tap", i), Hearsay: rnd.IntN(2) == 0}}
		jump := len(one.signals)
		if rnd.IntN(4) == 0 {
			jump = rnd.IntN(len(one.signals))
		}
		off, by := time.Duration(rnd.IntN(5000))*time.Millisecond, time.Duration(rnd.IntN(7200)-3600)*time.Second
		loss := rnd.IntN(3) * rnd.IntN(40)
		for k := range one.signals {
			m := one.signals[k]
			if m.At = m.At.Add(off); k >= jump {
				m.At = m.At.Add(by)
			}
			for range 1 + rnd.IntN(2)*rnd.IntN(2) {
				if rnd.IntN(100) >= loss {
					f.events = append(f.events, call.Event{Kind: call.MessageEvent, Call: m.CallID, Signal: &m})
				}
			}
		}
		if rnd.IntN(2) == 0 {
			rnd.Shuffle(len(f.events), func(i, j int) { f.events[i], f.events[j] = f.events[j], f.events[i] })
		}
		all = append(all, f)
	}
	return all
}
