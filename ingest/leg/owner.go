package leg

import (
	"net/netip"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// An Owner returns the tenant that owns the trunk with the given host name; ok is false if no
// tenant does.
type Owner func(host string) (tenant call.GUID, ok bool)

// AskedBy returns the tenant whose trunk an INVITE names that begins a call: in the Request-URI,
// which the call goes to, or else in Contact, From or To. The first name counts, since a proxy may
// pass the others on from another tenant's trunk. The result is zero if no tenant owns any of the
// names.
func AskedBy(s *call.Signal, owner Owner) (tenant call.GUID) {
	for _, host := range [...]string{s.URI.Host, s.Contact.Host, s.From.Host, s.To.Host} {
		if tenant = ownerOf(host, owner); !tenant.IsZero() {
			break
		}
	}
	return tenant
}

// NamedBy returns the tenant whose trunk a message names, and zero if it names none or those of
// several tenants; several tells the two apart. If near is set, it reads only the names of the two
// ends of the message's way, since a proxy passes From and To on.
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

// ownerOf returns the tenant that owns the trunk with a host name; zero if none does.
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

// trunkName returns a host name in the form of a trunk's name: in lower case, without a dot at the
// end.
func trunkName(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// Way returns how well the leg knows the way that a message took, from 0 to 4. It is 0 if the leg
// has no messages between the same two addresses, and 1 if it has; the same ports add 1, and an
// INVITE between the addresses adds 2. An answer to an INVITE comes back from where that went, and
// a CANCEL follows it, so if the leg has INVITEs of the other direction alone, the way is another
// leg's: 0.
func (l *Leg) Way(s *call.Signal) (way int) {
	directed := s.CSeqMethod == methodInvite && s.Code != 0 || s.Method == methodCancel
	asked := netip.Addr{} // the sender of the INVITE, if the message tells it
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

// owned reports whether a host is a trunk of the leg's tenant, or of any tenant as long as the leg
// has none.
func (l *Leg) owned(host string, owner Owner) bool {
	if host == "" || owner == nil {
		return false
	}
	tenant, ok := owner(host)
	return ok && (l.Tenant.IsZero() || tenant == l.Tenant)
}

// TrunkOf returns the host name of the leg's trunk and the tenant that owns it: the first of
// v.Trunks that a tenant owns, or that the leg's own tenant owns if it has one. If there is none,
// the trunk is the one that the source is bound to, or the first name, and its tenant the leg's,
// the trunk's owner or [call.Unassigned].
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

// Owner returns the leg's tenant, or else the one whose trunk the leg names; [call.Unassigned],
// which is zero, if there is none.
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
