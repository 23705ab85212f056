package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/store"
	"github.com/trunklog/trunklog/tenant"
)

// A house is the place in which a command works: the data folder, the store, and the tenants in it.
type house struct {
	dir     string   // the data folder
	folder  *os.Root // dir, opened: a file operation stays in this folder even if its name leads to another one by then
	store   opened
	node    *admin.Client // client of the running node that owns the store; nil if none runs
	tenants *tenant.Directory
	scratch bool // dir is for this command alone: close removes it
}

// An opened log is a store that this process has opened, or that of a running node.
type opened interface {
	call.Log
	Close() error
}

func (h *house) close(err *error) {
	*err = errors.Join(*err, h.store.Close(), h.folder.Close())
	if h.scratch {
		*err = errors.Join(*err, os.RemoveAll(h.dir))
	}
}

// enter opens the house for a command: through the socket of the server that owns it, or else the
// folder itself. If create is not set, the folder must hold a store already.
func (p *program) enter(ctx context.Context, cmd *cobra.Command, create bool) (*house, error) {
	return p.enterWith(ctx, cmd, store.Options{Existing: !create, Upgrade: p.upgrading().Report(ctx)})
}

// enterWith opens the house as enter does, and the store with the options o.
func (p *program) enterWith(ctx context.Context, cmd *cobra.Command, o store.Options) (*house, error) {
	create := !o.Existing
	dir, _ := cmd.Flags().GetString("data")
	spec, _ := cmd.Flags().GetString("store")
	if spec == "" || create {
		if err := datadir.Make(dir, create); err != nil {
			return nil, err
		}
	}
	h := &house{dir: dir}
	var err error
	if h.folder, err = datadir.Open(dir); err != nil {
		return nil, err
	}
	if h.store, h.node, err = p.openStore(ctx, dir, spec, o); err != nil {
		return nil, errors.Join(err, h.folder.Close())
	}
	if err = datadir.Same(h.folder, dir); err == nil {
		h.tenants, err = tenant.Open(ctx, h.store, p.now)
	}
	if err != nil {
		h.close(&err)
		return nil, err
	}
	if create && h.node == nil {
		for _, warning := range datadir.Warnings(dir, spec) {
			fmt.Fprintf(p.stderr, "warning: %s\n", warning)
		}
	}
	return h, nil
}

// openStore opens the store of the data folder dir as enterWith does. If a node runs on it, it
// returns the node's client instead. It waits up to five seconds for an owner that does not answer.
func (p *program) openStore(ctx context.Context, dir, spec string, o store.Options) (st opened, node *admin.Client, err error) {
	if spec == "" {
		spec = "pebble:" + datadir.Store(dir)
	}
	o.Log = slog.New(slog.DiscardHandler)
	deadline := p.now().Add(5 * time.Second)
	for {
		if node, err = admin.Dial(ctx, datadir.Socket(dir), version()); err == nil {
			return node, node, nil
		}
		if !noServer(err) {
			return nil, nil, err
		}
		st, err = store.Open(ctx, spec, o)
		switch {
		case err == nil:
			return st, nil, nil
		case o.Existing && errors.Is(err, call.ErrNotFound):
			return nil, nil, datadir.NoStore(dir)
		case o.Existing && !o.ReadOnly && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)):
			// A command can still read a copy on a read-only file system.
			o.ReadOnly = true
			st, readErr := store.Open(ctx, spec, o)
			if readErr != nil {
				return nil, nil, err
			}
			fmt.Fprintf(p.stderr, "%s cannot be written: it can only be looked at\n", dir)
			return st, nil, nil
		}
		// A server that has just started owns the folder before it answers, and another command
		// releases the folder when it ends.
		if !errors.Is(err, call.ErrInUse) || p.now().After(deadline) {
			return nil, nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// noServer reports whether err, from dialling the socket, means that no server listens.
func noServer(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// tenant returns the tenant of a name. An empty name means the only tenant there is.
func (h *house) tenant(ctx context.Context, name string) (tenant.Tenant, error) {
	switch {
	case strings.EqualFold(name, tenant.Unassigned):
		return tenant.Tenant{Name: tenant.Unassigned}, nil
	case name != "":
		t, err := h.tenants.Find(ctx, name)
		if errors.Is(err, call.ErrNotFound) {
			err = &exitError{exitUsage, err}
		}
		return t, err
	}
	all, err := h.tenants.List(ctx)
	if err != nil {
		return tenant.Tenant{}, err
	}
	if len(all) == 1 {
		return all[0], nil
	}
	if len(all) == 0 {
		return tenant.Tenant{}, usage("there is no tenant yet: add one with 'trunklog tenant add NAME --id GUID'")
	}
	var names []string
	for _, t := range all[:min(len(all), 20)] {
		names = append(names, t.Name)
	}
	if len(all) > len(names) {
		names = append(names, "…")
	}
	return tenant.Tenant{}, usage("which tenant? name it with --tenant: %s", list(names))
}
