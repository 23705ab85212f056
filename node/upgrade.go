package node

import (
	"log/slog"
	"time"

	"github.com/trunklog/trunklog/store"
)

// upgradeLog tells the operator in the log how the upgrade of a store goes on.
func upgradeLog(log *slog.Logger) *store.Progress {
	return &store.Progress{
		Now: time.Now,
		Begin: func(_, total int64) {
			log.Warn("the store has an older format and is upgraded in place before the server is ready; an earlier version cannot open it any more, so that it is best to have a backup of before ('trunklog db backup DIR'); if this is interrupted, it goes on where it stopped", "rows", total/2)
		},
		Step: func(done, total int64) { log.Info("upgrading the store", "percent", store.Percent(done, total)) },
		End:  func(_, total int64) { log.Info("the store is upgraded", "rows", total/2) },
	}
}
