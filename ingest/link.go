package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Linking makes one row of what several sources say of one call. Graph, and SIP on the leg that
// faces Microsoft, know the id that Microsoft has given to the call. Other sources do not, and
// their rows get ids of their own. So when a row arrives, the pass looks up the rows that share its
// correlation id, and if one of them is the same call (see [sameCall]), the row takes that one's
// id. The first row of a call decides on the id, which never changes; but hearsay decides on none,
// see rename.go.
//
// Most tenants have no rows with ids of their own, and then there is nothing to look up. The store
// has what must be remembered:
//
//	link/TENANT             the tenant has, or had, rows to be linked. The value is the
//	                        day of the first link, or "none"
//	linked/TENANT/DAY/ROW   which rows became part of ROW, which started on DAY when the
//	                        first did: 17 bytes each, the kind of source, byHearsay, and the id
//
// The id under which a row came is an alias of the row that it became part of, so that a reader who
// asks for it finds that row; an id of hearsay is none, see hearsay.go.
//
// Without linked/, a leg of a call that the log does not have yet would look like one that it has:
// both share everything with the row but their id.
//
// The pass looks for records of an SBC without a correlation id by what the call was, see loose.go.
// The store also notes that a tenant has, or had, such records:
//
//	loose/TENANT            the tenant has such records, "beside" others that they could be
//	                        one with, or else of this kind alone
//
// Within a process two Puts of the same call wait for each other. Between several, the store
// refuses a batch whose look-ups are out of date, see [call.Condition], and write links it once
// more. The server links what a command writes beside it, see [Ingest.Write].
const (
	linkPrefix   = "link/"
	linkedPrefix = "linked/"
	loosePrefix  = "loose/"
	beside       = "beside"
	noDay        = "none"
)

func linkName(tenant call.GUID) string { return linkPrefix + tenant.String() }

func looseName(tenant call.GUID) string { return loosePrefix + tenant.String() }

func dayName(tenant call.GUID, day string) string {
	return linkedPrefix + tenant.String() + "/" + day + "/"
}

func linkedName(r *call.Row) string { return dayName(r.Tenant, dayOf(r.Start)) + r.ID.String() }

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// A linker holds the state that all sinks share while they link.
type linker struct {
	// gate is held for reading while rows are looked up and written, and for writing when a tenant
	// gets its first row to be linked: a Put that began before would not look for it.
	gate sync.RWMutex
	// crowded counts rows that were not linked because too many share their correlation id, or
	// their time.
	crowded atomic.Int64
	// ambiguous counts rows that were not linked because each of two others may be the same call.
	ambiguous atomic.Int64

	mu      sync.Mutex
	tenants map[call.GUID]*tenantLinks
	calls   map[call.GUID]*stripes
}

// Stripes keep two Puts of one call apart. Each tenant has its own, so that no Put waits for
// another tenant's.
type stripes [2 * stripeCount]sync.Mutex

// Half of the stripes are for correlation ids, half for numbers.
const stripeCount = 64

// A tenantLinks value holds what link/TENANT and loose/TENANT say.
type tenantLinks struct {
	value []byte    // of link/TENANT; nil: the store has no such name
	loose string    // of loose/TENANT
	read  time.Time // when they were read
	stale bool      // they must be read again
}

// recheck is how long a process may overlook that another one has written a tenant's first row to
// be linked.
const recheck = 10 * time.Second

// get returns what is known of a tenant, if anything is.
func (l *linker) get(tenant call.GUID) (t tenantLinks, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.tenants[tenant]
	if p == nil {
		return t, false
	}
	return *p, true
}

// set notes what is known of a tenant. Once a tenant has rows to be linked, set keeps
// that: a caller that has read the store earlier may call set later.
func (l *linker) set(tenant call.GUID, t tenantLinks) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.tenants[tenant]; p != nil {
		if t.loose == "" || p.loose == beside {
			t.loose = p.loose
		}
		if t.value == nil {
			t.value = p.value
		}
	}
	l.tenants[tenant] = &t
}

// reread makes tenantLinks read everything again.
func (l *linker) reread() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.tenants {
		t.stale = true
	}
}

