package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// sweep forgets the expired assertions, and deletes what requests have written about clients and
// their keys that were gone by then. If two processes do so at once, the save of one fails, and it
// skips that batch.
func (a *Authority) sweep(ctx context.Context) error {
	var read [4]map[string][]byte
	// The clients come last, so that all that was read before belongs to one of them or to one that
	// is gone.
	for i, prefix := range []string{prefixJTI, prefixSwept, prefixUsed, prefixClient} {
		var err error
		if read[i], err = a.kv.Load(ctx, prefix); err != nil {
			return fmt.Errorf("auth: reading %s: %w", prefix, err)
		}
	}
	assertions, swept, used, clients := read[0], read[1], read[2], read[3]
	exist := make(map[string]bool, len(clients)) // by id
	for name := range clients {
		exist[name[strings.LastIndexByte(name, '/')+1:]] = true
	}
	left := map[string][]byte{}
	for name, raw := range swept {
		if !exist[strings.TrimPrefix(name, prefixSwept)] {
			left[name] = raw
		}
	}
	for name, raw := range used {
		if unused(name, clients) {
			left[name] = raw
		}
	}
	return errors.Join(a.sweepAssertions(ctx, assertions, swept, exist), a.deleteLeft(ctx, left))
}

// unused reports whether a name of auth/used belongs to a client, secret or key that is gone.
func unused(name string, clients map[string][]byte) bool {
	of := strings.TrimPrefix(name, prefixUsed)
	client := prefixClient + of[:max(strings.LastIndexByte(of, '/'), 0)]
	raw, ok := clients[client]
	if !ok {
		return true
	}
	c, err := parseClient(client, raw)
	return err == nil && !slices.Contains(c.usedNames(), name)
}

// deleteLeft deletes names that still have these values.
func (a *Authority) deleteLeft(ctx context.Context, left map[string][]byte) error {
	for names := range slices.Chunk(slices.Sorted(maps.Keys(left)), sweepBatch) {
		set, cond := map[string][]byte{}, map[string][]byte{}
		for _, name := range names {
			set[name], cond[name] = nil, left[name]
		}
		if err := a.kv.Save(ctx, set, cond); err != nil && !errors.Is(err, ErrConflict) {
			return fmt.Errorf("auth: deleting what clients have left that are gone: %w", err)
		}
	}
	return nil
}

// sweepAssertions forgets the expired among the assertions that were used. For a client that exists
// it notes in swept which it has forgotten.
func (a *Authority) sweepAssertions(ctx context.Context, all, swept map[string][]byte, exist map[string]bool) error {
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
		if mark := prefixSwept + client; exist[client] {
			if _, there := set[mark]; !there {
				set[mark], cond[mark] = swept[mark], swept[mark]
			}
			set[mark] = strconv.AppendInt(nil, max(until, sweptUntil(set[mark])), 10)
		}
		if deleted++; deleted == sweepBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
