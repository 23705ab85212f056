// Package gen makes up calls: rows that look like those of a company with a few trunks, from a
// seed, for demonstrations, tests and benchmarks.
//
// The same [Config] gives the same rows on every machine and with every version of Go. Package gen
// therefore computes everything in whole numbers, with a random number generator of its own:
// math.Exp gives other digits on other processors, and math/rand promises nothing about its
// methods.
//
// It knows nothing of stores, files or the wire form. None of the people exists; a number may, as
// any number may.
package gen

import (
	"fmt"
	"iter"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A Config describes the rows to make. Its zero value asks for none.
type Config struct {
	Rows int    // how many
	Seed uint64 // of all that is random
	// From <= Start < To. If both are zero, it is the 28 days from 2026-01-05; if only To is, it is
	// the 28 days from From.
	From, To time.Time
	Tenant   call.GUID // of all rows
	Users    int       // people who have calls; 500 if 0
	Trunks   []string  // host names of the SBCs; three of contoso.com if empty
	// Late is the share of rows that arrive hours to days after the call has
	// ended: 0.02 if 0, none if negative.
	Late float64
}

const (
	defaultUsers = 500
	maxUsers     = 1_000_000 // they are kept in memory, 200 bytes each
	maxYears     = 100
)

// Check returns an error that wraps [call.ErrInvalid] if [Rows] cannot yield the requested rows, or
// nil.
func (c Config) Check() error {
	c = c.withDefaults()
	switch {
	case c.Rows < 0:
		return fmt.Errorf("%w: %d rows", call.ErrInvalid, c.Rows)
	case c.Users < 0 || c.Users > maxUsers:
		return fmt.Errorf("%w: %d users; there can be 1 to %d", call.ErrInvalid, c.Users, maxUsers)
	case c.From.Year() < 2 || c.To.Year() > 9990:
		return fmt.Errorf("%w: from %v to %v is not within the years 2 to 9990", call.ErrInvalid, c.From, c.To)
	case !(c.Late <= 1): // NaN, too
		return fmt.Errorf("%w: a share of %v late rows", call.ErrInvalid, c.Late)
	case call.Ticks(c.From) >= call.Ticks(c.To):
		return fmt.Errorf("%w: from %v to %v there is no time for a call", call.ErrInvalid, c.From, c.To)
	case c.To.After(c.From.AddDate(maxYears, 0, 0)):
		return fmt.Errorf("%w: from %v to %v are more than %d years", call.ErrInvalid, c.From, c.To, maxYears)
	}
	for _, t := range c.Trunks {
		if t == "" || len(t) > call.MaxText {
			return fmt.Errorf("%w: a trunk's host name of %d bytes", call.ErrInvalid, len(t))
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.From.IsZero() && c.To.IsZero() {
		c.From = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	}
	if c.To.IsZero() {
		c.To = c.From.Add(28 * 24 * time.Hour)
	}
	if c.Users == 0 {
		c.Users = defaultUsers
	}
	if len(c.Trunks) == 0 {
		c.Trunks = []string{"sbc1.contoso.com", "sbc2.contoso.com", "sbc3.contoso.com"}
	}
	if c.Late == 0 {
		c.Late = 0.02
	}
	return c
}

// Rows yields exactly c.Rows rows in the order in which they become known: that of the ends of the
// calls, with some late ones in between. A row and its strings are valid until the next step; keep
// one with [call.Row.Clone]. Microsoft Graph settles every row as a complete witness. If c does not
// pass [Config.Check] there are no rows.
//
// Memory does not grow with c.Rows. If more than 262,144 calls are under way at once, Rows yields
// those that end first too early.
func Rows(c Config) iter.Seq[*call.Row] {
	return func(yield func(*call.Row) bool) {
		if c.Check() != nil {
			return
		}
		g := newGenerator(c.withDefaults())
		for r := range g.arrivals() {
			if !yield(g.row(r)) {
				return
			}
		}
	}
}

// A generator holds what all rows have in common, and room for one row.
//
// Every fact about row n is a function of the seed and n alone. So the generator does not keep rows
// under way: it makes a row from n when it arrives, and the second leg of a call makes the first
// one's facts again.
type generator struct {
	calendar
	tenant   call.GUID
	rows     uint64
	late     uint64 // of 2³²
	people   []person
	bots     []person
	trunks   []trunk
	inbound  outcomes
	outbound outcomes

	out    call.Row
	number []byte      // backs the numbers in out
	units  []call.GUID // backs the administrative units of out
}

func newGenerator(c Config) *generator {
	g := &generator{
		calendar: calendar{seed: c.Seed, from: call.Ticks(c.From), to: call.Ticks(c.To)},
		tenant:   c.Tenant,
		rows:     uint64(c.Rows),
		// Multiplication by a power of two is exact, so that this is the same everywhere.
		late:     uint64(min(max(c.Late, 0), 1) * (1 << 32)),
		inbound:  newOutcomes(inboundFailures[:], 130),
		outbound: newOutcomes(outboundFailures[:], 190),
		number:   make([]byte, 0, 64),
	}
	if call.TimeOf(g.to).Before(c.To) {
		g.to++ // c.To is no whole tick: include the one that it lies in
	}
	if call.TimeOf(g.from).Before(c.From) {
		g.from++
	}
	g.people, g.bots = newPeople(c.Seed, c.Users)
	g.trunks = newTrunks(c.Trunks)
	return g
}

// An arrival is a row that has started and is not yet known.
type arrival struct {
	at    uint64 // when it becomes known, in ticks
	start uint64 // startDateTime, in ticks
	row   uint64 // its number; the highest bit is set if it is a second leg
}

const secondLeg = 1 << 63

func (a arrival) number() uint64 { return a.row &^ secondLeg }

func (a arrival) second() bool { return a.row&secondLeg != 0 }

// maxUnderWay bounds the memory of arrivals: 24 bytes each.
const maxUnderWay = 1 << 18

// arrivals yields the rows by the time at which they become known.
func (g *generator) arrivals() iter.Seq[arrival] {
	return func(yield func(arrival) bool) {
		var q queue
		var leg uint64 // when the second leg of the call before starts; 0 if it has none
		for n, start := range g.starts(g.rows) {
			a := arrival{start: start, row: n}
			if leg != 0 {
				a = arrival{start: leg, row: n | secondLeg}
			}
			p := g.plan(a)
			a.start, a.at = p.start, p.known()+g.delay(n)
			leg = 0
			if !a.second() && n+1 < g.rows {
				leg = g.legStart(&p)
			}
			// No later start can become known before its own time.
			for len(q) > 0 && (q[0].at <= min(start, a.at) || len(q) == maxUnderWay) {
				if !yield(q.pop()) {
					return
				}
			}
			q.push(a)
		}
		for len(q) > 0 {
			if !yield(q.pop()) {
				return
			}
		}
	}
}

// delay returns by how many ticks row n arrives late: from an hour to three
// days, more often short than long.
func (g *generator) delay(n uint64) uint64 {
	r := stream(g.seed, streamLate, n)
	if r.below(1<<32) >= g.late {
		return 0
	}
	return hour + min(r.below(71*hour), r.below(71*hour))
}

// A queue is a heap of arrivals, the earliest on top.
type queue []arrival

func (a arrival) before(b arrival) bool {
	return a.at < b.at || a.at == b.at && a.number() < b.number()
}

func (q *queue) push(a arrival) {
	h := append(*q, a)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !a.before(h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = a
	*q = h
}

func (q *queue) pop() arrival {
	h := *q
	top, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	if len(h) == 0 {
		return top
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && h[down+1].before(h[down]) {
			down++
		}
		if !h[down].before(last) {
			break
		}
		h[i] = h[down]
		i = down
	}
	h[i] = last
	return top
}
