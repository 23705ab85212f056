// Package tenant keeps the directory of tenants: their names, the trunks that identify their calls,
// and how long to keep their rows.
//
// The directory lives in the store's state under "tenant/". The package knows neither calls nor
// clients.
package tenant

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/trunklog/trunklog/call"
)

// A Tenant is one owner of calls.
type Tenant struct {
	ID call.GUID `json:"id"` // the Entra tenant id
	// Name is what commands call it: lower-case letters, digits, '.', '_', '-'.
	Name string `json:"name"`
	// Names are further names, such as those that it had before.
	Names []string `json:"names,omitempty"`
	// Trunks are host names of SBCs. One that begins with "*." stands for every host below it.
	Trunks []string `json:"trunks,omitempty"`
	// Plans are dial plans by trunk, named as in Trunks; that of "" holds for all others.
	Plans map[string]Plan `json:"plans,omitempty"`
	// Senders are, by a name that certificates bear, the trunks for which their owner speaks besides
	// those that it is: host names below Trunks, or as in Trunks.
	Senders map[string][]string `json:"senders,omitempty"`
	// Keep is how long to keep rows; zero means the server's default.
	Keep Period `json:"keep,omitzero"`
}

const prefix = "tenant/"

// The greatest age of a Directory's memory when a caller asks for something that it does not have.
// It sees a change at once if Changed reports it, and a change by another process after this time.
const (
	fresh      = time.Second
	freshTrunk = 100 * time.Millisecond // until then the calls of a new trunk have no tenant
)

// A Directory finds tenants. Many goroutines may use it. It answers from memory: however many
// callers ask, at most one of them reads the store now and then. The others wait for it only after
// Changed, and no longer than their contexts live: nothing is locked during a read or a write.
type Directory struct {
	store call.StateStore
	now   func() time.Time

	known atomic.Pointer[index]
	told  atomic.Int64 // counts calls of Changed, and additions

	reads   singleflight.Group // by told
	reading atomic.Bool        // because what is known is old
}

// An index is a snapshot of the tenants. It does not change.
type index struct {
	read   time.Time
	told   int64 // Directory.told before the read
	raw    map[string][]byte
	all    []Tenant // sorted by name
	byName map[string]int
	byID   map[call.GUID]int
	hosts  map[string]call.GUID // exact trunks, lower case
	below  map[string]call.GUID // ".customers.carrier.com" of "*.customers.carrier.com"

	senders map[string][]spoken // by a name of a certificate
}

