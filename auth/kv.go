package auth

import (
	"context"
	"errors"
	"fmt"
)

// A KV holds the state of an [Authority]. TENANT and CLIENT are GUIDs in lower case in its names:
//
//	auth/keys                        the signing keys, sealed; see storedKeys
//	auth/client/TENANT/CLIENT        one client; see storedClient
//	auth/used/TENANT/CLIENT/CRED     time at which the client last used a secret or key, RFC 3339
//	auth/jti/CLIENT/HASH             one used assertion: the Unix time in decimal until which
//	                                 the server must remember it
//	auth/swept/CLIENT                the latest such time among the client's assertions that the
//	                                 server has forgotten
//
// Every process that shares the KV sees the changes of the others.
type KV interface {
	// Load returns the values of all names with the given prefix.
	Load(ctx context.Context, prefix string) (map[string][]byte, error)
	// Save sets the named values durably, all or none; a nil value deletes the name. If a name in
	// cond does not have exactly the given value now (nil: it does not exist), Save changes nothing
	// and returns [ErrConflict].
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

// get returns one value, or nil if there is none.
func get(ctx context.Context, kv KV, name string) ([]byte, error) {
	m, err := kv.Load(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("auth: reading %s: %w", name, err)
	}
	return m[name], nil
}

// tries is how often retry attempts a change before it leaves it to the faster processes.
const tries = 10

// retry calls change until it returns anything but ErrConflict, at most tries times.
func retry(change func() error) error {
	var err error
	for range tries {
		if err = change(); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}
