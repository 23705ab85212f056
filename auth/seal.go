package auth

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// NeedsKey reports whether kv holds what is of no use without the master key
// under which it was saved: signing keys, or clients with their secrets.
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

// CheckKey fails, as [New] would, if the signing keys in kv were sealed under
// another master key. It changes nothing.
func CheckKey(ctx context.Context, kv KV, key []byte) error {
	k, err := newKeyring(Config{KV: kv, Key: key}, time.Now, rand.Reader)
	if err != nil {
		return err
	}
	_, _, err = k.load(ctx)
	return err
}
