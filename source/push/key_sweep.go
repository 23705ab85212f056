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
	// mostDays is how many days the sweep looks at if the server has been off for long. Older
	// records were deleted before, or are small and stay, and no request finds them.
	mostDays = 400
)

// sweepKeys deletes the kept answers that are too old to be given again, every hour until ctx is
// done.
func (h *Handler) sweepKeys(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		// The next sweep makes up for one that failed.
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

// sweep deletes the records of all days before yesterday. Those of today and yesterday may still
// count.
func (k *keys) sweep(ctx context.Context) error {
	last := k.now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -2)
	on, err := call.Value(ctx, k.state, sweptName)
	if err != nil {
		return fmt.Errorf("sweep keys: %w", err)
	}
	swept, err := time.Parse(time.DateOnly, string(on))
	if err != nil { // no sweep has ended yet
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

// sweepDay deletes the records of a day, those of 256 parts of the hashes one after another.
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
