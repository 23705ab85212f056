package leg

import (
	"strings"

	"github.com/trunklog/trunklog/call"
)

// An Owner tells whose trunk the one with the given host name is; ok says that it is
// somebody's.
type Owner func(host string) (tenant call.GUID, ok bool)

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
	v := l.View(owner)
	_, tenant := l.TrunkOf(&v, owner)
	if tenant == call.Unassigned {
		return call.GUID{}
	}
	return tenant
}

// Hosts calls f with each host name that may be the trunk's, in lower case.
func (l *Leg) Hosts(f func(host string)) {
	each := func(host string) {
		if isName(host) {
			f(shared(strings.ToLower(strings.TrimSuffix(host, "."))))
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
