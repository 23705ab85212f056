package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Run looks after what grows old until ctx is done: it rotates the signing keys
// and forgets the assertions that have expired. It begins with a round and makes
// one every [Config.Every]. A round that fails is logged and made up for by the
// next. Several processes may run it on one KV.
func (a *Authority) Run(ctx context.Context) error {
	t := time.NewTicker(a.every)
	defer t.Stop()
	for {
		if err := a.round(ctx); err != nil && ctx.Err() == nil {
			a.counts.roundFailed.Add(1)
			a.log.Warn("looking after keys and assertions failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// round does what is due.
func (a *Authority) round(ctx context.Context) error {
	now := a.now()
	a.byID.sweep(now)
	a.failed.sweep(now)
	return errors.Join(a.keys.renew(ctx), a.sweepAssertions(ctx))
}

// ReplaceKeys drops all signing keys at once and makes new ones, for the day on
// which somebody has read them. Every token that was issued is void; other
// processes notice within KeyStale.
func (a *Authority) ReplaceKeys(ctx context.Context) error {
	if err := a.keys.replace(ctx); err != nil {
		return fmt.Errorf("auth: replacing the signing keys: %w", err)
	}
	return nil
}

// Changed says that the value of a name in the KV was changed past a. What a
// remembers of it is read again before the next request that is judged by it.
func (a *Authority) Changed(name string) {
	if name == nameKeys {
		a.keys.expire()
		return
	}
	if strings.HasPrefix(name, prefixClient) {
		a.clients.forget(name)
	}
}
