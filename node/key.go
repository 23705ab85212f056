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

// MasterKey returns the 32 bytes from which all other keys are derived. They
// lie in a file of their own, so that who has the store alone can neither sign
// nor check anything. It must be the one under which the store, st, has sealed
// what it has. A key is made if there is none and st holds nothing of that kind.
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
		// Whoever has just begun on an empty store made the file first.
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

// CheckKey fails if st holds what was sealed under another master key than that
// in the folder dir or, if it is not empty, in the file apart.
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

// fits fails if st holds what was sealed under another master key than this one,
// which is in the file path. That may be another installation's, or damaged.
func fits(ctx context.Context, st call.StateStore, path string, key []byte) error {
	if err := auth.CheckKey(ctx, stateKV{st}, key); err != nil {
		return fmt.Errorf("master key: %s: %w", path, err)
	}
	return nil
}

// stateKV lets auth keep its state beside the rows.
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

// newAuthority makes what issues and checks tokens for the tenants in a store.
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

// CommandAuthority makes what a command looks after clients with. Its tokens are taken
// by the server that was last run on the store.
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

// EndClients disables the clients of a tenant that is removed, and voids their tokens.
func EndClients(ctx context.Context, st call.Log, id call.GUID, now time.Time) error {
	_, err := auth.EndClients(ctx, stateKV{st}, id.String(), now)
	return err
}

// derive returns the key for one purpose that belongs to the master key.
func derive(master []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, master, nil, "trunklog "+purpose, 32)
	if err != nil {
		panic(err) // 32 bytes can always be derived
	}
	return key
}
