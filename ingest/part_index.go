package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
)

// partLimits are how many calls that are told of in parts may have no row yet: of
// one source, which is a client's, of one tenant, and in all. Parts of more are
// rejected.
type partLimits struct{ source, tenant, all int }

var defaultPartLimits = partLimits{source: 50_000, tenant: 200_000, all: 500_000}

// errManyParts is why a part of a new call is rejected.
var errManyParts = errors.New("too many calls are open")

// openParts knows the names in the state of all calls in parts that have no row,
// and when the first part of each came, so that nothing has to read them all to
// find those that are due. It is read from the store once.
type openParts struct {
	most  partLimits
	mu    sync.Mutex
	known bool
	calls map[string]openPart
	of    map[string]int // by source, and by tenant
}

type openPart struct {
	since  time.Time
	tenant string
}

// load reads what the store has, the first time.
func (o *openParts) load(ctx context.Context, store call.Store) error {
	o.mu.Lock()
	known := o.known
	o.mu.Unlock()
	if known {
		return nil
	}
	state, err := store.State(ctx, partPrefix)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.known {
		o.known, o.calls, o.of = true, make(map[string]openPart), make(map[string]int)
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

func (o *openParts) add(name string, value []byte) error {
	p, err := decodePart(value)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if _, ok := o.calls[name]; ok {
		return nil
	}
	c := openPart{p.since, p.row.Tenant.String()}
	o.calls[name] = c
	o.of[sourceOfPart(name)]++
	o.of[c.tenant]++
	return nil
}

// sourceOfPart returns what stands in front of a call's own name.
func sourceOfPart(name string) string { return name[:strings.LastIndexByte(name, '/')+1] }

// wrote takes note of what a batch has changed.
func (o *openParts) wrote(state map[string][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, value := range state {
		if !strings.HasPrefix(name, partPrefix) {
			continue
		}
		if value != nil {
			_ = o.add(name, value) // it was encoded just now
			continue
		}
		c, ok := o.calls[name]
		if !ok {
			continue
		}
		delete(o.calls, name)
		for _, of := range [...]string{sourceOfPart(name), c.tenant} {
			if o.of[of]--; o.of[of] <= 0 {
				delete(o.of, of)
			}
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

// room reports whether there may be so many calls more of a source and tenant.
func (o *openParts) room(source, tenant string, more int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.calls)+more <= o.most.all && o.of[source]+more <= o.most.source && o.of[tenant]+more <= o.most.tenant
}

// those returns the names of the calls for which ok is true.
func (o *openParts) those(ok func(name string, c openPart) bool) (names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, c := range o.calls {
		if ok(name, c) {
			names = append(names, name)
		}
	}
	return names
}
