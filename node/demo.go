package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/gen"
	"github.com/trunklog/trunklog/tenant"
)

// The demo is a tenant with a client and calls of the last four weeks. A file holds its client's
// secret, so that the command line that the program prints works when the user pastes it. The
// server shows the secret of a real client once and does not keep it.
const (
	demoRows  = 20_000
	demoDays  = 28
	demoBatch = 5000 // rows in one write
)

var demoTenant = tenant.Tenant{
	ID:     call.GUID{0xc0, 0x7e, 0x50, 0x00, 0x0d, 0xe0, 0x40, 0x00, 0x80, 0x00, 0xde, 0x70, 0x00, 0x00, 0x00, 0x01},
	Name:   "contoso",
	Trunks: []string{"*.contoso.com"},
}

// DemoClient and DemoSecret are the files with the demo's client and its secret.
func DemoClient(data string) string { return filepath.Join(data, demoClientName) }

// DemoSecret is described with [DemoClient].
func DemoSecret(data string) string { return filepath.Join(data, demoSecretName) }

const (
	demoClientName = "demo-client"
	demoSecretName = "demo-secret" //nolint:gosec // the name of a file
)

// prepareDemo fills a store that has no tenant yet. To a store that it has filled earlier it adds
// the calls of the days since. It leaves any other store alone.
func prepareDemo(ctx context.Context, folder *os.Root, st call.Store, tenants *tenant.Directory, authority *auth.Authority, now func() time.Time) error {
	all, err := tenants.List(ctx)
	switch {
	case err != nil:
		return err
	case len(all) == 1 && all[0].ID == demoTenant.ID:
		return demoCalls(ctx, st, now())
	case len(all) > 0:
		return nil
	}
	if err := tenants.Add(ctx, demoTenant); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	client, secret, err := authority.CreateClient(ctx, demoTenant.ID.String(), "reporter", auth.ClientOptions{})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	err = errors.Join(
		datadir.WriteNewIn(folder, demoClientName, []byte(client.ID)),
		datadir.WriteNewIn(folder, demoSecretName, []byte(secret.Reveal())),
		demoCalls(ctx, st, now()),
	)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

// demoCalls writes the calls of the last four weeks, up to the present. If the store has calls, it
// adds those after the last one, once that is a day old.
func demoCalls(ctx context.Context, st call.Store, now time.Time) error {
	to := now.UTC().Truncate(time.Second)
	c := gen.Config{Rows: demoRows, Seed: 1, From: to.AddDate(0, 0, -demoDays), To: to, Tenant: demoTenant.ID}
	for r, err := range st.Rows(ctx, call.Query{Tenant: c.Tenant, Reverse: true, Limit: 1}) {
		if err != nil {
			return err
		}
		gap := min(to.Sub(r.Start), to.Sub(c.From))
		if gap < 24*time.Hour {
			return nil
		}
		c.From, c.Rows = to.Add(-gap), int(demoRows*gap.Hours()/(demoDays*24))
		c.Seed = uint64(to.Unix()) //nolint:gosec // after 1970. Of the same seed come the same ids
	}
	var rows []call.Row
	write := func() error {
		_, err := st.Write(ctx, call.Batch{Rows: rows})
		rows = rows[:0]
		return err
	}
	for r := range gen.Rows(c) {
		if rows = append(rows, r.Clone()); len(rows) == demoBatch {
			if err := write(); err != nil {
				return err
			}
		}
	}
	return write()
}
