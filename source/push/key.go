package push

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
)

// The handler keeps a record of its answer to each request with an Idempotency-Key, in the state of
// the store:
//
//	push/DAY/HASH  JSON: the digest of the body, the time, and the answer
//	push/swept     the last DAY whose records the sweep has deleted
//
// DAY is the day of the answer in UTC, so that the sweep finds old records without reading the
// others, and HASH is the SHA-256 of the tenant, the client and the key.
//
// The handler writes the record after the rows, in a write of its own. A crash between the two
// loses the record and no row: the same request then does its work again, which changes nothing,
// because the ids identify the rows. Only its answer differs: it counts as same what it counted as
// new. The other order would be worse: the record could promise rows that are not there.
const keyPrefix = "push/"

// keyLife is how long the handler gives the same answer again.
const keyLife = 24 * time.Hour

// Keys are the Idempotency-Keys of requests.
type keys struct {
	state State
	now   func() time.Time

	mu   sync.Mutex
	busy map[string]bool // by hash: the keys of requests that are in progress
}

// A keyRecord is the record of a request's answer.
type keyRecord struct {
	Version int       `json:"v"`
	Digest  string    `json:"digest"` // SHA-256 of the kind and the body, in hexadecimal
	At      time.Time `json:"at"`
	Answer  Answer    `json:"answer"`
}

const keyVersion = 1

// keyHash returns the HASH of a client's key.
func keyHash(c Caller, key string) string {
	sum := sha256.Sum256([]byte(c.Tenant.String() + "\n" + c.Client + "\n" + key))
	return hex.EncodeToString(sum[:])
}

func keyName(t time.Time, hash string) string {
	return keyPrefix + t.UTC().Format(time.DateOnly) + "/" + hash
}

// claim takes a key for a request. It reports false if another request has it.
func (k *keys) claim(hash string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.busy[hash] {
		return false
	}
	k.busy[hash] = true
	return true
}

func (k *keys) free(hash string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.busy, hash)
}

// find returns the record of a key, or nil if there is none younger than keyLife.
func (k *keys) find(ctx context.Context, hash string) (*keyRecord, error) {
	now := k.now()
	for _, day := range [...]time.Time{now, now.Add(-keyLife)} {
		name := keyName(day, hash)
		b, err := call.Value(ctx, k.state, name)
		if err != nil {
			return nil, err
		}
		var r keyRecord
		if b == nil || json.Unmarshal(b, &r) != nil || r.Version != keyVersion {
			continue
		}
		if now.Sub(r.At) < keyLife {
			return &r, nil
		}
	}
	return nil, nil
}

// keep writes the record of a key, with the version and the time.
func (k *keys) keep(ctx context.Context, hash string, r keyRecord) error {
	r.Version, r.At = keyVersion, k.now().UTC()
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = k.state.Write(ctx, call.Batch{State: map[string][]byte{keyName(r.At, hash): b}})
	return err
}

// takeOnce is take for a request with a key. To a request that was answered before it gives the
// same answer.
func (x *exchange) takeOnce(slot *slot) error {
	k := &x.h.keys
	hash := keyHash(x.caller, x.head.key)
	if !k.claim(hash) {
		return keyInUse()
	}
	defer k.free(hash)
	ctx := x.r.Context()
	x.pause()
	known, err := k.find(ctx, hash)
	if err != nil {
		return storeFailed(err)
	}
	if known == nil {
		err = x.intake(slot)
	}
	if err != nil {
		return err
	}
	// After an intake this reads nothing, or what a decoder has left of the body.
	if _, err := io.Copy(io.Discard, x.body); err != nil {
		return err
	}
	digest := hex.EncodeToString(x.body.sum.Sum(nil))
	switch {
	case known == nil:
		x.pause()
		if err := x.keepKey(ctx, hash, digest); err != nil {
			return err
		}
	case known.Digest != digest:
		return reusedKey()
	default:
		x.answer = known.Answer
	}
	return x.reply(known != nil)
}

// keepKey writes the record of the request. Without a record the handler could not give the answer
// again, so it gives none if that fails.
func (x *exchange) keepKey(ctx context.Context, hash, digest string) error {
	ctx, cancel := context.WithTimeout(ctx, x.h.c.PutTimeout)
	defer cancel()
	err := x.h.keys.keep(ctx, hash, keyRecord{Digest: digest, Answer: x.answer})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, call.ErrFull):
		return full(err).soFar(&x.answer)
	}
	return storeFailed(err).soFar(&x.answer)
}
