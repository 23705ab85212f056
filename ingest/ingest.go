// Package ingest makes rows of events and writes them to a store.
//
// It gives each row its tenant and its id, finds the row that another source
// has already made of the same call, and writes rows, resume marks and links in
// one batch, so that what it has acknowledged is whole.
//
// It does not know which sources there are, how they read their inputs, or
// which engine keeps the rows.
package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A Config says what an [Ingest] works on.
type Config struct {
	Store call.Store
	// Tenant returns the tenant that owns the trunk with the given host name.
	// It is asked for sinks that are not bound to a tenant. If it is nil no
	// tenant is found.
	Tenant func(trunk string) (call.GUID, bool)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// An Ingest makes rows of events. All that writes rows to a store in one
// process must share one Ingest, or sinks may make two rows of one call.
type Ingest struct {
	store  call.Store
	tenant func(trunk string) (call.GUID, bool)
	now    func() time.Time
	links  linker
}

// New returns an Ingest. There is nothing to close.
func New(c Config) *Ingest {
	in := &Ingest{store: c.Store, tenant: c.Tenant, now: c.Now}
	if in.tenant == nil {
		in.tenant = func(string) (call.GUID, bool) { return call.Unassigned, false }
	}
	if in.now == nil {
		in.now = time.Now
	}
	in.links.tenants = make(map[call.GUID]*tenantLinks)
	return in
}

// Mark returns the resume mark of a source: the last one that was accepted
// with its events, or "" if there is none.
func (in *Ingest) Mark(ctx context.Context, source string) (string, error) {
	name := markName(source)
	state, err := in.store.State(ctx, name)
	if err != nil {
		return "", fmt.Errorf("mark of source %s: %w", source, err)
	}
	return string(state[name]), nil
}

func markName(source string) string { return "mark/" + source }

// Sink returns a sink for the events of the source with the given name. The
// name is part of the ids of rows whose source has none of its own, so it must
// stay the same for as long as the rows are kept. The events belong to the
// given tenant; if that is zero, to the tenant of each row's trunk; and if
// there is none, to [call.Unassigned].
func (in *Ingest) Sink(source string, tenant call.GUID) *Sink {
	return &Sink{in: in, source: source, tenant: tenant}
}

// A Sink implements [call.Sink]. All methods may be called from many
// goroutines at once.
type Sink struct {
	in     *Ingest
	source string
	tenant call.GUID

	mu     sync.Mutex
	totals Totals
}

var _ call.Sink = (*Sink)(nil)

// Totals count what became of the events of a sink. New, Changed and Same add
// up to the events that were kept.
type Totals struct {
	New     int64 // rows that were not there
	Changed int64 // rows that were there and learned something
	Same    int64 // rows that were there and learned nothing

	Linked     int64     // of the Changed and Same: found to be a row of another source
	Unassigned int64     // of all that were kept: belong to no tenant's trunk
	Rejected   int64     // events that Put could not keep; see [RejectedError]
	Last       time.Time // when Put succeeded last
}

// Totals returns what became of the events so far.
func (s *Sink) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals
}