// Open reads the directory from the store.
func Open(ctx context.Context, store call.StateStore, now func() time.Time) (*Directory, error) {
	d := &Directory{store: store, now: now}
	d.told.Add(1)
	d.known.Store(&index{})
	if _, err := d.List(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// Changed tells d that the value of a name in the store's state may have changed. The next look-up
// then reads the tenants again.
func (d *Directory) Changed(name string) {
	if strings.HasPrefix(name, prefix) {
		d.told.Add(1)
	}
}

// List returns the tenants, sorted by name.
func (d *Directory) List(ctx context.Context) ([]Tenant, error) {
	x, err := d.look(ctx, fresh)
	if err != nil {
		return nil, err
	}
	return slices.Clone(x.all), nil
}

// look returns what is known, and reads it again before if a change was told, or
// if it has the given age and no other caller is reading it already.
func (d *Directory) look(ctx context.Context, age time.Duration) (*index, error) {
	x, told := d.known.Load(), d.told.Load()
	if x.told == told {
		if !x.old(d.now(), age) || !d.reading.CompareAndSwap(false, true) {
			return x, nil
		}
		defer d.reading.Store(false)
	}
	// What was begun before a change was told may not show it: hence the key. One of
	// the callers may give up, and the others still want the answer.
	read := d.reads.DoChan(strconv.FormatInt(told, 10), func() (any, error) {
		return d.readAll(context.WithoutCancel(ctx), told)
	})
	select {
	case got := <-read:
		x, _ = got.Val.(*index)
		return x, got.Err
	case <-ctx.Done():
		return nil, fmt.Errorf("reading the tenants: %w", context.Cause(ctx))
	}
}

// old reports whether x has the given age, or the clock was set back.
func (x *index) old(now time.Time, age time.Duration) bool {
	since := now.Sub(x.read)
	return since >= age || since < 0
}

// Find returns the tenant with the given name or GUID, or call.ErrNotFound with a text that lists
// the existing ones.
func (d *Directory) Find(ctx context.Context, nameOrID string) (Tenant, error) {
	x := d.known.Load()
	if t, ok := x.find(nameOrID); ok && x.told == d.told.Load() {
		return t, nil
	}
	x, err := d.look(ctx, fresh)
	if err != nil {
		return Tenant{}, err
	}
	if t, ok := x.find(nameOrID); ok {
		return t, nil
	}
	return Tenant{}, &unknownError{nameOrID, x}
}

func (x *index) find(nameOrID string) (Tenant, bool) {
	if i, ok := x.byName[strings.ToLower(nameOrID)]; ok {
		return x.all[i], true
	}
	if id, err := call.ParseGUID(nameOrID); err == nil {
		if i, ok := x.byID[id]; ok {
			return x.all[i], true
		}
	}
	return Tenant{}, false
}

// An unknownError says that there is no such tenant, and which there are. It makes its text only on
// demand.
type unknownError struct {
	name string
	x    *index
}

func (e *unknownError) Error() string {
	return fmt.Sprintf("tenant %q: %v (%s)", e.name, call.ErrNotFound, e.x.known())
}

func (e *unknownError) Unwrap() error { return call.ErrNotFound }

// known describes the existing tenants.
func (x *index) known() string {
	if len(x.all) == 0 {
		return "there are none yet: add one with 'trunklog tenant add NAME --id GUID'"
	}
	var names []string
	for _, t := range x.all[:min(len(x.all), 20)] {
		names = append(names, t.Name)
	}
	if len(x.all) > 20 {
		names = append(names, "…")
	}
	return "known are " + strings.Join(names, ", ")
}

// ByTrunk returns the tenant of an SBC's host name. If several trunks match, the most exact one
// wins.
func (d *Directory) ByTrunk(ctx context.Context, host string) (call.GUID, bool) {
	_, id, ok := d.owner(ctx, hostOf(host))
	return id, ok
}

// hostOf returns a host name in the form of the index.
func hostOf(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// owner returns the tenant of a trunk, and the index that has it.
func (d *Directory) owner(ctx context.Context, host string) (*index, call.GUID, bool) {
	x := d.known.Load()
	if id, ok := x.byTrunk(host); ok && x.told == d.told.Load() {
		return x, id, true
	}
	if fresh, err := d.look(ctx, freshTrunk); err == nil {
		x = fresh // otherwise the old index still holds
	}
	id, ok := x.byTrunk(host)
	return x, id, ok
}

// Number rewrites a number by the dial plan of a trunk; see [Plan.E164].
func (d *Directory) Number(ctx context.Context, trunk, number string) string {
	trunk = hostOf(trunk)
	x, id, ok := d.owner(ctx, trunk)
	if !ok {
		return number
	}
	plans := x.all[x.byID[id]].Plans
	if len(plans) == 0 {
		return number
	}
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

func (x *index) byTrunk(host string) (call.GUID, bool) {
	if id, ok := x.hosts[host]; ok {
		return id, true
	}
	for i := range len(host) {
		if host[i] == '.' {
			if id, ok := x.below[host[i:]]; ok {
				return id, true
			}
		}
	}
	return call.GUID{}, false
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Unassigned names the tenant of rows whose trunk belongs to no tenant.
const Unassigned = "unassigned"

// reserved are names that have a meaning as the first part of a path of the server.
var reserved = []string{"common", "organizations", "consumers", "adfs", "dstsv2", "v1.0", "beta", Unassigned}

// Add writes a new tenant. The error wraps [call.ErrInvalid] if its name, its id or one of its
// trunks is taken.
func (d *Directory) Add(ctx context.Context, t Tenant) error {
	return d.change(ctx, t.ID, func(x *index) ([]byte, error) {
		if err := x.check(&t); err != nil {
			return nil, err
		}
		return json.Marshal(t)
	})
}

// check normalises t and returns what is wrong with it.
func (x *index) check(t *Tenant) error {
	t.Name = strings.ToLower(t.Name)
	for i, name := range t.Names {
		t.Names[i] = strings.ToLower(name)
	}
	for _, name := range append([]string{t.Name}, t.Names...) {
		if err := x.checkName(name); err != nil {
			return err
		}
	}
	if t.ID.IsZero() {
		return fmt.Errorf("%w: tenant %s has no id: give its Entra tenant id with --id", call.ErrInvalid, t.Name)
	}
	if i, taken := x.byID[t.ID]; taken {
		return fmt.Errorf("%w: id %s belongs to tenant %s already", call.ErrInvalid, t.ID, x.all[i].Name)
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
		owner, taken := x.hosts[trunk]
		if below, found := strings.CutPrefix(trunk, "*"); found {
			owner, taken = x.below[below]
		}
		if taken {
			return fmt.Errorf("%w: trunk %s belongs to tenant %s already", call.ErrInvalid, trunk, x.all[x.byID[owner]].Name)
		}
	}
	return t.checkSenders()
}

func isGUID(name string) bool {
	_, err := call.ParseGUID(name)
	return err == nil
}

// checkName returns what is wrong with a name of a new tenant.
func (x *index) checkName(name string) error {
	switch _, taken := x.byName[name]; {
	case !nameForm.MatchString(name):
		return fmt.Errorf("%w: tenant name %q: 1 to 63 of a-z, 0-9, '.', '_', '-' are possible", call.ErrInvalid, name)
	case isGUID(name):
		return fmt.Errorf("%w: tenant name %q: it could be another tenant's id", call.ErrInvalid, name)
	case slices.Contains(reserved, name):
		return fmt.Errorf("%w: tenant name %q is reserved", call.ErrInvalid, name)
	case taken:
		return fmt.Errorf("%w: there is a tenant %s already", call.ErrInvalid, name)
	}
	return nil
}

var trunkForm = regexp.MustCompile(`^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// readAll reads the tenants from the store, which has all changes of which told had
// counted.
func (d *Directory) readAll(ctx context.Context, told int64) (*index, error) {
	now := d.now()
	values, err := call.Values(ctx, d.store, prefix)
	if err != nil {
		return nil, fmt.Errorf("reading the tenants: %w", err)
	}
	if last := d.known.Load(); maps.EqualFunc(values, last.raw, bytes.Equal) {
		same := *last
		same.told, same.read = told, now
		d.know(&same)
		return &same, nil
	}
	all := make([]Tenant, 0, len(values))
	for name, value := range values {
		var t Tenant
		if err := json.Unmarshal(value, &t); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b Tenant) int { return cmp.Compare(a.Name, b.Name) })
	x := newIndex(all)
	x.told, x.read, x.raw = told, now, values
	d.know(x)
	return x, nil
}

// know keeps x, unless what is known has changes that x does not have.
func (d *Directory) know(x *index) {
	for last := d.known.Load(); last.told <= x.told && !d.known.CompareAndSwap(last, x); {
		last = d.known.Load()
	}
}

func newIndex(all []Tenant) *index {
	x := &index{
		all:    all,
		byName: make(map[string]int, len(all)),
		byID:   make(map[call.GUID]int, len(all)),
		hosts:  make(map[string]call.GUID),
		below:  make(map[string]call.GUID),

		senders: make(map[string][]spoken),
	}
	for i, t := range all {
		x.byName[t.Name] = i
		for _, name := range t.Names {
			x.byName[name] = i
		}
		x.byID[t.ID] = i
		for _, trunk := range t.Trunks {
			if below, found := strings.CutPrefix(trunk, "*"); found {
				x.below[below] = t.ID
			} else {
				x.hosts[trunk] = t.ID
			}
		}
		for name, trunks := range t.Senders {
			for _, trunk := range trunks {
				x.senders[name] = append(x.senders[name], spoken{trunk, t.ID})
			}
		}
	}
	return x
}
