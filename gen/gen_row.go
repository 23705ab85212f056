package gen

import (
	"unsafe"

	"github.com/trunklog/trunklog/call"
)

// The types of calls, by Graph's names.
const (
	in          = "ByotIn"
	inBot       = "ByotInUcap"
	out         = "ByotOut"
	outBot      = "ByotOutUcap"
	outConf     = "ByotOutUserConf"
	forwarded   = "ByotOutUserForwarding"
	transferred = "ByotOutUserTransfer"
)

// facts are what the legs of a call share.
type facts struct {
	typ    string // of the first leg
	second string // type of the second leg; empty if there is none
	user   uint64 // index of the person or bot
	party  uint64
	id     call.GUID // correlationId
	ring   uint64    // ticks until the call is answered, or until it is forwarded
	talk   uint64    // ticks until it ends, or until it is transferred
	rest   uint64    // duration of the second leg, in ticks
}

func (f *facts) bot() bool { return f.typ == inBot || f.typ == outBot }

func (f *facts) inbound() bool { return f.typ == in || f.typ == inBot }

// facts makes up the call whose first row is n.
func (g *generator) facts(n uint64) facts {
	r := stream(g.seed, streamCall, n)
	f := facts{id: r.guid(4), party: r.anyParty()}
	switch kind := r.below(1000); {
	case kind < 470:
		f.typ = in
		switch next := r.below(1000); {
		case next < 50:
			f.second = forwarded
		case next < 80:
			f.second = transferred
		}
	case kind < 640:
		f.typ = inBot
	case kind < 980:
		f.typ = out
	case kind < 990:
		f.typ = outBot
	default:
		f.typ = outConf
	}
	// Some people have more calls than others.
	users := uint64(len(g.people))
	if f.bot() {
		users = uint64(len(g.bots))
	}
	f.user = min(r.below(users), r.below(users))
	f.ring = 2*second + min(r.below(28*second), r.below(28*second))
	f.talk = r.logNormal() * millisecond
	f.rest = r.logNormal() * millisecond
	return f
}

// A plan is a row in short form.
type plan struct {
	rng
	facts
	typ    string // of this leg
	trunk  int
	result *outcome
	fine   bool // its times have seven digits rather than three
	start  uint64
	invite uint64
	failed uint64 // 0 if the call did not fail
	end    uint64 // 0 if it did
}

// known returns the time at which the row is complete.
func (p *plan) known() uint64 { return max(p.failed, p.end) }

// plan decides how a row turns out. For the same start it always decides the same.
func (g *generator) plan(a arrival) plan {
	first := a.number()
	if a.second() {
		first--
	}
	p := plan{rng: stream(g.seed, streamRow, a.number()), facts: g.facts(first)}
	p.fine = p.chance(125)
	p.typ = p.facts.typ
	if a.second() {
		p.typ = p.second
	}
	// A user belongs to one trunk, and goes to the next if that does not answer.
	p.trunk = int(p.user % uint64(len(g.trunks)))
	if p.chance(80) {
		p.trunk = int((p.user + 1) % uint64(len(g.trunks)))
	}
	if p.start = p.round(a.start); p.start < g.from {
		p.start = a.start
	}
	p.result = g.result(&p, a.second())
	if p.result.code != 0 {
		g.fail(&p)
		return p
	}
	switch {
	case a.second():
		p.invite, p.end = p.start-p.round(p.ring*2/3), p.start+p.rest
	case p.second == forwarded:
		p.invite, p.end = p.start-p.proxy(), p.start+p.ring+p.rest+p.proxy()
	case p.second == transferred:
		p.invite, p.end = p.start-p.proxy(), p.start+p.ring+p.talk+p.proxy()
	case p.inbound():
		p.invite, p.end = p.start-p.proxy(), p.start+p.ring+p.talk
	default:
		p.invite, p.end = p.start-p.round(p.ring), p.start+p.talk
	}
	p.end = max(p.round(p.end), p.start)
	return p
}

// round cuts a time to milliseconds, unless the row has seven digits.
func (p *plan) round(t uint64) uint64 {
	if p.fine {
		return t
	}
	return t - t%millisecond
}

// proxy returns the time that Microsoft's SIP proxy takes to pass a call on.
func (p *plan) proxy() uint64 { return p.round(p.between(60*millisecond, 900*millisecond)) }

