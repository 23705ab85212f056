package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A signKey is one of our signing keys. It signs between from and until. The server publishes it
// before that, so that verifiers know it in time, and afterwards until its last token has expired.
type signKey struct {
	kid         string // RFC 7638 thumbprint
	alg         jose.SignatureAlgorithm
	from, until time.Time
	private     crypto.Signer
	sealed      []byte // PKCS #8, sealed, as in storedKey
	generation  int64  // as in storedKeys
}

// gone reports whether all tokens that k has signed have expired.
func (k *signKey) gone(now time.Time) bool { return !now.Before(k.until.Add(TokenLife + Skew)) }

// storedKeys is the value of auth/keys.
type storedKeys struct {
	Version int         `json:"v"`
	Keys    []storedKey `json:"keys"`
	// Generation counts how often an operator has replaced all keys. It tells a key that was revoked
	// from one that has grown old: neither is in Keys.
	Generation int64 `json:"generation,omitempty"`
}

type storedKey struct {
	KID   string    `json:"kid"`
	Alg   string    `json:"alg"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Sealed is a random nonce and the PKCS #8 form of the private key, encrypted with AES-256-GCM.
	// The seal also authenticates the other fields.
	Sealed []byte `json:"sealed"`
}

const keysVersion = 1

// A keyring holds the signing keys and follows the changes of other processes on the same KV. Every
// change is a compare and swap of one value, so that all processes agree on one set of keys.
type keyring struct {
	kv     KV
	now    func() time.Time
	alg    jose.SignatureAlgorithm
	rotate time.Duration
	seal   cipher.AEAD

	changing sync.Mutex // held while this process changes the stored keys

	mu     sync.Mutex // guards the fields below
	raw    []byte     // stored value, nil if there is none
	keys   []*signKey
	loaded time.Time
	saves  int // number of saves by this process
	told   int // number of calls of expire
}

func newKeyring(c Config, now func() time.Time) (*keyring, error) {
	key, err := derive(c.Key, "seal of signing keys")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("auth: preparing the seal of signing keys: %w", err)
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("auth: preparing the seal of signing keys: %w", err)
	}
	k := &keyring{kv: c.KV, now: now, alg: jose.RS256, rotate: c.Rotate, seal: seal}
	if c.Alg != "" {
		k.alg = jose.SignatureAlgorithm(c.Alg)
	}
	if k.rotate == 0 {
		k.rotate = 90 * 24 * time.Hour
	}
	return k, nil
}

// all returns the keys in the order in which they begin to sign. It reads them again if the last
// read is more than maxAge ago. The caller must not change the list.
func (k *keyring) all(ctx context.Context, maxAge time.Duration) ([]*signKey, error) {
	now := k.now()
	k.mu.Lock()
	keys, fresh := k.keys, k.raw != nil && !now.Before(k.loaded) && now.Sub(k.loaded) <= maxAge
	k.mu.Unlock()
	if fresh {
		return keys, nil
	}
	_, keys, err := k.load(ctx)
	return keys, err
}

// published returns the keys that verifiers need: those that sign now, have signed a token that may
// be valid, or will sign.
func (k *keyring) published(ctx context.Context) ([]*signKey, error) {
	keys, err := k.all(ctx, KeyStale)
	if err != nil {
		return nil, err
	}
	now := k.now()
	out := make([]*signKey, 0, len(keys))
	for _, key := range keys {
		if !key.gone(now) {
			out = append(out, key)
		}
	}
	return out, nil
}

// unknownEvery is the pause between two reads that strangers can cause with unknown key ids.
const unknownEvery = 5 * time.Second

// find returns the published key with that id, or nil if there is none.
func (k *keyring) find(ctx context.Context, kid string) (*signKey, error) {
	now := k.now()
	for _, age := range [...]time.Duration{KeyStale, unknownEvery} {
		keys, err := k.all(ctx, age)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			if key.kid == kid && !key.gone(now) {
				return key, nil
			}
		}
	}
	return nil, nil
}

// revoked reports whether an operator has replaced old, or replaced all keys after its time.
func (k *keyring) revoked(ctx context.Context, old *signKey) (bool, error) {
	keys, err := k.all(ctx, KeyStale)
	if err != nil || slices.ContainsFunc(keys, func(key *signKey) bool { return key.kid == old.kid }) {
		return false, err
	}
	return !old.gone(k.now()) || generation(keys) != old.generation, nil
}

// current returns the key that signs now.
func (k *keyring) current(ctx context.Context) (*signKey, error) {
	for range 2 {
		keys, err := k.all(ctx, KeyStale)
		if err != nil {
			return nil, err
		}
		if key := signer(keys, k.alg, k.now()); key != nil {
			return key, nil
		}
		// No process has renewed the keys for a whole period.
		if err := k.renew(ctx); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("auth: no signing key is in use, although one was just made; check the clocks")
}

// signer returns the key that signs at that time, the latest to begin if there are several, or nil.
func signer(keys []*signKey, alg jose.SignatureAlgorithm, at time.Time) *signKey {
	var out *signKey
	for _, key := range keys {
		if key.alg == alg && !at.Before(key.from) && at.Before(key.until) {
			out = key
		}
	}
	return out
}

// load reads the keys. It holds no lock during the read, so that only its caller waits for the KV.
func (k *keyring) load(ctx context.Context) (raw []byte, keys []*signKey, err error) {
	k.mu.Lock()
	saves, told := k.saves, k.told
	k.mu.Unlock()
	now := k.now()
	if raw, err = get(ctx, k.kv, nameKeys); err != nil {
		return nil, nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if saves != k.saves {
		return k.raw, k.keys, nil // this process has saved newer keys meanwhile
	}
	if raw == nil || !bytes.Equal(raw, k.raw) {
		if keys, err = k.open(raw); err != nil {
			return nil, nil, err
		}
		k.raw, k.keys = raw, keys
	}
	// A change by another process during the read may have made its result old.
	if told == k.told {
		k.loaded = now
	}
	return k.raw, k.keys, nil
}

// expire makes the next request for the keys read them again.
func (k *keyring) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.loaded = time.Time{}
	k.told++
}

// open parses a stored value and decrypts its keys.
func (k *keyring) open(raw []byte) ([]*signKey, error) {
	if raw == nil {
		return nil, nil
	}
	var s storedKeys
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("auth: reading %s: %w", nameKeys, err)
	}
	if s.Version > keysVersion {
		return nil, fmt.Errorf("auth: %s was written by a newer version of trunklog (%d, not %d)", nameKeys, s.Version, keysVersion)
	}
	var keys []*signKey
	for _, sk := range s.Keys {
		der, err := k.seal.Open(nil, nil, sk.Sealed, sk.bound())
		if err != nil {
			return nil, errors.New("auth: the signing keys cannot be opened: they were sealed under another master key; use that one")
		}
		p, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("auth: reading signing key %s: %w", sk.KID, err)
		}
		private, ok := p.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("auth: signing key %s is a %T, which cannot sign", sk.KID, p)
		}
		keys = append(keys, &signKey{
			kid: sk.KID, alg: jose.SignatureAlgorithm(sk.Alg),
			from: sk.From, until: sk.Until, private: private, sealed: sk.Sealed, generation: s.Generation,
		})
	}
	slices.SortStableFunc(keys, func(a, b *signKey) int { return a.from.Compare(b.from) })
	return keys, nil
}

// bound returns the fields that the seal authenticates besides the private key.
func (s storedKey) bound() []byte {
	return fmt.Appendf(nil, "%s %s %s %d %d", nameKeys, s.KID, s.Alg, s.From.Unix(), s.Until.Unix())
}

func (k *signKey) stored() storedKey {
	return storedKey{KID: k.kid, Alg: string(k.alg), From: k.from, Until: k.until, Sealed: k.sealed}
}

func stored(keys []*signKey) storedKeys {
	s := storedKeys{Version: keysVersion, Generation: generation(keys)}
	for _, k := range keys {
		s.Keys = append(s.Keys, k.stored())
	}
	return s
}

// thumbprint returns the RFC 7638 thumbprint of a public key, with SHA-256 and in base64url.
func thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("auth: naming a key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// sign returns the JWS in compact form with that typ and payload.
func (k *signKey) sign(typ string, payload []byte) (string, error) {
	header, err := json.Marshal(struct {
		Typ string `json:"typ"`
		Alg string `json:"alg"`
		KID string `json:"kid"`
	}{typ, string(k.alg), k.kid})
	if err != nil {
		return "", fmt.Errorf("auth: encoding a token's header: %w", err)
	}
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	digest := sha256.Sum256([]byte(input))
	var sig []byte
	if ec, ok := k.private.(*ecdsa.PrivateKey); ok {
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, ec, digest[:]); err == nil {
			sig = lowS(r, s)
		}
	} else {
		sig, err = k.private.Sign(rand.Reader, digest[:], crypto.SHA256) // PKCS #1 v1.5
	}
	if err != nil {
		return "", fmt.Errorf("auth: signing a token: %w", err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}
