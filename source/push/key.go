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

// A request with an Idempotency-Key leaves a record of its answer:
//
//	push/DAY/HASH  JSON: the digest of the body, when, and the answer
//	push/swept     the last DAY whose records were deleted
//
// DAY is the day of the answer in UTC, so that old records are found without
// looking at the others, and HASH stands for the tenant, the client and the key.
//
// The record is written after the rows, in a write of its own. A crash between
// the two loses the record and no row: the same request then does its work
// again, which changes nothing, because rows are known by their ids. Only its
// answer differs: what was new is the same now. The other order would be worse:
// it could promise rows that are not there.
const keyPrefix = "push/"

// keyLife is for how long an answer is given again.
const keyLife = 24 * time.Hour

// Keys are the Idempotency-Keys that are known.
type keys struct {
	state State
	now   func() time.Time

	mu   sync.Mutex
	busy map[string]bool // the hashes of the keys that are being worked on
}

// A keyRecord is what is kept of a request.
type keyRecord struct {
	Version int       `json:"v"`
	Digest  string    `json:"digest"` // of the body
	At      time.Time `json:"at"`
	Answer  Answer    `json:"answer"`
}

const keyVersion = 1

// keyHash returns the name of a client's key.
func keyHash(c Caller, key string) string {
	sum := sha256.Sum256([]byte(c.Tenant.String() + "\n" + c.Client + "\n" + key))
	return hex.EncodeToString(sum[:])
}

func keyName(t time.Time, hash string) string {
	return keyPrefix + t.UTC().Format(time.DateOnly) + "/" + hash
}

// claim takes a key for a request, unless another one has it.
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

// find returns the record of a key, or nil if there is none that still counts.
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

// keep writes the record of a key.
func (k *keys) keep(ctx context.Context, hash string, r keyRecord) error {
	r.Version, r.At = keyVersion, k.now().UTC()
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = k.state.Write(ctx, call.Batch{State: map[string][]byte{keyName(r.At, hash): b}})
	return err
}

// takeOnce is take for a request with a key: if it was answered before, it is
// answered the same.
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
	// Of a body that was taken this reads nothing, or what a decoder has left.
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

// keepKey writes the record of the request. Without it the answer could not be
// given again, so that none is given now.
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
