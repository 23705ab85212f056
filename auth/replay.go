package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
)

// useOnce remembers that a client has used the assertion of that jti, until the
// given Unix time. It reports false if that had been so already, by whichever
// process and before whatever restart.
func (a *Authority) useOnce(ctx context.Context, client, jti string, until int64) (bool, error) {
	sum := sha256.Sum256([]byte(jti))
	name := prefixJTI + client + "/" + base64.RawURLEncoding.EncodeToString(sum[:])
	err := a.kv.Save(ctx, map[string][]byte{name: strconv.AppendInt(nil, until, 10)}, map[string][]byte{name: nil})
	switch {
	case errors.Is(err, ErrConflict):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("auth: remembering an assertion: %w", err)
	}
	return true, nil
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
	set, cond := map[string][]byte{}, map[string][]byte{}
	flush := func() error {
		if len(set) == 0 {
			return nil
		}
		err := a.kv.Save(ctx, set, cond)
		clear(set)
		clear(cond)
		if err != nil && !errors.Is(err, ErrConflict) {
			return fmt.Errorf("auth: forgetting assertions that have expired: %w", err)
		}
		return nil
	}
	now := a.now().Unix()
	for name, raw := range all {
		if until, err := strconv.ParseInt(string(raw), 10, 64); err == nil && now <= until {
			continue
		}
		set[name], cond[name] = nil, raw
		if len(set) == sweepBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
