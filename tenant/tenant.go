// Package tenant keeps the directory of tenants: their names, the trunks by
// which their calls are recognised, and how long their rows are kept.
//
// The directory lives in the store's state under "tenant/". The package knows
// neither calls nor clients.
package tenant

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A Tenant is one owner of calls.
type Tenant struct {
	ID call.GUID `json:"id"` // the Entra tenant id
	// Name is what commands call it: lower-case letters, digits, '.', '_', '-'.
	Name string `json:"name"`
	// Trunks are host names of SBCs. One that begins with "*." stands for every
	// host below it.
	Trunks []string `json:"trunks,omitempty"`
	// Plans are dial plans by the trunk that they hold for, as Trunks has it; that
	// of "" holds for all others.
	Plans map[string]Plan `json:"plans,omitempty"`
	// Keep is how long rows are kept; zero is as the server is told for all.
	Keep Period `json:"keep,omitzero"`
}

const prefix = "tenant/"

// What a Directory knows may be this old. Before it says that there is no such
// tenant it looks again, so that one which a command has just added is there
// for the next request.
const (
	fresh      = time.Second
	freshTrunk = 100 * time.Millisecond // calls of unknown trunks may be many
)

// A Directory finds tenants. It may be used by many goroutines.
type Directory struct {
	store call.Store
	now   func() time.Time

	mu     sync.Mutex
	read   time.Time
	all    []Tenant // sorted by name
	byName map[string]int
	byID   map[call.GUID]int
	hosts  map[string]call.GUID // exact trunks, lower case
	below  map[string]call.GUID // ".customers.carrier.com" of "*.customers.carrier.com"
}

