package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unique"

	"github.com/trunklog/trunklog/call"
)

// partLimits are how many calls in parts may be without a row: of one source, which is one
// client's, of one tenant, and in all. A tenant with few may always have those. Parts of further
// calls are rejected.
type partLimits struct{ source, tenant, all, few int }

var defaultPartLimits = partLimits{source: 50_000, tenant: 200_000, all: 500_000, few: 1_000}

// errManyParts is why a part of a new call is rejected.
var errManyParts = errors.New("too many calls are open")

func (l partLimits) err() error {
	return fmt.Errorf("%w: of those that are told of in parts and have no row yet, %d of a client and %d of a tenant are kept; send the last part of some, or whole records", errManyParts, l.source, l.tenant)
}

// openParts holds the names in the state of all calls in parts without a row, with the time of the
// first part and the trunk, so that finding those that are due or over does not read them all. It
// reads the store once.
type openParts struct {
	most   partLimits
	mu     sync.Mutex
	known  bool
	first  bool // the state has folds of rows under names of the first release
	calls  map[string]openPart
	of     map[string]int         // number of calls, by tenant
	source map[string]sourceParts // by the part of their names in front of the call's own
}

type openPart struct {
	since         time.Time
	tenant, trunk string // the trunk in lower case
}

// sourceParts are the names of the calls of one source: all, and by trunk.
type sourceParts struct {
	all   map[string]struct{}
	trunk map[string]map[string]struct{}
}

// load reads the store, unless it has done so.
func (o *openParts) load(ctx context.Context, store call.StateReader) error {
	o.mu.Lock()
	known := o.known
	o.mu.Unlock()
	if known {
		return nil
	}
	state, err := call.Values(ctx, store, partPrefix)
	if err != nil {
		return err
	}
	first := false
	for v, err := range store.State(ctx, toldPrefix) {
		if err != nil {
			return err
		}
		if first = isFirst(v.Name); first {
			break
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.known {
		o.known, o.first, o.calls, o.of, o.source = true, first, make(map[string]openPart), make(map[string]int), make(map[string]sourceParts)
	}
	for name, value := range state {
		if _, ok := o.calls[name]; !ok {
			if err := o.add(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// add notes a call, or what its new value says.
func (o *openParts) add(name string, value []byte) error {
	p, err := decodePart(value)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	c := openPart{p.since, p.row.Tenant.String(), unique.Make(strings.ToLower(p.row.Trunk)).Value()}
	if old, ok := o.calls[name]; ok {
		if old == c {
			return nil
		}
		o.remove(name, old)
	}
	o.calls[name] = c
	o.of[c.tenant]++
	of, ok := o.source[sourceOfPart(name)]
	if !ok {
		of = sourceParts{make(map[string]struct{}), make(map[string]map[string]struct{})}
		o.source[sourceOfPart(name)] = of
	}
	of.all[name] = struct{}{}
	if of.trunk[c.trunk] == nil {
		of.trunk[c.trunk] = make(map[string]struct{})
	}
	of.trunk[c.trunk][name] = struct{}{}
	return nil
}

func (o *openParts) remove(name string, c openPart) {
	delete(o.calls, name)
	if o.of[c.tenant]--; o.of[c.tenant] == 0 {
		delete(o.of, c.tenant)
	}
	of := o.source[sourceOfPart(name)]
	delete(of.all, name)
	if delete(of.trunk[c.trunk], name); len(of.trunk[c.trunk]) == 0 {
		delete(of.trunk, c.trunk)
	}
	if len(of.all) == 0 {
		delete(o.source, sourceOfPart(name))
	}
}

// sourceOfPart returns the part of a call's name that names the source.
func sourceOfPart(name string) string { return name[:strings.LastIndexByte(name, '/')+1] }

// wrote notes what a batch has changed in the state.
func (o *openParts) wrote(state map[string][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, value := range state {
		if !strings.HasPrefix(name, partPrefix) {
			continue
		}
		if value != nil {
			_ = o.add(name, value) // no error: it was just encoded
			continue
		}
		if c, ok := o.calls[name]; ok {
			o.remove(name, c)
		}
	}
}

// has reports whether a name is that of a call without a row.
func (o *openParts) has(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.calls[name]
	return ok
}

// room reports whether so many more calls of a source and a tenant may be open.
func (o *openParts) room(source, tenant string, more int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	of := o.of[tenant] + more
	return len(o.source[source].all)+more <= o.most.source && of <= o.most.tenant &&
		(len(o.calls)+more <= o.most.all || of <= o.most.few)
}

// due returns the names of the calls whose first part came at the given time or before.
func (o *openParts) due(until time.Time) (names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, c := range o.calls {
		if !c.since.After(until) {
			names = append(names, name)
		}
	}
	return names
}

// on returns the names of a source's calls on a trunk, or of all its calls if trunk is empty.
func (o *openParts) on(source, trunk string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	of := o.source[source]
	if trunk == "" {
		return slices.Collect(maps.Keys(of.all))
	}
	return slices.Collect(maps.Keys(of.trunk[trunk]))
}