// result decides how a leg ends. A call that has a second leg does not fail.
func (g *generator) result(p *plan, second bool) *outcome {
	in := p.inbound() && !second
	o, end, trouble := &g.outbound, &outboundEnd, &outboundTrouble
	if in {
		o, end, trouble = &g.inbound, &inboundEnd, &inboundTrouble
	}
	bad := g.trouble(p.trunk, p.start) && p.chance(700)
	fails := p.below(1000) < o.failing
	switch {
	case p.second != "" && !second:
	case bad:
		return trouble
	case fails:
		return o.failure(&p.rng, p.bot())
	}
	if p.chance(15) {
		return &plainEnd
	}
	return end
}

// trouble reports whether a trunk has a bad hour: one in four hundred.
func (g *generator) trouble(trunk int, start uint64) bool {
	r := stream(g.seed, streamTrouble, start/hour<<16|uint64(trunk))
	return r.below(400) == 0
}

// fail sets the times of a failed call. Its start is that of the INVITE or that of the failure.
func (g *generator) fail(p *plan) {
	after := p.round(p.between(p.result.after*millisecond, p.result.before*millisecond))
	if p.chance(700) {
		p.invite, p.failed = p.start, p.start+after
		return
	}
	p.invite, p.failed = p.start-after, p.start
}

// legStart returns when the second leg of the call starts whose first leg is
// p; 0 if there is none, or not before g.to.
func (g *generator) legStart(p *plan) uint64 {
	start := uint64(0)
	switch p.second {
	case forwarded:
		start = p.start + p.ring
	case transferred:
		start = p.start + p.ring + p.talk
	}
	if start >= g.to {
		return 0
	}
	return start
}

// row makes the full row of an arrival. It is valid until the next call.
func (g *generator) row(a arrival) *call.Row {
	p := g.plan(a)
	r := &g.out
	*r = call.Row{
		Tenant:           g.tenant,
		ID:               p.guid(5),
		CorrelationID:    p.id,
		Start:            call.TimeOf(p.start),
		Invite:           call.TimeOf(p.invite),
		CallType:         p.typ,
		Successful:       p.result.code == 0,
		FinalSIPCode:     p.result.code,
		CallEndSubReason: p.result.sub,
		FinalSIPPhrase:   p.result.phrase,
		Trunk:            g.trunks[p.trunk].host,
		MediaBypass:      g.trunks[p.trunk].bypass,
	}
	if p.failed != 0 {
		r.Failure = call.TimeOf(p.failed)
	}
	if p.end != 0 {
		r.End = call.TimeOf(p.end)
		r.Duration = int32((p.end - p.start) / second)
	}
	if p.typ == transferred {
		r.TransferorID = p.id
	}
	g.parties(r, &p)
	r.Settle(call.Graph.Witness(), true)
	return r
}

// parties sets the numbers and names of both sides.
func (g *generator) parties(r *call.Row, p *plan) {
	var who *person
	if p.bot() {
		who = &g.bots[p.user]
	} else {
		who = &g.people[p.user]
		if !p.result.unknown {
			r.UserID, r.UserPrincipalName, r.UserDisplayName = who.id, who.address, who.name
			r.UserCountry = who.site.country
			g.units = append(g.units[:0], who.units...)
			r.AdministrativeUnits = g.units
		}
	}
	r.SignalLocation = who.site.signal
	if !r.MediaBypass {
		r.MediaLocation = who.site.media
	}
	own := who.number
	if p.result.unknown && p.typ == in {
		own = who.site.prefix
	}
	// The second leg of an inbound call goes out to another party.
	party := p.party
	if p.typ == forwarded || p.typ == transferred {
		party = regulars + p.below(parties)
	}
	other := g.other(r, p, who, party)
	if r.Inbound() {
		r.Caller, r.Callee = other, own
	} else {
		r.Caller, r.Callee = own, other
	}
}

// other returns the number of the other party, and notes its country.
func (g *generator) other(r *call.Row, p *plan, who *person, party uint64) string {
	switch n := p.below(1000); {
	case n < 30 && r.Inbound():
		return titles[p.below(uint64(len(titles)))]
	case n < 40 && r.Inbound():
		g.number = appendDigits(append(g.number[:0], '+'), 1000+p.below(200), 4) // of a PBX
	default:
		g.number, r.OtherCountry = appendParty(g.number[:0], g.seed, party)
		if who.site.masked > 0 && p.chance(120) {
			for i := range who.site.masked {
				g.number[len(g.number)-1-i] = '*'
			}
		}
	}
	// The next step is the first to overwrite the bytes, and the row is valid until then. A string
	// of its own would be the only allocation.
	return unsafe.String(unsafe.SliceData(g.number), len(g.number)) //nolint:gosec // see above
}
