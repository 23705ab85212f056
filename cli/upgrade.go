package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/store"
)

// upgrading tells the operator how far the upgrade of a store has come.
func (p *program) upgrading() *store.Progress {
	return &store.Progress{
		Now: p.now,
		Begin: func(_, total int64) {
			fmt.Fprintf(p.stderr, "the store has an older format: it is upgraded in place (%d rows), and an earlier version cannot open it any more; it is best to have a backup of before ('trunklog db backup DIR'). If this is interrupted, it goes on where it stopped.\n", total/2)
		},
		Step: func(done, total int64) {
			fmt.Fprintf(p.stderr, "upgrading the store: %d %%\n", store.Percent(done, total))
		},
		End: func(_, total int64) { fmt.Fprintf(p.stderr, "the store is upgraded: %d rows\n", total/2) },
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
			return p.keeper(cmd, func(ctx context.Context, _ *house, k admin.Keeper) error {
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