// hasOwnID reports whether r may have another id than Microsoft's.
func hasOwnID(r *call.Row) bool {
	return !r.Seen.Has(call.Graph) && !r.Seen.Has(call.SIP)
}

// linkable reports whether r has a correlation id, by which other rows of its call can be found.
func linkable(r *call.Row) bool { return !r.CorrelationID.IsZero() }

// writeOnce links and writes b.
func (in *Ingest) writeOnce(ctx context.Context, b call.Batch) (res call.Result, linked int, err error) {
	if err := in.begin(ctx, b.Rows); err != nil {
		return res, 0, err
	}
	l := &in.links
	l.gate.RLock()
	defer l.gate.RUnlock()
	b = l.unlinked(b)
	if !slices.ContainsFunc(b.Rows, func(r call.Row) bool { return l.wants(&r) || l.wantsLoose(&r) }) {
		res, err = in.store.Write(ctx, b)
		return res, 0, err
	}
	unlock := l.lock(b.Rows)
	defer unlock()
	p, err := in.linkAll(ctx, b)
	if err != nil {
		return res, 0, err
	}
	if res, err = in.store.Write(ctx, p.b); err != nil {
		return res, 0, err
	}
	for tenant, value := range p.since {
		l.set(tenant, tenantLinks{value: value, read: in.now()})
	}
	l.ambiguous.Add(p.ambiguous)
	return res, p.linked, nil
}

// linkAll links b, and again after each time that rows had to be renamed for it.
func (in *Ingest) linkAll(ctx context.Context, b call.Batch) (*pass, error) {
	const tries = 10
	for range tries {
		p := newPass(in, b)
		err := p.link(ctx)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, errRenamed) {
			return nil, err
		}
		if err := p.renameAll(ctx, &b); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("link %d rows: rows of hearsay were renamed %d times: %w", len(b.Rows), tries, call.ErrConflict)
}

