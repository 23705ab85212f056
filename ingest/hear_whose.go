package ingest

import (
	"strings"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
)

// A leg holds what one source has heard under one Call-ID of one tenant's calls. A source that is
// bound to a tenant hears no other tenant's calls. Another source may hear one Call-ID twice: a
// proxy passes a call on from a trunk of one tenant to one of another, with most of what names the
// first. So the way that a message took decides whose it is, and not all that it names:
//
//   - The INVITE that begins a call belongs to the owner of its trunk, see [leg.AskedBy], and so do
//     other messages between the same two addresses and ports.
//   - A message seen elsewhere belongs to the tenant whose trunk alone it names, or, if it names
//     none, to the only leg that there is. From and To do not count once two tenants have calls of
//     that Call-ID: a proxy has passed them on.
//   - A message that may then belong to either tenant is kept for neither, and is counted.
//
// The first INVITE of a leg decides on its tenant, for good. Until one was seen, the leg belongs to
// the tenant that its messages name, as long as that is known.
//
// A sender with an [Authority] adds to the legs of the tenants for which it speaks, and to legs of
// no tenant that it has begun itself. A message that names a trunk for which its sender does not
// speak, and that is on the way of none of these legs, is refused and counted.

// A dialogs holds the legs of one source by their Call-IDs; held.next leads from one leg of a
// Call-ID to the next, in the order of their arrival.
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

// remove removes a leg, and reports whether it was the last one.
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

// all yields the legs. The caller may remove the leg that it was yielded.
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

// A voice is the sink of a message, with the authority of its sender.
type voice struct {
	*Sink
	may Authority // nil if the sender speaks for all
}

// legOf returns the leg to which a message belongs, which may be a new one. It returns nil, and
// counts the message, if it belongs to none.
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

// find returns the leg to which a message belongs, nil if there is none yet, and the owner of the
// message if that is known for good. If no leg may have the message, lost is the count to which it
// adds.
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

// refuse reports a message about a trunk for which its sender does not speak, and returns the count
// of such messages.
func (h *hearing) refuse(v voice, trunk string, c *heardCount) *uint64 {
	h.in.refuse(v.source, v.from.names, trunk)
	return &c.refused
}

// foreign returns the first trunk for which the sender does not speak, of those whose owner f asks
// for; empty if there is none.
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

// named returns the one tenant whose trunk a message names: at the ends of its way, or, if these
// name none, anywhere. It is zero if there is none, or several. Foreign is a trunk among these for
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

// newLeg returns a leg of a tenant, or of none yet. The messages of a sender that speaks only for
// some trunks are hearsay until the leg is known to belong to one of these.
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

// begun returns the id of a leg of no tenant that a sender has begun which speaks only for some
// trunks.
func (v voice) begun(callID string) call.GUID {
	return leg.IDWithin(call.Unassigned, v.source+"/"+strings.Join(v.from.names, ","), callID)
}

// open returns the first leg to which a sender may add, of those of one Call-ID from l on.
func (h *hearing) open(v voice, l *held) *held {
	if v.may == nil {
		return l
	}
	for ; l != nil; l = l.next {
		owner := l.Owner(h.in.tenant)
		// The ids of legs that an earlier release has begun do not have the sender's names in them.
		if owner.IsZero() && (l.ID == v.begun(l.CallID) || l.ID == leg.IDOf(l.Source, l.CallID)) || !owner.IsZero() && v.may.Tenant(owner) {
			break
		}
	}
	return l
}

// trunkOwner returns the owner of the trunk to which a source is bound; zero if there is none.
func (h *hearing) trunkOwner(sink *Sink) (tenant call.GUID) {
	if sink.trunk != "" {
		tenant, _ = h.in.tenant(sink.trunk)
	}
	return tenant
}

// boundTo returns the leg, of those of one Call-ID, for a source that is bound to a tenant. It may
// be a leg of no tenant, which began before the source was bound.
func (h *hearing) boundTo(tenant call.GUID, first *held) *held {
	for l := first; l != nil; l = l.next {
		if l.Tenant == tenant || l.Tenant.IsZero() {
			return l
		}
	}
	return nil
}

// askedBy returns the leg, of those of one Call-ID, to which the INVITE of a tenant's call belongs:
// the tenant's, or one whose tenant no INVITE has told.
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

// byWay returns the leg, of those of one Call-ID, that best knows the way that a message took. It
// returns nil if none knows it, or if several know it equally well.
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

// shared reports whether the legs of one Call-ID belong to two tenants.
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

// byName returns the leg, of those of one Call-ID, of the tenant that a message names, or the only
// leg if it names none; nil if there is none. shared says that the message may belong to several of
// them.
func (h *hearing) byName(v voice, first *held, s *call.Signal, best int, several bool) (l *held, shared bool) {
	near, more := leg.NamedBy(s, h.in.tenant, several || h.shared(first))
	first = h.open(v, first)
	switch {
	case more:
		return nil, true
	case near.IsZero():
		return first, first != nil && h.open(v, first.next) != nil
	}
	var open *held // a leg whose tenant is not known
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
