package ingest

import (
	"strings"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
)

// A leg is what one source has heard under one Call-ID of one tenant's calls. A source
// that is bound to a tenant hears nobody else's. Others may hear one Call-ID twice: a
// proxy passes it on from a trunk of one tenant to that of another, and with it most of
// what names the first. So whose a message is follows from the way that it took, and
// not from all that it names:
//
//   - The INVITE that begins a call is its trunk's, see [leg.AskedBy], and so are other
//     messages between the same two addresses and ports.
//   - What was seen elsewhere is that tenant's whose trunk alone it names, or goes to
//     the only leg that there is, if it names none. From and To do not count once two
//     tenants have calls of that Call-ID: a proxy has passed them on.
//   - What then may be either's is nobody's, and is counted.
//
// A leg is whose its first INVITE says, and stays so. Until there was one, it is whose
// its messages name, as long as that is known.
//
// A sender with an [Authority] adds to the legs of the tenants for which it speaks, and to
// legs of no tenant that it has begun itself. A message that names a trunk for which it does
// not speak, and is on the way of none of these, is refused and counted.

// dialogs are the legs of one source by their Call-IDs; those of one Call-ID in the
// order in which they came.
type dialogs struct {
	byCall map[string]*held
	n      int // legs
}

func (d *dialogs) add(l *held) {
	d.n++
	last := d.byCall[l.CallID]
	if last == nil {
		d.byCall[l.CallID] = l
		return
	}
	for last.next != nil {
		last = last.next
	}
	last.next = l
}

// remove takes a leg out, and reports whether it was the last one.
func (d *dialogs) remove(l *held) (empty bool) {
	d.n--
	switch first := d.byCall[l.CallID]; {
	case first != l:
		for first.next != l {
			first = first.next
		}
		first.next = l.next
	case l.next != nil:
		d.byCall[l.CallID] = l.next
	default:
		delete(d.byCall, l.CallID)
	}
	l.next = nil
	return d.n == 0
}

// all yields the legs. The one that was yielded may be removed meanwhile.
func (d *dialogs) all(yield func(*held) bool) {
	if d == nil {
		return
	}
	for _, l := range d.byCall {
		for l != nil {
			next := l.next
			if !yield(l) {
				return
			}
			l = next
		}
	}
}

// A voice is a sink that tells of a message, and for whose calls its sender speaks.
type voice struct {
	*Sink
	may Authority // nil if it speaks for all
}

// legOf returns the leg that a message belongs to, which may be a new one. It returns
// nil, and counts the message, if it belongs to none.
func (h *hearing) legOf(sink *Sink, s *call.Signal, c *heardCount) *held {
	v := voice{Sink: sink}
	if sink.from != nil {
		v.may = h.in.speaks(sink.from.names)
	}
	var first *held
	if d := h.legs[sink.source]; d != nil {
		first = d.byCall[s.CallID]
	}
	l, owner, lost := h.find(v, first, s, c)
	switch {
	case lost != nil:
		*lost++
		return nil
	case l == nil && !leg.Opens(s):
		c.other++
		return nil
	case l == nil:
		l = newLeg(v, s.CallID, owner)
		h.hold(l)
	case l.Tenant.IsZero() && !owner.IsZero():
		l.Tenant, l.Told = owner, sink.told()
		h.soil(l)
	}
	return l
}

// find returns the leg that a message belongs to, nil if there is none yet, and whose it
// is if that is known for good. Lost is the count of messages that are kept for nobody.
func (h *hearing) find(v voice, first *held, s *call.Signal, c *heardCount) (l *held, owner call.GUID, lost *uint64) {
	if !v.tenant.IsZero() {
		return h.boundTo(v.tenant, first), v.tenant, nil
	}
	if leg.Begins(s) {
		if trunk := h.foreign(v, func(of leg.Owner) { owner = leg.AskedBy(s, of) }); trunk != "" {
			return nil, owner, h.refuse(v, trunk, c)
		}
		if owner.IsZero() {
			owner = h.trunkOwner(v.Sink)
		}
		if !owner.IsZero() {
			return h.askedBy(v, owner, first, s), owner, nil
		}
	}
	l, best, several := h.byWay(v, first, s)
	if v.may != nil && (l == nil || l.Tenant.IsZero()) {
		var trunk string
		if owner, trunk = h.named(v, s); trunk != "" {
			return nil, owner, h.refuse(v, trunk, c)
		}
	}
	if l == nil {
		var shared bool
		if l, shared = h.byName(v, first, s, best, several); shared {
			lost = &c.shared
		}
	}
	return l, owner, lost
}

// refuse tells of a message about a trunk for which its sender does not speak, and returns
// the count of such messages.
func (h *hearing) refuse(v voice, trunk string, c *heardCount) *uint64 {
	h.in.refuse(v.source, v.from.names, trunk)
	return &c.refused
}

// foreign returns the first trunk, of those whose owner f asks for, for which the sender does
// not speak; empty if there is none.
func (h *hearing) foreign(v voice, f func(leg.Owner)) (trunk string) {
	f(func(host string) (call.GUID, bool) {
		owner, ok := h.in.tenant(host)
		if ok && trunk == "" && v.may != nil && !v.may.Trunk(host) {
			trunk = host
		}
		return owner, ok
	})
	return trunk
}

