package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// renew drops the keys that are gone, and makes a key that signs now and the next key if they are
// missing.
func (k *keyring) renew(ctx context.Context) error {
	return k.change(ctx, func(keys []*signKey, now time.Time) ([]*signKey, error) {
		return k.plan(keys, generation(keys), now)
	})
}

// replace drops all keys and makes new ones, which voids all tokens at once.
func (k *keyring) replace(ctx context.Context) error {
	return k.change(ctx, func(keys []*signKey, now time.Time) ([]*signKey, error) {
		return k.plan(nil, generation(keys)+1, now)
	})
}

// generation returns that of all keys.
func generation(keys []*signKey) int64 {
	if len(keys) == 0 {
		return 0
	}
	return keys[0].generation
}

func (k *keyring) change(ctx context.Context, to func([]*signKey, time.Time) ([]*signKey, error)) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	return retry(func() error {
		old, keys, err := k.load(ctx)
		if err != nil {
			return err
		}
		next, err := to(keys, k.now())
		if err != nil || old != nil && slices.Equal(next, keys) {
			return err
		}
		raw, err := json.Marshal(stored(next))
		if err != nil {
			return fmt.Errorf("auth: encoding the signing keys: %w", err)
		}
		if err := k.kv.Save(ctx, map[string][]byte{nameKeys: raw}, map[string][]byte{nameKeys: old}); err != nil {
			return fmt.Errorf("auth: saving the signing keys: %w", err)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.raw, k.keys, k.loaded = raw, next, k.now()
		k.saves++
		return nil
	})
}

// plan returns the keys that the KV should hold instead of keys. It gives the new ones that
// generation.
func (k *keyring) plan(keys []*signKey, generation int64, now time.Time) ([]*signKey, error) {
	var out []*signKey
	for _, key := range keys {
		if !key.gone(now) {
			out = append(out, key)
		}
	}
	// The seal authenticates the times in whole seconds.
	from := now.Truncate(time.Second).UTC()
	current := signer(out, k.alg, now)
	if current == nil {
		var err error
		if current, err = k.generate(from, generation); err != nil {
			return nil, err
		}
		out = append(out, current)
	}
	if !slices.ContainsFunc(out, func(key *signKey) bool { return key.alg == k.alg && key.from.After(now) }) {
		next, err := k.generate(current.until, generation)
		if err != nil {
			return nil, err
		}
		out = append(out, next)
	}
	slices.SortStableFunc(out, func(a, b *signKey) int { return a.from.Compare(b.from) })
	return out, nil
}

// generate makes a key that signs from the given time.
func (k *keyring) generate(from time.Time, generation int64) (*signKey, error) {
	var private crypto.Signer
	var err error
	if k.alg == jose.ES256 {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		return nil, fmt.Errorf("auth: making a signing key: %w", err)
	}
	return k.key(private, from, generation)
}

// key returns the signing key with that private key.
func (k *keyring) key(private crypto.Signer, from time.Time, generation int64) (*signKey, error) {
	kid, err := thumbprint(private.Public())
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("auth: encoding a signing key: %w", err)
	}
	key := &signKey{kid: kid, alg: k.alg, from: from, until: from.Add(k.rotate), private: private, generation: generation}
	key.sealed = k.seal.Seal(nil, nil, der, key.stored().bound())
	return key, nil
}
