package push

import (
	"context"
	"fmt"
	"time"

	"github.com/trunklog/trunklog/call"
)

const (
	sweepEvery = time.Hour
	sweptName  = keyPrefix + "swept"
	// mostDays is how many days are looked at if a server has been off for
	// long. Whatever is older was deleted before, or is found never again and
	// is small.
	mostDays = 400
)

// sweepKeys deletes the answers that are not given again any more, until ctx is done.
func (h *Handler) sweepKeys(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		// A round that failed is made up for by the next one.
		if err := h.keys.sweep(ctx); err != nil && ctx.Err() == nil {
			h.c.Log.Error("deleting old Idempotency-Keys failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sweep deletes the records of the days that are over for good: today and the
// day before it can still hold some that count.
func (k *keys) sweep(ctx context.Context) error {
	last := k.now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -2)
	on, err := call.Value(ctx, k.state, sweptName)
	if err != nil {
		return fmt.Errorf("sweep keys: %w", err)
	}
	swept, err := time.Parse(time.DateOnly, string(on))
	if err != nil { // never yet
		swept = last.AddDate(0, 0, -1)
	}
	if first := last.AddDate(0, 0, -mostDays); swept.Before(first) {
		swept = first
	}
	for day := swept.AddDate(0, 0, 1); !day.After(last); day = day.AddDate(0, 0, 1) {
		if err := k.sweepDay(ctx, day.Format(time.DateOnly)); err != nil {
			return fmt.Errorf("sweep keys of %s: %w", day.Format(time.DateOnly), err)
		}
	}
	return nil
}

// sweepDay deletes the records of a day, a part of them at a time.
func (k *keys) sweepDay(ctx context.Context, day string) error {
	const hexDigits = "0123456789abcdef"
	for _, a := range hexDigits {
		for _, b := range hexDigits {
			state, err := call.Values(ctx, k.state, keyPrefix+day+"/"+string(a)+string(b))
			if err != nil {
				return err
			}
			if len(state) == 0 {
				continue
			}
			for name := range state {
				state[name] = nil
			}
			if _, err := k.state.Write(ctx, call.Batch{State: state}); err != nil {
				return err
			}
		}
	}
	_, err := k.state.Write(ctx, call.Batch{State: map[string][]byte{sweptName: []byte(day)}})
	return err
}
