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

// useOnce remembers that a client has used the assertion of that jti, until the
// given Unix time. It reports false if that had been so already, by whichever
// process and before whatever restart.
//
// Assertions are forgotten when they have expired. Whether that is so is for the
// clock to say, which may be set back afterwards: so one that would be forgotten
// no later than others were counts as used.
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
			// It was used, or others were forgotten meanwhile.
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

// sweptUntil reads a value of auth/swept; there is none at first.
func sweptUntil(raw []byte) int64 {
	n, _ := strconv.ParseInt(string(raw), 10, 64)
	return n
}

// sweepBatch is how many names are deleted in one change.
const sweepBatch = 1000

// sweepAssertions forgets the assertions that have expired. If another process
// is at it too, one of the two goes without a batch.
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
