package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/gen"
	"github.com/trunklog/trunklog/tenant"
)

// The demo is a tenant with a client and calls of the last four weeks. Its
// client's secret lies in a file, so that the line that is printed works when
// it is pasted; real clients' secrets are shown once and kept nowhere.
const (
	demoRows = 20_000
	demoDays = 28
)

var demoTenant = tenant.Tenant{
	ID:     call.GUID{0xc0, 0x7e, 0x50, 0x00, 0x0d, 0xe0, 0x40, 0x00, 0x80, 0x00, 0xde, 0x70, 0x00, 0x00, 0x00, 0x01},
	Name:   "contoso",
	Trunks: []string{"*.contoso.com"},
}

func demoClientPath(data string) string { return filepath.Join(data, demoClientName) }
func demoSecretPath(data string) string { return filepath.Join(data, demoSecretName) }

const (
	demoClientName = "demo-client"
	demoSecretName = "demo-secret" //nolint:gosec // the name of a file
)

// prepareDemo fills a store that has no tenant yet. It leaves any other alone.
func (p *program) prepareDemo(ctx context.Context, folder *os.Root, st call.Store, tenants *tenant.Directory, authority *auth.Authority) error {
	if all, err := tenants.List(ctx); err != nil || len(all) > 0 {
		return err
	}
	if err := tenants.Add(ctx, demoTenant); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	client, secret, err := authority.CreateClient(ctx, demoTenant.ID.String(), "reporter", auth.ClientOptions{})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	err = errors.Join(
		writeNewIn(folder, demoClientName, []byte(client.ID)),
		writeNewIn(folder, demoSecretName, []byte(secret.Reveal())),
		p.demoCalls(ctx, st),
	)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

// demoCalls writes calls up to the present.
func (p *program) demoCalls(ctx context.Context, st call.Store) error {
	to := p.now().UTC().Truncate(time.Second)
	var rows []call.Row
	write := func() error {
		_, err := st.Write(ctx, call.Batch{Rows: rows})
		rows = rows[:0]
		return err
	}
	for r := range gen.Rows(gen.Config{Rows: demoRows, Seed: 1, From: to.AddDate(0, 0, -demoDays), To: to, Tenant: demoTenant.ID}) {
		if rows = append(rows, r.Clone()); len(rows) == importBatch {
			if err := write(); err != nil {
				return err
			}
		}
	}
	return write()
}
