package auth

import (
	"context"
	"errors"
	"fmt"
)

// A KV is where an [Authority] keeps its state. These are the names; TENANT and
// CLIENT are GUIDs in lower case:
//
//	auth/keys                        the signing keys, sealed; see storedKeys
//	auth/client/TENANT/CLIENT        one client; see storedClient
//	auth/used/TENANT/CLIENT/CRED     when a secret or key was last used, RFC 3339
//	auth/jti/CLIENT/HASH             one assertion that was used: the Unix time
//	                                 in decimal up to which it must be remembered
//	auth/swept/CLIENT                the latest such time of those of a client
//	                                 that have been forgotten
//
// Every process that shares the KV sees what another has saved.
type KV interface {
	// Load returns the values of all names with the given prefix.
	Load(ctx context.Context, prefix string) (map[string][]byte, error)
	// Save sets the named values, all or none and durably; a nil value deletes
	// the name. If a name in cond has not exactly the given value now (nil: it
	// does not exist), nothing is changed and the error is [ErrConflict].
	Save(ctx context.Context, set, cond map[string][]byte) error
}

const (
	nameKeys     = "auth/keys"
	prefixClient = "auth/client/"
	prefixUsed   = "auth/used/"
	prefixJTI    = "auth/jti/"
	prefixSwept  = "auth/swept/"
)

func nameClient(tenant, client string) string { return prefixClient + tenant + "/" + client }
func nameUsed(tenant, client, cred string) string {
	return prefixUsed + tenant + "/" + client + "/" + cred
}

// get returns one value, nil if there is none.
func get(ctx context.Context, kv KV, name string) ([]byte, error) {
	m, err := kv.Load(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("auth: reading %s: %w", name, err)
	}
	return m[name], nil
}

// tries is how often a change is made anew because another process was faster.
const tries = 10

// retry calls change until it does not return ErrConflict, but not for ever.
func retry(change func() error) error {
	var err error
	for range tries {
		if err = change(); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}
