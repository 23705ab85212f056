package cli

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
	dir     string   // the data folder
	folder  *os.Root // the same, opened: what is done in it is done in that one, wherever its name leads by then
	store   call.Store
	tenants *tenant.Directory
	served  bool // the store belongs to a running server and is spoken to through its socket
	scratch bool // dir is for this command alone, and goes when it is done
}

func (h *house) close(err *error) {
	*err = errors.Join(*err, h.store.Close(), h.folder.Close())
	if h.scratch {
		*err = errors.Join(*err, os.RemoveAll(h.dir))
	}
}

// The places in a data folder.
func socketPath(data string) string { return filepath.Join(data, "admin.sock") }
func tlsPath(data string) string    { return filepath.Join(data, "tls") }
func keyPath(data string) string    { return filepath.Join(data, keyName) }
func storePath(data string) string  { return filepath.Join(data, "store") }

const (
	keyName     = "master.key"
	rejectsName = "rejects" // the folder of what could not be read
)

// enter opens the house for a command: through the socket of the server that
// owns it, or else the folder itself. If create is not set, there must be a
// store in it already.
func (p *program) enter(ctx context.Context, cmd *cobra.Command, create bool) (*house, error) {
	return p.enterWith(ctx, cmd, store.Options{Existing: !create, Upgrade: p.upgrading().report(ctx)})
}

// enterWith opens the house as enter does, the store as o says.
func (p *program) enterWith(ctx context.Context, cmd *cobra.Command, o store.Options) (*house, error) {
	create := !o.Existing
	dir, _ := cmd.Flags().GetString("data")
	spec, _ := cmd.Flags().GetString("store")
	if spec == "" || create {
		if err := dataFolder(dir, create); err != nil {
			return nil, err
		}
	}
	h := &house{dir: dir}
	var err error
	if h.folder, err = openFolder(dir); err != nil {
		return nil, err
	}
	if h.store, h.served, err = p.openStore(ctx, dir, spec, o); err != nil {
		return nil, errors.Join(err, h.folder.Close())
	}
	if err = sameFolder(h.folder, dir); err == nil {
		h.tenants, err = tenant.Open(ctx, h.store, p.now)
	}
	if err != nil {
		h.close(&err)
		return nil, err
	}
	if create && !h.served {
		for _, warning := range folderWarnings(dir, spec) {
			fmt.Fprintf(p.stderr, "warning: %s\n", warning)
		}
	}
	return h, nil
}

// openStore opens the store of the data folder dir, as enterWith does.
func (p *program) openStore(ctx context.Context, dir, spec string, o store.Options) (st call.Store, served bool, err error) {
	if spec == "" {
		spec = "pebble:" + storePath(dir)
	}
	o.Log = slog.New(slog.DiscardHandler)
	deadline := p.now().Add(5 * time.Second)
	for {
		if st, err = socket.Dial(ctx, socketPath(dir), version()); err == nil {
			return st, true, nil
		}
		if !noServer(err) {
			return nil, false, err
		}
		st, err = store.Open(ctx, spec, o)
		switch {
		case err == nil:
			return st, false, nil
		case o.Existing && errors.Is(err, call.ErrNotFound):
			return nil, false, noStore(dir)
		case o.Existing && !o.ReadOnly && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)):
			// A copy on a read-only file system can be looked at all the same.
			o.ReadOnly = true
			st, readErr := store.Open(ctx, spec, o)
			if readErr != nil {
				return nil, false, err
			}
			fmt.Fprintf(p.stderr, "%s cannot be written: it can only be looked at\n", dir)
			return st, false, nil
		}
		// A server that has just started owns the folder before it answers, and
		// another command gives it back when it is done.
		if !errors.Is(err, call.ErrInUse) || p.now().After(deadline) {
			return nil, false, err
		}
		select {
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// noStore says that there is nothing yet, and what to do about it. Only 'tenant
// add', 'serve' and 'db restore' begin a store: with a folder that is misspelled,
// any other command would do its work where nobody looks for it.
func noStore(dir string) error {
	return &noneError{fmt.Sprintf("there is no store in %s: name the data folder with --data, or begin one with 'trunklog tenant add'", dir)}
}

// A noneError says that there is no store yet where a command looked for one.
type noneError struct{ text string }

func (e *noneError) Error() string { return e.text }

// noFolder returns what is wrong with a data folder that cannot be opened.
func noFolder(dir string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &noneError{fmt.Sprintf("there is no data folder %s: name it with --data, or begin one with 'trunklog tenant add'", dir)}
	}
	return fmt.Errorf("data folder: %w", err)
}

// sameFolder fails if the name dir leads to another folder by now than the one
// that was opened.
func sameFolder(folder *os.Root, dir string) error {
	opened, err := folder.Stat(".")
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if named, err := os.Stat(dir); err != nil || !os.SameFile(opened, named) {
		return fmt.Errorf("data folder: %s was replaced while it was being opened: try again", dir)
	}
	return nil
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
		return noFolder(dir, err)
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

// unassigned names the tenant of rows whose tenant cannot be told.
const unassigned = "unassigned"

// A keyPlace is where the master key lies: in the data folder or, if apart is
// not empty, in a file of its own elsewhere.
type keyPlace struct {
	folder *os.Root
	dir    string // the folder's name, for people
	apart  string
}

func (k keyPlace) String() string {
	if k.apart != "" {
		return k.apart
	}
	return keyPath(k.dir)
}

func (k keyPlace) read() ([]byte, error) {
	if k.apart != "" {
		return readKey(k.apart, os.ReadFile)
	}
	return readKey(k.String(), func(string) ([]byte, error) { return k.folder.ReadFile(keyName) })
}

func (k keyPlace) writeNew(b []byte) error {
	if k.apart != "" {
		return writeNew(k.apart, b)
	}
	return writeNewIn(k.folder, keyName, b)
}

// masterKey returns the 32 bytes from which all other keys are derived. They
// lie in a file of their own, so that who has the store alone can neither sign
// nor check anything. It must be the one under which the store, st, has sealed
// what it has. A key is made if there is none and st holds nothing of that kind.
func masterKey(ctx context.Context, place keyPlace, st call.Store) ([]byte, error) {
	key, err := place.read()
	if err == nil {
		return key, fits(ctx, st, place.String(), key)
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
		if key, err = place.read(); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("master key: %s is missing, and the store has clients that cannot sign in without it: put it back from where it was kept, or name it with --master-key-file", place)
		}
		return key, err
	}
	key = make([]byte, 32)
	rand.Read(key)
	switch err := place.writeNew(key); {
	case errors.Is(err, fs.ErrExist):
		return place.read()
	case err != nil:
		return nil, fmt.Errorf("master key: %w", err)
	}
	return key, nil
}

func readKey(path string, read func(string) ([]byte, error)) ([]byte, error) {
	key, err := read(path)
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
	key, err := readKey(path, os.ReadFile)
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
	folder, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // nothing is written by it
	return writeNewIn(folder, filepath.Base(path), b)
}

// writeNewIn is writeNew in a folder that was opened.
func writeNewIn(folder *os.Root, name string, b []byte) error {
	part := ".new-" + rand.Text()
	f, err := folder.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			if _, statErr := folder.Lstat(name); statErr == nil {
				return fs.ErrExist
			}
		}
		return err
	}
	defer func() { _ = folder.Remove(part) }() // it has another name by then
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return folder.Link(part, name)
}
