package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/trunklog/trunklog/call"
)

// tidying says which store to put in order, and whether to forget what has
// changed in it.
type tidying struct {
	Store  string
	Forget bool
}

// tidy gives back what a store needs no more. All files are as they stay when the
// store is closed.
func tidy(ctx context.Context, q tidying) (none struct{}, _ error) {
	return none, withStore(ctx, q.Store, func(st call.Store) error {
		if q.Forget {
			if err := st.TrimChanges(ctx, time.Now().Add(time.Hour)); err != nil {
				return err
			}
		}
		if k, ok := st.(call.Keeper); ok {
			return k.Compact(ctx)
		}
		return nil
	})
}

// history returns how many bytes a row the changes and moves of a store take, all
// of which are gone afterwards. What is compared has been put in order both times.
func history(ctx context.Context, dir string, rows int) (perRow float64, err error) {
	var tables [2]int64
	for i := range tables {
		if _, err := child(ctx, "tidy", tidying{Store: "pebble:" + dir, Forget: i == 1}, &struct{}{}); err != nil {
			return 0, err
		}
		_, by, err := sizeOf(dir)
		if err != nil {
			return 0, err
		}
		tables[i] = by[".sst"]
	}
	return float64(tables[0]-tables[1]) / float64(rows), nil
}

// measureChanges measures how much of the store is what has changed, on a copy of
// it.
func (b *bench) measureChanges(ctx context.Context) (err error) {
	dir := filepath.Join(b.dir, "changes")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.CopyFS(dir, os.DirFS(b.storeDir())); err != nil {
		return err
	}
	if b.changes, err = history(ctx, dir, b.rows); err != nil {
		return err
	}
	if b.changes <= 0 {
		return errors.New("a store has not become smaller when its changes were forgotten")
	}
	return nil
}

// diskResult judges what a row takes without what has changed, which is kept for
// some weeks.
func (b *bench) diskResult() result {
	rest := b.perRow - b.changes
	r := result{
		work:     "disk per row, everything included",
		target:   "≤ 260 bytes without changes and moves",
		measured: number(b.perRow) + " bytes, " + number(b.tables) + " of them in tables; the rest does not grow with the rows. ",
		met:      judge(rest <= 260),
	}
	if b.changes > 0 {
		r.measured += number(b.changes) + " bytes are changes, and none are moves: " + number(rest) + " without"
	} else {
		r.measured += "How many are changes was not measured"
	}
	if p := b.postgres; p.rows > 0 {
		r.yardstick, r.share = "PostgreSQL, same indexes: "+number(p.perRow)+" bytes", percent(b.perRow/p.perRow)
	}
	return r
}
