package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store"
	"github.com/trunklog/trunklog/store/socket"
	"github.com/trunklog/trunklog/tenant"
)

// A house is what a command works in: the data folder, the store, and the
// tenants in it.
type house struct {
	dir     string // the data folder
	store   call.Store
	tenants *tenant.Directory
	served  bool // the store belongs to a running server and is spoken to through its socket
}

func (h *house) close(err *error) { *err = errors.Join(*err, h.store.Close()) }

// The places in a data folder.
func socketPath(data string) string { return filepath.Join(data, "admin.sock") }
func tlsPath(data string) string    { return filepath.Join(data, "tls") }
func keyPath(data string) string    { return filepath.Join(data, "master.key") }
func storePath(data string) string  { return filepath.Join(data, "store") }

// enter opens the house for a command: through the socket of the server that
// owns it, or else the folder itself. If create is not set, there must be
// something in it already.
func (p *program) enter(ctx context.Context, cmd *cobra.Command, create bool) (*house, error) {
	dir, _ := cmd.Flags().GetString("data")
	spec, _ := cmd.Flags().GetString("store")
	if spec == "" {
		if err := dataFolder(dir, create); err != nil {
			return nil, err
		}
		spec = "pebble:" + storePath(dir)
	}
	h := &house{dir: dir}
	deadline := p.now().Add(5 * time.Second)
	for {
		st, err := socket.Dial(ctx, socketPath(dir), version())
		if err == nil {
			h.store, h.served = st, true
			break
		}
		if !noServer(err) {
			return nil, err
		}
		h.store, err = store.Open(ctx, spec, store.Options{Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			break
		}
		// A server that has just started owns the folder before it answers, and
		// another command gives it back when it is done.
		if !errors.Is(err, call.ErrInUse) || p.now().After(deadline) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	var err error
	if h.tenants, err = tenant.Open(ctx, h.store, p.now); err != nil {
		h.close(&err)
		return nil, err
	}
	return h, nil
}

// noServer reports whether err of dialling says that nobody listens.
func noServer(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// dataFolder makes the data folder, or says why it cannot be used.
func dataFolder(dir string, create bool) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("data folder %s is a file", dir)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("data folder: %w", err)
	case !create:
		return fmt.Errorf("there is no data folder %s: name it with --data, or begin one with 'trunklog tenant add'", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// tenant returns the tenant that a command was told to work on. If there is
// only one, it need not be named.
func (h *house) tenant(ctx context.Context, name string) (tenant.Tenant, error) {
	switch {
	case strings.EqualFold(name, unassigned):
		return tenant.Tenant{Name: unassigned}, nil
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
	_, err = h.tenants.Find(ctx, "")
	return tenant.Tenant{}, usage("which tenant? name it with --tenant: %w", err)
}

// unassigned names the tenant of rows whose tenant cannot be told.
const unassigned = "unassigned"

// masterKey returns the 32 bytes from which all other keys are derived. They
// lie in a file of their own, so that who has the store alone can neither sign
// nor check anything. It must be the one under which the store, st, has sealed
// what it has. A key is made if there is none and st holds nothing of that kind.
func masterKey(ctx context.Context, path string, st call.Store) ([]byte, error) {
	key, err := readKey(path)
	if err == nil {
		return key, fits(ctx, st, path, key)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	needed, err := auth.NeedsKey(ctx, stateKV{st})
	if err != nil {
		return nil, err
	}
	if needed {
		// Whoever has just begun on an empty store made the file first.
		if key, err = readKey(path); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("master key: %s is missing, and the store has clients that cannot sign in without it: put it back from where it was kept, or name it with --master-key-file", path)
		}
		return key, err
	}
	key = make([]byte, 32)
	rand.Read(key)
	switch err := writeNew(path, key); {
	case errors.Is(err, fs.ErrExist):
		return readKey(path)
	case err != nil:
		return nil, fmt.Errorf("master key: %w", err)
	}
	return key, nil
}

func readKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("master key: %s has %d bytes, 32 are needed: restore it from a backup, because without it no client of this store can sign in", path, len(key))
	}
	return key, nil
}

// checkKey fails if st holds what was sealed under another master key than that
// in the folder dir or, if it is not empty, in the file apart.
func checkKey(ctx context.Context, st call.Store, what, dir, apart string) error {
	needed, err := auth.NeedsKey(ctx, stateKV{st})
	if err != nil || !needed {
		return err
	}
	path := apart
	if path == "" {
		path = keyPath(dir)
	}
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) && apart == "" {
		return fmt.Errorf("the %s has no master key: %s is missing, and without it no client can sign in: put it there or, if it is kept elsewhere, name it with --master-key-file", what, path)
	}
	if err != nil {
		return err
	}
	return fits(ctx, st, path, key)
}

// fits fails if st holds what was sealed under another master key than this one,
// which is in the file path. That may be another installation's, or damaged.
func fits(ctx context.Context, st call.Store, path string, key []byte) error {
	if err := auth.CheckKey(ctx, stateKV{st}, key); err != nil {
		return fmt.Errorf("master key: %s: %w", path, err)
	}
	return nil
}

// writeNew writes a file that only its owner can read, in full or not at all.
// It fails with fs.ErrExist if there is one.
func writeNew(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			if _, statErr := os.Stat(path); statErr == nil {
				return fs.ErrExist
			}
		}
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
