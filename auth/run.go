package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Run maintains the state until ctx is done: it rotates the signing keys, forgets expired assertions
// and idle senders, and deletes what deleted clients have left. It makes a round at once and then one every [Config.Every]. If a
// round fails, Run logs it, and the next round does the work. Several processes may run it on one
// KV.
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

// round does one round of [Authority.Run].
func (a *Authority) round(ctx context.Context) error {
	now := a.now()
	a.byID.sweep(now)
	a.failed.sweep(now)
	a.lines.sweep(now)
	return errors.Join(a.keys.renew(ctx), a.sweep(ctx))
}

// ReplaceKeys drops all signing keys at once and makes new ones, for the day on which a stranger
// has read them. This voids all tokens; other processes notice within KeyStale.
func (a *Authority) ReplaceKeys(ctx context.Context) error {
	if err := a.keys.replace(ctx); err != nil {
		return fmt.Errorf("auth: replacing the signing keys: %w", err)
	}
	return nil
}

// Changed tells a that the value of a name in the KV has changed, but not through a. The authority
// reads it again before the next decision that depends on it.
func (a *Authority) Changed(name string) {
	if name == nameKeys {
		a.keys.expire()
		return
	}
	if strings.HasPrefix(name, prefixClient) {
		a.clients.forget(name)
	}
}
