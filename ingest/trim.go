package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Trim deletes the tenant's rows that started before t, with the links between them, and returns
// how many rows those were. store is the one whose log the Ingest works on; a log alone cannot
// delete rows. The links of the day of t stay until a later Trim. A link that is made meanwhile may
// stay for good, and does no harm.
func (in *Ingest) Trim(ctx context.Context, store call.Store, tenant call.GUID, t time.Time) (int64, error) {
	n, err := store.Trim(ctx, tenant, t)
	if err != nil {
		return n, err
	}
	if err := in.trimLinks(ctx, tenant, t); err != nil {
		return n, fmt.Errorf("forget the links of rows that were deleted: %w", err)
	}
	return n, nil
}

func (in *Ingest) trimLinks(ctx context.Context, tenant call.GUID, t time.Time) error {
	name := linkName(tenant)
	begun, err := call.Value(ctx, in.store, name)
	if err != nil || begun == nil || string(begun) == noDay {
		return err
	}
	first, err := time.Parse(time.DateOnly, string(begun))
	if err != nil {
		return fmt.Errorf("state %s: %w", name, err)
	}
	last := t.UTC().Truncate(24 * time.Hour)
	for day := first; day.Before(last); day = day.AddDate(0, 0, 1) {
		next := []byte(dayOf(day.AddDate(0, 0, 1)))
		links, err := call.Values(ctx, in.store, dayName(tenant, dayOf(day)))
		if err != nil {
			return err
		}
		for linked := range links {
			links[linked] = nil
		}
		if len(links) == 0 && day.AddDate(0, 0, 1).Before(last) {
			continue
		}
		links[name] = next
		_, err = in.store.Write(ctx, call.Batch{State: links, If: map[string][]byte{name: begun}})
		if errors.Is(err, call.ErrConflict) {
			return nil // another process trims the links; the next Trim goes on
		}
		if err != nil {
			return err
		}
		begun = next
		in.links.set(tenant, tenantLinks{value: next, read: in.now()})
	}
	return nil
}
