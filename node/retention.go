package node

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/tenant"
)

// trimChanges deletes the changes, and the notes of imports, that are older than keep. It looks
// every trimEvery until ctx is done.
func trimChanges(ctx context.Context, st call.Store, keep tenant.Period, now func() time.Time, log *slog.Logger) error {
	if keep.Forever() {
		return nil
	}
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		// The next look makes up for one that failed.
		before := keep.Before(now())
		err := errors.Join(st.TrimChanges(ctx, before), ingest.ForgetImports(ctx, st, before))
		if err != nil && ctx.Err() == nil {
			log.Error("forgetting old changes failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// trimEvery is the pause between two looks for rows, messages, changes or files that are too old.
const trimEvery = time.Hour

// trim deletes the rows that are older than their tenant's period, or than keep if the tenant has
// none. It looks every trimEvery until ctx is done.
func trim(ctx context.Context, in *ingest.Ingest, st call.Store, tenants *tenant.Directory, keep tenant.Period, now func() time.Time, log *slog.Logger) error {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		all, err := tenants.List(ctx)
		if err == nil {
			for _, t := range append(all, tenant.Tenant{Name: tenant.Unassigned}) {
				err = errors.Join(err, trimTenant(ctx, in, st, t, keep, now(), log))
			}
		}
		// The next look makes up for one that failed.
		if err != nil && ctx.Err() == nil {
			log.Error("deleting old rows failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func trimTenant(ctx context.Context, in *ingest.Ingest, st call.Store, t tenant.Tenant, keep tenant.Period, now time.Time, log *slog.Logger) error {
	if !t.Keep.IsZero() {
		keep = t.Keep
	}
	if keep.Forever() {
		return nil
	}
	n, err := in.Trim(ctx, st, t.ID, keep.Before(now))
	if n > 0 {
		log.Info("deleted old rows", "tenant", t.Name, "rows", n, "keep", keep.String())
	}
	return err
}

// trimMessages deletes the SIP messages that are older than keep, in whole days. It looks every
// trimEvery until ctx is done.
func trimMessages(ctx context.Context, st call.Store, keep tenant.Period, now func() time.Time, log *slog.Logger) error {
	if keep.Forever() {
		return nil
	}
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		// The next look makes up for one that failed.
		if err := st.TrimMessages(ctx, keep.Before(now())); err != nil && ctx.Err() == nil {
			log.Error("deleting old SIP messages failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// trimRejects deletes the rejects files that are too old. It looks every trimEvery until ctx is
// done.
func trimRejects(ctx context.Context, folder *os.Root, now func() time.Time, log *slog.Logger) error {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		switch n, err := datadir.DeleteRejects(folder, now()); {
		case err != nil:
			log.Error("deleting old rejects files failed", "err", err)
		case n > 0:
			log.Info("deleted old rejects files", "files", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
