package auth

import (
	"context"
	"fmt"
	"time"
)

// NeedsKey reports whether kv holds anything that is useless without the master key: signing keys,
// or clients with their secrets.
func NeedsKey(ctx context.Context, kv KV) (bool, error) {
	for _, prefix := range []string{nameKeys, prefixClient} {
		m, err := kv.Load(ctx, prefix)
		if err != nil {
			return false, fmt.Errorf("auth: reading %s: %w", prefix, err)
		}
		if len(m) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// CheckKey returns an error, as [New] would, if another master key sealed the signing keys in kv.
// It changes nothing.
func CheckKey(ctx context.Context, kv KV, key []byte) error {
	k, err := newKeyring(Config{KV: kv, Key: key}, time.Now)
	if err != nil {
		return err
	}
	_, _, err = k.load(ctx)
	return err
}
