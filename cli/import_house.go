package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/format"
	"github.com/trunklog/trunklog/source"
	"github.com/trunklog/trunklog/store"
	"github.com/trunklog/trunklog/tenant"
)

// house opens the house of an import. For a dry run without a data folder it makes a temporary one,
// so that an operator can try the program or a map before there is a tenant.
func (in *importer) house(ctx context.Context, cmd *cobra.Command) (*house, error) {
	h, err := in.enterWith(ctx, cmd, store.Options{Existing: true, Upgrade: in.upgrading().Report(ctx), Bulk: true})
	var none *datadir.NoneError
	if !in.dryRun || !errors.As(err, &none) {
		return h, err
	}
	fmt.Fprintf(in.stderr, "%s; the dry run goes on without\n", err)
	dir, err := os.MkdirTemp("", "trunklog-dry-run-")
	if err != nil {
		return nil, err
	}
	h = &house{dir: dir, scratch: true}
	if h.folder, err = datadir.Open(dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if h.store, _, err = in.openStore(ctx, dir, "", store.Options{}); err != nil {
		return nil, errors.Join(err, h.folder.Close(), os.RemoveAll(dir))
	}
	if h.tenants, err = tenant.Open(ctx, h.store, in.now); err != nil {
		h.close(&err)
		return nil, err
	}
	return h, nil
}

// owner returns the id of the named tenant, zero if none is named. A dry run with an unknown tenant
// goes on without one.
func (in *importer) owner(ctx context.Context, h *house) (call.GUID, error) {
	if in.tenant == "" {
		return call.GUID{}, nil
	}
	t, err := h.tenant(ctx, in.tenant)
	if in.dryRun && errors.Is(err, call.ErrNotFound) {
		fmt.Fprintf(in.stderr, "%s; the dry run goes on without\n", call.Words(err))
		return call.GUID{}, nil
	}
	return t.ID, err
}

// A keeping knows how long the server keeps the rows of each tenant, and counts the rows that are
// older: the import writes them, and the server deletes them at its next trim.
type keeping struct {
	tenants *tenant.Directory
	owner   call.GUID // owner of all rows; zero if their trunks tell it
	since   map[call.GUID]time.Time
	n       int64
}

// newKeeping returns the periods of all tenants. The period for tenants without one is that of the
// server only if keep is set for all commands.
func (in *importer) newKeeping(ctx context.Context, h *house, owner call.GUID) (*keeping, error) {
	forAll, err := tenant.ParsePeriod(in.keep)
	if err != nil {
		return nil, usage("--keep: %w", err)
	}
	all, err := h.tenants.List(ctx)
	if err != nil {
		return nil, err
	}
	k := &keeping{tenants: h.tenants, owner: owner, since: map[call.GUID]time.Time{}}
	for _, t := range append(all, tenant.Tenant{}) {
		if t.Keep.IsZero() {
			t.Keep = forAll
		}
		k.since[t.ID] = t.Keep.Before(in.now())
	}
	return k, nil
}

// see counts the rows that are older than their period.
func (k *keeping) see(ctx context.Context, events []call.Event) {
	for i := range events {
		e := &events[i]
		if e.Kind == call.MessageEvent || e.Row.Start.IsZero() {
			continue
		}
		owner := k.owner
		if owner.IsZero() {
			owner, _ = k.tenants.ByTrunk(ctx, e.Row.Trunk)
		}
		if e.Row.Start.Before(k.since[owner]) {
			k.n++
		}
	}
}

// knownFormat returns an error if there is no format of the name. The name may be that of a file in
// front of which the operator has left the format out.
func knownFormat(name string) error {
	names := importFormats()
	if slices.Contains(names, name) {
		return nil
	}
	hint := suggestion(name, names)
	if _, err := os.Stat(name); err == nil {
		hint = ", which is a file: its format comes first"
	}
	return usage("unknown format %q%s: %s are possible", name, hint, list(names))
}

// importFormats returns the values of FORMAT.
func importFormats() []string {
	return append(append(format.Names(), source.Recordings()...), autoFormat)
}
