package store

import (
	"context"
	"time"
)

// upgradeEvery is how often a Progress reports.
const upgradeEvery = 5 * time.Second

// A Progress reports how far a store's upgrade has come, and stops it when ctx is done. The upgrade
// goes on when the store is opened the next time.
type Progress struct {
	Begin, Step, End func(done, total int64)
	Now              func() time.Time
	last             time.Time
	began, ended     bool
}

func (u *Progress) Report(ctx context.Context) func(done, total int64) error {
	return func(done, total int64) error {
		switch {
		case u.ended:
			return nil
		case !u.began:
			u.began, u.last = true, u.Now()
			u.Begin(done, total)
		case done == total:
			u.ended = true
			u.End(done, total)
			return nil
		case u.Now().Sub(u.last) >= upgradeEvery:
			u.last = u.Now()
			u.Step(done, total)
		}
		return context.Cause(ctx)
	}
}

// Percent returns how much of the work is done.
func Percent(done, total int64) int64 { return 100 * done / max(total, 1) }
