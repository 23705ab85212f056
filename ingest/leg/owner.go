package leg

import (
	"net/netip"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// An Owner tells whose trunk the one with the given host name is; ok says that it is
// somebody's.
type Owner func(host string) (tenant call.GUID, ok bool)

// AskedBy returns the tenant whose trunk an INVITE names that begins a call: whom it
// calls by the Request-URI, or else who says in Contact, From or To that it is theirs.
// What stands behind the first of them a proxy passes on from another's trunk. It is
// zero if none of them is anybody's.
func AskedBy(s *call.Signal, owner Owner) (tenant call.GUID) {
	for _, host := range [...]string{s.URI.Host, s.Contact.Host, s.From.Host, s.To.Host} {
		if tenant = ownerOf(host, owner); !tenant.IsZero() {
			break
		}
	}
	return tenant
}

// NamedBy returns the tenant whose trunk any message names, and zero if it names none;
// several says that it names those of more than one. Near is what names only who is at
// either end of the way that it took: From and To a proxy passes on.
func NamedBy(s *call.Signal, owner Owner, near bool) (tenant call.GUID, several bool) {
	hosts := [...]string{s.URI.Host, s.Contact.Host, s.From.Host, s.To.Host}
	if near {
		hosts[2], hosts[3] = "", ""
	}
	for _, host := range hosts {
		switch of := ownerOf(host, owner); {
		case of.IsZero():
		case tenant.IsZero():
			tenant = of
		case of != tenant:
			return call.GUID{}, true
		}
	}
	return tenant, false
}

// Begins reports whether a message is an INVITE that begins a call.
func Begins(s *call.Signal) bool { return s.Method == methodInvite && s.ToTag == "" }

// ownerOf returns whose trunk a host name is; zero if nobody's.
func ownerOf(host string, owner Owner) call.GUID {
	if owner == nil || !isName(host) {
		return call.GUID{}
	}
	tenant, ok := owner(trunkName(host))
	if !ok {
		return call.GUID{}
	}
	return tenant
}

// trunkName returns a host name as trunks are named.
func trunkName(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// Way returns how well the leg knows the way that a message took, 0 if not at all. It
// has seen others between the same addresses; better, between the same ports, too;
// better still, an INVITE went there, and best, between these ports. An answer to an
// INVITE comes back from where that went, and a CANCEL follows it: an INVITE of the
// other direction shows that the way is another's.
func (l *Leg) Way(s *call.Signal) (way int) {
	directed := s.CSeqMethod == methodInvite && s.Code != 0 || s.Method == methodCancel
	asked := netip.Addr{} // who has asked, if the direction is known
	if directed {
		if asked = s.Src.Addr(); s.Code != 0 {
			asked = s.Dst.Addr()
		}
	}
	met, exact, invited, against := false, false, false, false
	for i := range l.hops {
		h := &l.hops[i]
		if !sameEnds(h.a.Addr(), h.b.Addr(), s.Src.Addr(), s.Dst.Addr()) {
			continue
		}
		met, exact = true, exact || sameEnds(h.a, h.b, s.Src, s.Dst)
		if h.invite.at.IsZero() {
			continue
		}
		from, _ := h.ends()
		if directed && from.Addr() != asked {
			against = true
		} else {
			invited = true
		}
	}
	if !met || against && !invited {
		return 0
	}
	return 1 + btoi(exact) + 2*btoi(invited)
}

// sameEnds reports whether a and b are x and y, or y and x.
func sameEnds[T comparable](a, b, x, y T) bool { return a == x && b == y || a == y && b == x }

// owned reports whether a host is a trunk of the tenant's.
func (l *Leg) owned(host string, owner Owner) bool {
	if host == "" || owner == nil {
		return false
	}
	tenant, ok := owner(host)
	return ok && (l.Tenant.IsZero() || tenant == l.Tenant)
}

// TrunkOf returns the host name of the leg's trunk and the tenant that owns it: of
// the names that it may have, the first that a tenant owns. If there is none the
// tenant is [call.Unassigned].
func (l *Leg) TrunkOf(v *View, owner Owner) (trunk string, tenant call.GUID) {
	tenant = l.Tenant
	for _, host := range v.Trunks {
		of, ok := owner(host)
		switch {
		case !ok:
		case tenant.IsZero():
			return host, of
		case of == tenant:
			return host, tenant
		}
	}
	switch {
	case l.Trunk != "":
		trunk = l.Trunk
	case len(v.Trunks) > 0:
		trunk = v.Trunks[0]
	}
	if tenant.IsZero() {
		var ok bool
		if tenant, ok = owner(trunk); !ok {
			tenant = call.Unassigned
		}
	}
	return trunk, tenant
}

// Owner returns the tenant whose trunk the leg names; zero if nobody's.
func (l *Leg) Owner(owner Owner) call.GUID {
	if !l.Tenant.IsZero() || owner == nil {
		return l.Tenant
	}
	v := l.View(owner)
	_, tenant := l.TrunkOf(&v, owner)
	return tenant
}

// Hosts calls f with each host name that may be the trunk's, in lower case.
func (l *Leg) Hosts(f func(host string)) {
	each := func(host string) {
		if isName(host) {
			f(shared(trunkName(host)))
		}
	}
	each(l.Trunk)
	for i := range l.hops {
		if v := &l.hops[i].invite; !v.at.IsZero() {
			for _, host := range [...]string{v.uriHost, v.toHost, v.contactHost, v.callerHost} {
				each(host)
			}
		}
	}
	each(l.contact.s)
	if l.parties != nil {
		each(l.parties.host.s)
	}
}
