package ingest

import (
	"context"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// The store has nothing of most calls that are imported, and nothing else of their time. Then no
// row needs to be looked up for them one by one. The store knows from its counts how many rows
// stand in a span of time, so one question is enough for thousands of rows.

// A sought is a row of the batch, by its place, and the span of time of the rows that may be the
// same call.
type sought struct {
	row      int
	from, to time.Time
}

// findVacant notes the rows of the batch for whose span the store has no row.
func (p *pass) findVacant(ctx context.Context) error {
	all := make(map[call.GUID][]sought)
	for i := range p.b.Rows {
		if r := &p.b.Rows[i]; p.in.links.wants(r) {
			from, to := p.around(r)
			all[r.Tenant] = append(all[r.Tenant], sought{i, from, to})
		}
	}
	for tenant, some := range all {
		if len(some) < fewSought {
			continue
		}
		if _, err := p.before(ctx, tenant); err != nil {
			return err
		}
		slices.SortFunc(some, func(x, y sought) int { return x.from.Compare(y.from) })
		if err := p.splitVacant(ctx, tenant, some); err != nil {
			return err
		}
	}
	return nil
}

// fewSought is the number of rows from which on counting costs less than to look each up.
const fewSought = 64

// splitVacant counts the store's rows in the whole time of some rows, and then in that of each
// half, as long as the time is neither empty nor full.
func (p *pass) splitVacant(ctx context.Context, tenant call.GUID, some []sought) error {
	if len(some) < fewSought {
		return nil
	}
	to := some[0].to
	for _, s := range some {
		if s.to.After(to) {
			to = s.to
		}
	}
	n, err := p.in.store.Count(ctx, call.Query{Tenant: tenant, From: some[0].from, To: to})
	switch {
	case err != nil:
		return err
	case n == 0:
		for _, s := range some {
			p.vacant[s.row] = true
		}
		return nil
	case n >= int64(len(some)):
		return nil
	}
	half := len(some) / 2
	if err := p.splitVacant(ctx, tenant, some[:half]); err != nil {
		return err
	}
	return p.splitVacant(ctx, tenant, some[half:])
}
