package cli

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/tenant"
)

// keepsSIP reports whether the SIP messages of calls are kept.
func (s *serving) keepsSIP() bool { return keepsSIP(s.keepSIP) }

func keepsSIP(period string) bool { return period != "" && period != "off" && period != "0" }

// sipPeriod returns for how long they are. It is for ever, so that nothing is
// deleted, if none are kept: what is there was put there by an import.
func (s *serving) sipPeriod() (tenant.Period, error) { return sipPeriod(s.keepSIP) }

func sipPeriod(period string) (tenant.Period, error) {
	if !keepsSIP(period) {
		return tenant.Period{}, nil
	}
	p, err := tenant.ParsePeriod(period)
	if err != nil {
		return p, usage("--keep-sip: %w, or 'off'", err)
	}
	return p, nil
}

// trimMessages deletes the SIP messages that need not be kept any longer, day
// by day, until ctx is done.
func trimMessages(ctx context.Context, st call.Store, keep tenant.Period, now func() time.Time, log *slog.Logger) error {
	if keep.Forever() {
		return nil
	}
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		// A round that failed is made up for by the next one.
		if err := st.TrimMessages(ctx, keep.Before(now())); err != nil && ctx.Err() == nil {
			log.Error("deleting old SIP messages failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// trimRejects deletes the rejects files that are too old until ctx is done.
func trimRejects(ctx context.Context, folder *os.Root, now func() time.Time, log *slog.Logger) error {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		switch n, err := datadir.DeleteRejects(folder, now()); {
		case err != nil:
			log.Error("deleting old rejects files failed", "err", err)
		case n > 0:
			log.Info("deleted old rejects files", "files", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