// Open reads the directory from the store.
func Open(ctx context.Context, store call.Store, now func() time.Time) (*Directory, error) {
	d := &Directory{store: store, now: now}
	if _, err := d.List(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// Changed says that the value of a name in the store's state was changed past
// d. The next look at the tenants is then a fresh one.
func (d *Directory) Changed(name string) {
	if !strings.HasPrefix(name, prefix) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read = time.Time{}
}

// List returns the tenants, sorted by name.
func (d *Directory) List(ctx context.Context) ([]Tenant, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.refresh(ctx, fresh); err != nil {
		return nil, err
	}
	return slices.Clone(d.all), nil
}

// Find returns the tenant with the given name or GUID, or call.ErrNotFound
// with a text that lists those there are.
func (d *Directory) Find(ctx context.Context, nameOrID string) (Tenant, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, age := range [...]time.Duration{fresh, 0} {
		if err := d.refresh(ctx, age); err != nil {
			return Tenant{}, err
		}
		if i, ok := d.byName[strings.ToLower(nameOrID)]; ok {
			return d.all[i], nil
		}
		if id, err := call.ParseGUID(nameOrID); err == nil {
			if i, ok := d.byID[id]; ok {
				return d.all[i], nil
			}
		}
	}
	return Tenant{}, fmt.Errorf("tenant %q: %w (%s)", nameOrID, call.ErrNotFound, d.known())
}

// known says in words which tenants there are.
func (d *Directory) known() string {
	if len(d.all) == 0 {
		return "there are none yet: add one with 'trunklog tenant add NAME --id GUID'"
	}
	var names []string
	for _, t := range d.all[:min(len(d.all), 20)] {
		names = append(names, t.Name)
	}
	if len(d.all) > 20 {
		names = append(names, "…")
	}
	return "known are " + strings.Join(names, ", ")
}

// ByTrunk returns the tenant that the given host name of an SBC belongs to.
// Of several that match, the most exact is taken.
func (d *Directory) ByTrunk(ctx context.Context, host string) (call.GUID, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, age := range [...]time.Duration{fresh, freshTrunk} {
		if err := d.refresh(ctx, age); err != nil && d.all == nil {
			return call.GUID{}, false
		}
		if id, ok := d.byTrunk(host); ok {
			return id, true
		}
	}
	return call.GUID{}, false
}

// Number writes a number as the dial plan of a trunk says; see [Plan.E164].
func (d *Directory) Number(ctx context.Context, trunk, number string) string {
	id, ok := d.ByTrunk(ctx, trunk)
	if !ok {
		return number
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	plans := d.all[d.byID[id]].Plans
	if len(plans) == 0 {
		return number
	}
	trunk = strings.ToLower(strings.TrimSuffix(trunk, "."))
	if p, ok := plans[trunk]; ok {
		return p.E164(number)
	}
	for i := range len(trunk) {
		if trunk[i] == '.' {
			if p, ok := plans["*"+trunk[i:]]; ok {
				return p.E164(number)
			}
		}
	}
	return plans[""].E164(number)
}

func (d *Directory) byTrunk(host string) (call.GUID, bool) {
	if id, ok := d.hosts[host]; ok {
		return id, true
	}
	for i := range len(host) {
		if host[i] == '.' {
			if id, ok := d.below[host[i:]]; ok {
				return id, true
			}
		}
	}
	return call.GUID{}, false
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// reserved are names that already mean something as the first part of a path
// of the server.
var reserved = []string{"common", "organizations", "consumers", "adfs", "dstsv2", "v1.0", "beta", "unassigned"}

// Add writes a new tenant. It is an error if its name, its id or one of its
// trunks is taken.
func (d *Directory) Add(ctx context.Context, t Tenant) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.refresh(ctx, 0); err != nil {
		return err
	}
	if err := d.check(&t); err != nil {
		return err
	}
	value, err := json.Marshal(t)
	if err != nil {
		return err
	}
	key := prefix + t.ID.String()
	d.read = time.Time{}
	_, err = d.store.Write(ctx, call.Batch{
		State: map[string][]byte{key: value},
		If:    map[string][]byte{key: nil},
	})
	return err
}

// check brings t into its normal form and says what is wrong with it.
func (d *Directory) check(t *Tenant) error {
	t.Name = strings.ToLower(t.Name)
	switch _, taken := d.byName[t.Name]; {
	case !nameForm.MatchString(t.Name):
		return fmt.Errorf("%w: tenant name %q: 1 to 63 of a-z, 0-9, '.', '_', '-' are possible", call.ErrInvalid, t.Name)
	case slices.Contains(reserved, t.Name):
		return fmt.Errorf("%w: tenant name %q is reserved", call.ErrInvalid, t.Name)
	case t.ID.IsZero():
		return fmt.Errorf("%w: tenant %s has no id: give its Entra tenant id with --id", call.ErrInvalid, t.Name)
	case taken:
		return fmt.Errorf("%w: there is a tenant %s already", call.ErrInvalid, t.Name)
	}
	if i, taken := d.byID[t.ID]; taken {
		return fmt.Errorf("%w: id %s belongs to tenant %s already", call.ErrInvalid, t.ID, d.all[i].Name)
	}
	for trunk := range t.Plans {
		if trunk != "" && !slices.ContainsFunc(t.Trunks, func(s string) bool { return strings.EqualFold(s, trunk) }) {
			return fmt.Errorf("%w: the dial plan is for %s, which is none of the tenant's trunks", call.ErrInvalid, trunk)
		}
	}
	for i, trunk := range t.Trunks {
		trunk = strings.ToLower(strings.TrimSuffix(trunk, "."))
		t.Trunks[i] = trunk
		if !trunkForm.MatchString(trunk) {
			return fmt.Errorf("%w: trunk %q: a host name such as sbc1.contoso.com or *.customers.carrier.com is needed", call.ErrInvalid, trunk)
		}
		owner, taken := d.hosts[trunk]
		if below, found := strings.CutPrefix(trunk, "*"); found {
			owner, taken = d.below[below]
		}
		if taken {
			return fmt.Errorf("%w: trunk %s belongs to tenant %s already", call.ErrInvalid, trunk, d.all[d.byID[owner]].Name)
		}
	}
	return nil
}

var trunkForm = regexp.MustCompile(`^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// refresh reads the tenants again if what is known has the given age.
func (d *Directory) refresh(ctx context.Context, age time.Duration) error {
	now := d.now()
	if !d.read.IsZero() && now.Sub(d.read) < age && now.Sub(d.read) >= 0 {
		return nil
	}
	values, err := d.store.State(ctx, prefix)
	if err != nil {
		return fmt.Errorf("reading the tenants: %w", err)
	}
	all := make([]Tenant, 0, len(values))
	for name, value := range values {
		var t Tenant
		if err := json.Unmarshal(value, &t); err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b Tenant) int { return cmp.Compare(a.Name, b.Name) })
	d.index(all)
	d.read = now
	return nil
}

func (d *Directory) index(all []Tenant) {
	d.all = all
	d.byName = make(map[string]int, len(all))
	d.byID = make(map[call.GUID]int, len(all))
	d.hosts = make(map[string]call.GUID)
	d.below = make(map[string]call.GUID)
	for i, t := range all {
		d.byName[t.Name] = i
		d.byID[t.ID] = i
		for _, trunk := range t.Trunks {
			if below, found := strings.CutPrefix(trunk, "*"); found {
				d.below[below] = t.ID
			} else {
				d.hosts[trunk] = t.ID
			}
		}
	}
}
