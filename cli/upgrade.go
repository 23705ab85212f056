package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/tenant"
)

// upgradeEvery is how often it is said how far an upgrade has come.
const upgradeEvery = 5 * time.Second

// An upgrade tells how far the upgrade of a store has come, and stops it when ctx is
// done. It goes on when the store is opened the next time.
type upgrade struct {
	begin, step, end func(done, total int64)
	now              func() time.Time
	last             time.Time
	began, ended     bool
}

func (u *upgrade) report(ctx context.Context) func(done, total int64) error {
	return func(done, total int64) error {
		switch {
		case u.ended:
			return nil
		case !u.began:
			u.began, u.last = true, u.now()
			u.begin(done, total)
		case done == total:
			u.ended = true
			u.end(done, total)
			return nil
		case u.now().Sub(u.last) >= upgradeEvery:
			u.last = u.now()
			u.step(done, total)
		}
		return context.Cause(ctx)
	}
}

// percent returns how much of the work is done.
func percent(done, total int64) int64 { return 100 * done / max(total, 1) }

// upgrading tells the user of a command.
func (p *program) upgrading() *upgrade {
	return &upgrade{
		now: p.now,
		begin: func(_, total int64) {
			fmt.Fprintf(p.stderr, "the store has an older format: it is upgraded in place (%d rows), and an earlier version cannot open it any more; it is best to have a backup of before ('trunklog db backup DIR'). If this is interrupted, it goes on where it stopped.\n", total/2)
		},
		step: func(done, total int64) { fmt.Fprintf(p.stderr, "upgrading the store: %d %%\n", percent(done, total)) },
		end:  func(_, total int64) { fmt.Fprintf(p.stderr, "the store is upgraded: %d rows\n", total/2) },
	}
}

// upgradeLog tells the operator of a server.
func upgradeLog(now func() time.Time, log *slog.Logger) *upgrade {
	return &upgrade{
		now: now,
		begin: func(_, total int64) {
			log.Warn("the store has an older format and is upgraded in place before the server is ready; an earlier version cannot open it any more, so that it is best to have a backup of before ('trunklog db backup DIR'); if this is interrupted, it goes on where it stopped", "rows", total/2)
		},
		step: func(done, total int64) { log.Info("upgrading the store", "percent", percent(done, total)) },
		end:  func(_, total int64) { log.Info("the store is upgraded", "rows", total/2) },
	}
}

func (p *program) dbUpgradeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "upgrade",
		Short: "Bring a store of an earlier version to today's format, in place",
		Long: `Bring a store that an earlier version has written to the format of this one. It is
done in place, also by 'serve' and by any other command that opens such a store, and
goes on where it stopped if it is interrupted. An earlier version cannot open the
store any more: make a backup first, with 'trunklog db backup DIR'.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.keeper(cmd, func(ctx context.Context, _ *house, k call.Keeper) error {
				s, err := k.Stats(ctx)
				if err != nil {
					return err
				}
				fmt.Fprintf(p.stderr, "the store has format %d, which is that of this version\n", s.Format)
				return nil
			})
		},
	}
}

// trimChanges forgets the changes that need not be kept any longer, until ctx is done.
func trimChanges(ctx context.Context, st call.Store, keep tenant.Period, now func() time.Time, log *slog.Logger) error {
	if keep.Forever() {
		return nil
	}
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		// A round that failed is made up for by the next one.
		before := keep.Before(now())
		err := errors.Join(st.TrimChanges(ctx, before), ingest.ForgetImports(ctx, st, before))
		if err != nil && ctx.Err() == nil {
			log.Error("forgetting old changes failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
