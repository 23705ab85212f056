package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// useOnce records that a client has used the assertion of that jti, and keeps this until the given
// Unix time. It returns false if the client had used the assertion before, in any process and
// before any restart.
//
// The server forgets assertions that have expired by its clock. The operator may set the clock back
// afterwards; so useOnce also returns false for an assertion that expires no later than one that
// the server has forgotten.
func (a *Authority) useOnce(ctx context.Context, client, jti string, until int64) (bool, error) {
	sum := sha256.Sum256([]byte(jti))
	name, swept := prefixJTI+client+"/"+base64.RawURLEncoding.EncodeToString(sum[:]), prefixSwept+client
	first := false
	err := retry(func() error {
		raw, err := get(ctx, a.kv, swept)
		if err != nil {
			return err
		}
		if until <= sweptUntil(raw) {
			return nil
		}
		err = a.kv.Save(ctx, map[string][]byte{name: strconv.AppendInt(nil, until, 10)}, map[string][]byte{name: nil, swept: raw})
		if errors.Is(err, ErrConflict) {
			// The client has used it, or another process has forgotten assertions meanwhile.
			if used, getErr := get(ctx, a.kv, name); getErr != nil || used != nil {
				return getErr
			}
		}
		first = err == nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("auth: remembering an assertion: %w", err)
	}
	return first, nil
}

// sweptUntil parses a value of auth/swept; it returns 0 if there is none.
func sweptUntil(raw []byte) int64 {
	n, _ := strconv.ParseInt(string(raw), 10, 64)
	return n
}

// sweepBatch is the number of names that one save deletes.
const sweepBatch = 1000

// sweepAssertions forgets the expired assertions. If two processes do so at once, the save of one
// fails, and it skips that batch.
func (a *Authority) sweepAssertions(ctx context.Context) error {
	all, err := a.kv.Load(ctx, prefixJTI)
	if err != nil {
		return fmt.Errorf("auth: reading the assertions that were used: %w", err)
	}
	swept, err := a.kv.Load(ctx, prefixSwept)
	if err != nil {
		return fmt.Errorf("auth: reading which assertions were forgotten: %w", err)
	}
	set, cond, deleted := map[string][]byte{}, map[string][]byte{}, 0
	flush := func() error {
		if deleted == 0 {
			return nil
		}
		err := a.kv.Save(ctx, set, cond)
		for name, raw := range set {
			if err == nil && raw != nil {
				swept[name] = raw
			}
		}
		clear(set)
		clear(cond)
		deleted = 0
		if err != nil && !errors.Is(err, ErrConflict) {
			return fmt.Errorf("auth: forgetting assertions that have expired: %w", err)
		}
		return nil
	}
	now := a.now().Unix()
	for name, raw := range all {
		until, err := strconv.ParseInt(string(raw), 10, 64)
		if err == nil && now <= until {
			continue
		}
		set[name], cond[name] = nil, raw
		client, _, _ := strings.Cut(strings.TrimPrefix(name, prefixJTI), "/")
		mark := prefixSwept + client
		if _, there := set[mark]; !there {
			set[mark], cond[mark] = swept[mark], swept[mark]
		}
		set[mark] = strconv.AppendInt(nil, max(until, sweptUntil(set[mark])), 10)
		if deleted++; deleted == sweepBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
