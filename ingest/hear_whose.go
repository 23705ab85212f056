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
//     the only leg that there is, if it names none.
//   - What then may be either's is nobody's, and is counted.
//
// A leg is whose its first INVITE says, and stays so. Until there was one, it is whose
// its messages name, as long as that is known.

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

// legOf returns the leg that a message belongs to, which may be a new one. It returns
// nil, and counts the message, if it belongs to none.
func (h *hearing) legOf(sink *Sink, s *call.Signal, c *heardCount) *held {
	var first *held
	if d := h.legs[sink.source]; d != nil {
		first = d.byCall[s.CallID]
	}
	var l *held
	owner := sink.tenant
	names := owner // by all that is known
	switch {
	case !owner.IsZero():
		l = h.boundTo(owner, first)
	case leg.Begins(s):
		if owner = leg.AskedBy(s, h.in.tenant); owner.IsZero() {
			owner = h.trunkOwner(sink)
		}
		names = owner
		l = h.askedBy(sink, owner, first, s)
	}
	if l == nil && sink.tenant.IsZero() && (owner.IsZero() || !leg.Begins(s)) {
		var shared bool
		if l, names, shared = h.onItsWay(sink, first, s); shared {
			c.shared++
			return nil
		}
	}
	switch {
	case l == nil && !leg.Opens(s):
		c.other++
		return nil
	case l == nil:
		l = newLeg(sink, s.CallID, owner, names)
		h.hold(l)
	case l.Tenant.IsZero() && !owner.IsZero():
		l.Tenant = owner
		h.soil(l)
	}
	return l
}

// newLeg returns the leg of a tenant, or of nobody yet, that a sink hears of and that
// names a tenant.
func newLeg(sink *Sink, callID string, owner, names call.GUID) *held {
	l := &held{Leg: leg.Leg{
		ID: leg.IDOf(sink.source, callID), Source: sink.source, CallID: strings.Clone(callID),
		Tenant: owner, Told: sink.toldOf(names), Trunk: sink.trunk,
	}}
	switch {
	case l.Told != sink.told():
		l.ID = leg.IDWithin(names, sink.source+"/"+sink.from[0], callID)
	case sink.tenant.IsZero() && !owner.IsZero():
		l.ID = leg.IDWithin(owner, sink.source, callID)
	}
	l.Life.Recorded = sink.recorded
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

// of returns the first leg of those of one Call-ID, from l on, that a sink adds to with
// a message that names a tenant: what a sender says of another tenant's calls is no more
// than hearsay, see [Sink.From], and is kept apart.
func (h *hearing) of(sink *Sink, names call.GUID, l *held) *held {
	if sink.from == nil {
		return l
	}
	for ; l != nil; l = l.next {
		owner := l.Owner(h.in.tenant)
		if owner.IsZero() {
			owner = names
		}
		if l.Told == sink.toldOf(owner) {
			break
		}
	}
	return l
}

// askedBy returns the leg that the INVITE of a tenant's call belongs to, of those of
// one Call-ID: the tenant's, or one of which no INVITE has said whose it is.
func (h *hearing) askedBy(sink *Sink, tenant call.GUID, first *held, s *call.Signal) (open *held) {
	if tenant.IsZero() {
		return nil
	}
	best := 0
	for l := h.of(sink, tenant, first); l != nil; l = h.of(sink, tenant, l.next) {
		owner := l.Owner(h.in.tenant)
		if owner == tenant {
			return l
		}
		way := l.Way(s)
		if l.Tenant.IsZero() && l.Told == sink.toldOf(tenant) && (owner.IsZero() || !l.Asked() && way > 0) && (open == nil || way > best) {
			open, best = l, way
		}
	}
	return open
}

// onItsWay returns the leg that a message belongs to which does not say itself whose
// it is, of those of one Call-ID; nil if there is none. It may be shared: then it is
// not known whose it is. The tenant that it names is told if there is no leg.
func (h *hearing) onItsWay(sink *Sink, first *held, s *call.Signal) (l *held, names call.GUID, shared bool) {
	if sink.from != nil { // else it may not matter
		names, _ = leg.NamedBy(s, h.in.tenant, false)
		first = h.of(sink, names, first)
	}
	best, several := 0, false
	for o := first; o != nil; o = h.of(sink, names, o.next) {
		switch way := o.Way(s); {
		case way > best:
			l, best, several = o, way, false
		case way == best && way > 0:
			several = true
		}
	}
	if best > 0 && !several {
		return l, names, false
	}
	near, more := leg.NamedBy(s, h.in.tenant, several)
	switch {
	case more:
		return nil, names, true
	case near.IsZero():
		return first, near, first != nil && h.of(sink, names, first.next) != nil
	}
	var open *held // whose is not known
	for o := first; o != nil; o = h.of(sink, names, o.next) {
		switch owner := o.Owner(h.in.tenant); {
		case owner == near && o.Way(s) == best:
			return o, near, false
		case owner.IsZero():
			open = o
		}
	}
	return open, near, first != nil && (open == nil || several)
}