// begin finds out of each tenant whether it has rows to be linked, and notes in the store those
// that get their first one with rows.
func (in *Ingest) begin(ctx context.Context, rows []call.Row) error {
	type group struct {
		tenant              call.GUID
		linkable, own, firm bool
		loose               string
	}
	asked := make(map[group]*call.Row)
	for i := range rows {
		r := &rows[i]
		g := group{r.Tenant, linkable(r), linkable(r) && hasOwnID(r), firm(r), looseKind(r)}
		if (g.linkable || g.firm || g.loose != "") && asked[g] == nil {
			asked[g] = r
		}
	}
	// Loose rows go before firm ones, which then turn the note of the loose rows into beside.
	for _, g := range slices.SortedFunc(maps.Keys(asked), func(a, b group) int { return btoi(a.firm) - btoi(b.firm) }) {
		r := asked[g]
		t, err := in.tenantLinks(ctx, g.tenant)
		if err != nil {
			return err
		}
		if g.own && t.value == nil || t.loose != beside && (g.loose != t.loose && g.loose != "" || g.firm && t.loose != "") {
			if err := in.beginLinking(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// tenantLinks returns what the store notes of a tenant, from memory if that is recent enough.
func (in *Ingest) tenantLinks(ctx context.Context, tenant call.GUID) (tenantLinks, error) {
	t, ok := in.links.get(tenant)
	if ok && !t.stale && (t.value != nil && t.loose == beside || in.now().Sub(t.read) < recheck) {
		return t, nil
	}
	value, err := call.Value(ctx, in.store, linkName(tenant))
	if err != nil {
		return t, err
	}
	loose, err := call.Value(ctx, in.store, looseName(tenant))
	if err != nil {
		return t, err
	}
	t = tenantLinks{value: value, loose: string(loose), read: in.now()}
	in.links.set(tenant, t)
	return t, nil
}

// beginLinking notes that a tenant gets a row like r, which may be its first.
func (in *Ingest) beginLinking(ctx context.Context, r *call.Row) error {
	in.links.gate.Lock()
	defer in.links.gate.Unlock()
	t, _ := in.links.get(r.Tenant)
	b := call.Batch{State: map[string][]byte{}, If: map[string][]byte{}}
	if t.value == nil {
		t.value = []byte(noDay)
		b.State[linkName(r.Tenant)], b.If[linkName(r.Tenant)] = t.value, nil
	}
	was := t.loose
	switch {
	case loose(r) && was == "":
		t.loose = looseKind(r)
		for _, err := range in.store.Rows(ctx, call.Query{Tenant: r.Tenant, Limit: 1}) {
			if err != nil {
				return err
			}
			t.loose = beside
		}
	case was != "" && (firm(r) || loose(r) && looseKind(r) != was):
		t.loose = beside
	}
	if t.loose != was {
		name := looseName(r.Tenant)
		if b.State[name], b.If[name] = []byte(t.loose), nil; was != "" {
			b.If[name] = []byte(was)
		}
	}
	if len(b.State) == 0 {
		return nil // another Put was faster
	}
	if _, err := in.store.Write(ctx, b); err != nil {
		return err
	}
	t.read = in.now()
	in.links.set(r.Tenant, t)
	return nil
}

// wants reports whether the pass looks up other rows for r by its correlation id.
func (l *linker) wants(r *call.Row) bool {
	if !linkable(r) {
		return false
	}
	t, _ := l.get(r.Tenant)
	return t.value != nil
}

// wantsLoose reports whether the pass looks up other rows for r by what the call was.
func (l *linker) wantsLoose(r *call.Row) bool {
	if !loose(r) && !firm(r) {
		return false
	}
	t, _ := l.get(r.Tenant)
	return t.loose == beside
}

// unlinked returns b with the condition that the tenants that seem to have no rows to be linked
// still have none, because the pass looks up nothing for them.
func (l *linker) unlinked(b call.Batch) call.Batch {
	var still map[string][]byte
	relyOn := func(name string, value []byte) {
		if still == nil {
			still = make(map[string][]byte)
			maps.Copy(still, b.If)
		}
		still[name] = value
	}
	type question struct {
		tenant         call.GUID
		linkable, firm bool
		loose          string
	}
	var last question
	for i := range b.Rows {
		r := &b.Rows[i]
		q := question{r.Tenant, linkable(r), firm(r), looseKind(r)}
		if q == last {
			continue
		}
		last = q
		t, _ := l.get(q.tenant)
		if q.linkable && t.value == nil {
			relyOn(linkName(q.tenant), nil)
		}
		switch {
		case q.firm && t.loose == "":
			relyOn(looseName(q.tenant), nil)
		case q.loose != "" && t.loose == q.loose:
			relyOn(looseName(q.tenant), []byte(q.loose))
		}
	}
	if still != nil {
		b.If = still
	}
	return b
}

// lock locks the stripes of the given rows' calls, and returns the function that unlocks them.
func (l *linker) lock(rows []call.Row) (unlock func()) {
	wanted := make(map[call.GUID]*[2]uint64)
	want := func(tenant call.GUID, half, stripe int) {
		if wanted[tenant] == nil {
			wanted[tenant] = new([2]uint64)
		}
		wanted[tenant][half] |= 1 << stripe
	}
	for i := range rows {
		r := &rows[i]
		if linkable(r) {
			want(r.Tenant, 0, int(r.CorrelationID[15]%stripeCount))
		}
		if l.wantsLoose(r) {
			keys := slices.Collect(numberKeys(r))
			for key := range stripeCount {
				if len(keys) == 0 { // a short number may be the end of any other
					want(r.Tenant, 1, key)
				}
			}
			for _, key := range keys {
				want(r.Tenant, 1, key%stripeCount)
			}
		}
	}
	var locked []*sync.Mutex
	tenants := slices.SortedFunc(maps.Keys(wanted), func(a, b call.GUID) int { return bytes.Compare(a[:], b[:]) })
	for _, tenant := range tenants {
		calls := l.callsOf(tenant)
		for i := range calls {
			if wanted[tenant][i/stripeCount]>>(i%stripeCount)&1 != 0 {
				calls[i].Lock()
				locked = append(locked, &calls[i])
			}
		}
	}
	return func() {
		for _, m := range locked {
			m.Unlock()
		}
	}
}

func (l *linker) callsOf(tenant call.GUID) *stripes {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[tenant] == nil {
		l.calls[tenant] = new(stripes)
	}
	return l.calls[tenant]
}
