package node

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/tenant"
)

// MasterKey returns the 32 bytes from which the node derives all other keys. They have a file of
// their own, so that a thief of the store alone can neither sign nor check anything. If there is no
// file and st holds nothing that needs a key, MasterKey makes one. It returns an error if st holds
// anything sealed under another key, or if it needs one and the file is missing.
func MasterKey(ctx context.Context, place datadir.KeyPlace, st call.StateStore) ([]byte, error) {
	key, err := place.Read()
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
		// Another process that has just begun on the empty store made the file first.
		if key, err = place.Read(); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("master key: %s is missing, and the store has clients that cannot sign in without it: put it back from where it was kept, or name it with --master-key-file", place)
		}
		return key, err
	}
	key = make([]byte, 32)
	rand.Read(key)
	switch err := place.WriteNew(key); {
	case errors.Is(err, fs.ErrExist):
		return place.Read()
	case err != nil:
		return nil, fmt.Errorf("master key: %w", err)
	}
	return key, nil
}

// CheckKey returns an error if st holds anything sealed under another master key than the one in
// the folder dir or, if apart is not empty, in that file. what names st in the error.
func CheckKey(ctx context.Context, st call.StateStore, what, dir, apart string) error {
	needed, err := auth.NeedsKey(ctx, stateKV{st})
	if err != nil || !needed {
		return err
	}
	path := apart
	if path == "" {
		path = datadir.Key(dir)
	}
	key, err := datadir.ReadKey(path, os.ReadFile)
	if errors.Is(err, fs.ErrNotExist) && apart == "" {
		return fmt.Errorf("the %s has no master key: %s is missing, and without it no client can sign in: put it there or, if it is kept elsewhere, name it with --master-key-file", what, path)
	}
	if err != nil {
		return err
	}
	return fits(ctx, st, path, key)
}

// fits returns an error if st holds anything sealed under another master key than this one. path
// names its file in the error. The file may be another installation's, or damaged.
func fits(ctx context.Context, st call.StateStore, path string, key []byte) error {
	if err := auth.CheckKey(ctx, stateKV{st}, key); err != nil {
		return fmt.Errorf("master key: %s: %w", path, err)
	}
	return nil
}

// stateKV lets package auth keep its state beside the rows.
type stateKV struct{ store call.StateStore }

func (s stateKV) Load(ctx context.Context, prefix string) (map[string][]byte, error) {
	return call.Values(ctx, s.store, prefix)
}

func (s stateKV) Save(ctx context.Context, set, cond map[string][]byte) error {
	_, err := s.store.Write(ctx, call.Batch{State: set, If: cond})
	if errors.Is(err, call.ErrConflict) {
		return fmt.Errorf("%w: %w", auth.ErrConflict, err)
	}
	return err
}

// newAuthority makes the authority that issues and checks tokens for the tenants in a store.
func newAuthority(ctx context.Context, st call.StateStore, tenants *tenant.Directory, c auth.Config) (*auth.Authority, error) {
	c.KV = stateKV{st}
	c.Tenant = func(ctx context.Context, nameOrID string) (string, bool, error) {
		t, err := tenants.Find(ctx, nameOrID)
		if errors.Is(err, call.ErrNotFound) {
			return "", false, nil
		}
		return t.ID.String(), err == nil, err
	}
	return auth.New(ctx, c)
}

// CommandAuthority makes the authority with which a command manages clients. The server that last
// ran on the store accepts its tokens.
func CommandAuthority(ctx context.Context, st call.StateStore, tenants *tenant.Directory, key []byte, now func() time.Time) (*auth.Authority, error) {
	root := defaultRoot
	b, err := call.Value(ctx, st, rootState)
	if err != nil {
		return nil, err
	}
	if b != nil {
		root = string(b)
	}
	r := &roots{canonical: root}
	return newAuthority(ctx, st, tenants, auth.Config{Key: key, Now: now, Log: slog.New(slog.DiscardHandler), Issuer: r.of, Known: r.known})
}

// EndClients disables the clients of a tenant that the operator removes, and voids their tokens.
func EndClients(ctx context.Context, st call.Log, id call.GUID, now time.Time) error {
	_, err := auth.EndClients(ctx, stateKV{st}, id.String(), now)
	return err
}

// derive returns the key for one purpose, which follows from the master key (HKDF, RFC 5869).
func derive(master []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, master, nil, "trunklog "+purpose, 32)
	if err != nil {
		panic(err) // HKDF can always derive 32 bytes
	}
	return key
}
