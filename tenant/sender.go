package tenant

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// A sender of SIP messages shows a certificate that bears names. It speaks for the trunks that these
// names are, and for those that tenants have named for it in [Tenant.Senders]. A name is a host name,
// or a wildcard "*.DOMAIN", which speaks for nothing unless a tenant names it.

// A spoken is what a tenant lets a sender say: the calls of a trunk.
type spoken struct {
	trunk  string // a host name, or "*.DOMAIN"
	tenant call.GUID
}

// An Authority tells for whose calls a sender speaks. It is a snapshot.
type Authority struct {
	x     *index
	names []string // in the form of the index
}

// Authority returns the authority of a sender whose certificate bears the given names.
func (d *Directory) Authority(ctx context.Context, names []string) Authority {
	a := Authority{d.known.Load(), make([]string, len(names))}
	if x, err := d.look(ctx, fresh); err == nil {
		a.x = x // otherwise the old index still holds
	}
	for i, name := range names {
		a.names[i] = hostOf(name)
	}
	return a
}

// Shared reports whether there are several tenants, so that what a sender tells may be another's.
func (a Authority) Shared() bool { return len(a.x.all) > 1 }

// Trunk reports whether the sender speaks for the calls of a trunk.
func (a Authority) Trunk(host string) bool {
	host = hostOf(host)
	owner, ok := a.x.byTrunk(host)
	if !ok {
		return false
	}
	for _, name := range a.names {
		if name == host {
			return true
		}
		for _, s := range a.x.senders[name] {
			if s.tenant == owner && covers(s.trunk, host) {
				return true
			}
		}
	}
	return false
}

// Tenant reports whether the sender speaks for a trunk of a tenant.
func (a Authority) Tenant(id call.GUID) bool { return len(a.Trunks(id)) > 0 }

// Trunks returns the trunks of a tenant for which the sender speaks: host names, or "*.DOMAIN".
func (a Authority) Trunks(id call.GUID) (all []string) {
	for _, name := range a.names {
		if owner, ok := a.x.byTrunk(name); ok && owner == id && !strings.HasPrefix(name, "*") {
			all = append(all, name)
		}
		for _, s := range a.x.senders[name] {
			if s.tenant == id {
				all = append(all, s.trunk)
			}
		}
	}
	return all
}

// covers reports whether a trunk is the host, or "*.DOMAIN" with the host below it.
func covers(trunk, host string) bool {
	below, wild := strings.CutPrefix(trunk, "*")
	return trunk == host || wild && strings.HasSuffix(host, below)
}

// AddSender lets the sender of a certificate's name speak for trunks of t.
func (t *Tenant) AddSender(name string, trunks ...string) {
	if t.Senders == nil {
		t.Senders = map[string][]string{}
	}
	name = hostOf(name)
	have := slices.Clone(t.Senders[name]) // a copy of the tenant may share it
	for _, trunk := range trunks {
		if trunk = hostOf(trunk); !slices.Contains(have, trunk) {
			have = append(have, trunk)
		}
	}
	t.Senders[name] = have
}

// RemoveSender takes from t what the sender of a certificate's name may say, and reports whether
// there was something.
func (t *Tenant) RemoveSender(name string) bool {
	name = hostOf(name)
	_, had := t.Senders[name]
	delete(t.Senders, name)
	return had
}

// hasTrunk reports whether a host name, or "*.DOMAIN", is a trunk of t, or below one.
func (t *Tenant) hasTrunk(trunk string) bool {
	return slices.ContainsFunc(t.Trunks, func(own string) bool { return covers(strings.ToLower(own), trunk) })
}

// checkSenders returns what is wrong with the senders of t.
func (t *Tenant) checkSenders() error {
	for _, name := range slices.Sorted(maps.Keys(t.Senders)) {
		if !trunkForm.MatchString(name) || len(name) > 253 {
			return fmt.Errorf("%w: sender name %q: a name of a certificate is needed, such as agent.carrier.com or *.carrier.com", call.ErrInvalid, name)
		}
		if len(t.Senders[name]) == 0 {
			return fmt.Errorf("%w: sender %s: say for which trunks of the tenant it speaks, as in %s=sbc1.contoso.com", call.ErrInvalid, name, name)
		}
		for _, trunk := range t.Senders[name] {
			if !t.hasTrunk(trunk) {
				return fmt.Errorf("%w: sender %s: %s is none of the trunks of tenant %s: give it the trunk first", call.ErrInvalid, name, trunk, t.Name)
			}
		}
	}
	return nil
}

// ownSenders takes from all senders of t the trunks that t has no more, and removes the senders that
// then have none.
func (t *Tenant) ownSenders() {
	for name, trunks := range t.Senders {
		left := slices.DeleteFunc(slices.Clone(trunks), func(trunk string) bool { return !t.hasTrunk(trunk) })
		if t.Senders[name] = left; len(left) == 0 {
			delete(t.Senders, name)
		}
	}
}