// named returns the one tenant whose trunk a message names, of those at the ends of its way
// if there are such; zero if there is none, or several. Foreign is a trunk among them for
// which the sender does not speak.
func (h *hearing) named(v voice, s *call.Signal) (tenant call.GUID, foreign string) {
	for _, near := range []bool{true, false} {
		var several bool
		foreign = h.foreign(v, func(of leg.Owner) { tenant, several = leg.NamedBy(s, of, near) })
		if several || foreign != "" || !tenant.IsZero() {
			break
		}
	}
	return tenant, foreign
}

// newLeg returns the leg of a tenant, or of nobody yet. What a sender tells that speaks for
// some trunks alone is hearsay until it is known to be about one of these.
func newLeg(v voice, callID string, owner call.GUID) *held {
	l := &held{Leg: leg.Leg{
		ID: leg.IDOf(v.source, callID), Source: v.source, CallID: strings.Clone(callID),
		Tenant: owner, Told: v.told(), Trunk: v.trunk,
	}}
	switch {
	case v.may != nil && owner.IsZero():
		l.ID, l.Told = v.begun(callID), call.SIP.Hearsay()
	case v.tenant.IsZero() && !owner.IsZero():
		l.ID = leg.IDWithin(owner, v.source, callID)
	}
	l.Life.Recorded = v.recorded
	return l
}

// begun returns the name of a leg of no tenant that a sender begins which speaks for some
// trunks alone.
func (v voice) begun(callID string) call.GUID {
	return leg.IDWithin(call.Unassigned, v.source+"/"+strings.Join(v.from.names, ","), callID)
}

// open returns the first leg, of those of one Call-ID from l on, to which a sender may add.
func (h *hearing) open(v voice, l *held) *held {
	if v.may == nil {
		return l
	}
	for ; l != nil; l = l.next {
		owner := l.Owner(h.in.tenant)
		// Legs that an earlier release has begun bear no sender's name.
		if owner.IsZero() && (l.ID == v.begun(l.CallID) || l.ID == leg.IDOf(l.Source, l.CallID)) || !owner.IsZero() && v.may.Tenant(owner) {
			break
		}
	}
	return l
}

// trunkOwner returns whose the trunk is whose calls a source hears, if it is told.
func (h *hearing) trunkOwner(sink *Sink) (tenant call.GUID) {
	if sink.trunk != "" {
		tenant, _ = h.in.tenant(sink.trunk)
	}
	return tenant
}

// boundTo returns the leg of a source that is bound to a tenant, of those of one
// Call-ID: it may have begun before the source was bound.
func (h *hearing) boundTo(tenant call.GUID, first *held) *held {
	for l := first; l != nil; l = l.next {
		if l.Tenant == tenant || l.Tenant.IsZero() {
			return l
		}
	}
	return nil
}

// askedBy returns the leg that the INVITE of a tenant's call belongs to, of those of
// one Call-ID: the tenant's, or one of which no INVITE has said whose it is.
func (h *hearing) askedBy(v voice, tenant call.GUID, first *held, s *call.Signal) (open *held) {
	best := 0
	for l := h.open(v, first); l != nil; l = h.open(v, l.next) {
		owner := l.Owner(h.in.tenant)
		if owner == tenant {
			return l
		}
		way := l.Way(s)
		if l.Tenant.IsZero() && (owner.IsZero() || !l.Asked() && way > 0) && (open == nil || way > best) {
			open, best = l, way
		}
	}
	return open
}

// byWay returns the leg, of those of one Call-ID, that knows best the way which a message
// took; nil if none knows it, or if several know it as well as the best.
func (h *hearing) byWay(v voice, first *held, s *call.Signal) (l *held, best int, several bool) {
	for o := h.open(v, first); o != nil; o = h.open(v, o.next) {
		switch way := o.Way(s); {
		case way > best:
			l, best, several = o, way, false
		case way == best && way > 0:
			l, several = nil, true
		}
	}
	return l, best, several
}

// shared reports whether legs of one Call-ID are of two tenants.
func (h *hearing) shared(first *held) bool {
	var one call.GUID
	for l := first; l != nil; l = l.next {
		owner := l.Owner(h.in.tenant)
		if !one.IsZero() && !owner.IsZero() && owner != one {
			return true
		}
		if one.IsZero() {
			one = owner
		}
	}
	return false
}

// byName returns the leg of the tenant that a message names, of those of one Call-ID, or the
// only one if it names none; nil if there is none. It may be shared: then it is not known
// whose it is.
func (h *hearing) byName(v voice, first *held, s *call.Signal, best int, several bool) (l *held, shared bool) {
	near, more := leg.NamedBy(s, h.in.tenant, several || h.shared(first))
	first = h.open(v, first)
	switch {
	case more:
		return nil, true
	case near.IsZero():
		return first, first != nil && h.open(v, first.next) != nil
	}
	var open *held // whose is not known
	for o := first; o != nil; o = h.open(v, o.next) {
		switch owner := o.Owner(h.in.tenant); {
		case owner == near && o.Way(s) == best:
			return o, false
		case owner.IsZero():
			open = o
		}
	}
	return open, first != nil && (open == nil || several)
}
