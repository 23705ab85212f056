package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// firstRelease is the commit of the first release, whose stores have format 1.
const firstRelease = "4ff96b0"

// measureUpgrade has the program of the first release import rows, and today's
// upgrade its store. That the first release cannot be built here is no failure.
func (b *bench) measureUpgrade(ctx context.Context) error {
	old := b.newHouse("upgrade")
	old.Program = filepath.Join(b.dir, "first-release")
	if err := buildCommit(ctx, ".", firstRelease, old.Program); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b.missing("the upgrade of a store of the first release", err)
		return nil
	}
	if err := old.settle(ctx); err != nil {
		return err
	}
	imported, _, err := b.importInto(ctx, old, b.upgradeRows)
	if err != nil {
		return err
	}
	before, err := old.stats(ctx)
	if err != nil {
		return err
	}
	now := b.newHouse("upgrade")
	upgrading := kit.Command(ctx, now.Program, "db", "upgrade", "--data", now.Data)
	began := time.Now()
	if _, err := kit.Output(upgrading); err != nil {
		return err
	}
	took, c := time.Since(began), costOf(upgrading)
	after, err := now.stats(ctx)
	if err != nil {
		return err
	}
	if before.Format != 1 || after.Format == 1 || after.Rows != b.upgradeRows {
		return fmt.Errorf("a store of format %d with %d rows has become one of format %d with %d", before.Format, b.upgradeRows, after.Format, after.Rows)
	}
	rate, first := perSecond(int64(b.upgradeRows), took), perSecond(int64(b.upgradeRows), imported)
	b.report.add(result{
		work: "`db upgrade` of a store of the first release, " + commas(int64(b.upgradeRows)) + " rows, from start to end",
		measured: number(rate) + " rows/s: " + took.Round(10*time.Millisecond).String() + ", " + c.String() + "; " +
			commas(before.PerRow) + " bytes a row before, " + commas(after.PerRow) + " just after",
		yardstick: "`gen | import graph -` by the first release: " + number(first) + " rows/s",
		share:     percent(rate / first),
		met:       noClaim,
	})
	return nil
}

// buildCommit compiles trunklog as it was at a commit of the repository in which
// dir is. The source is unpacked beside the program, so that nothing is left in the
// repository if the run is interrupted.
func buildCommit(ctx context.Context, dir, commit, path string) error {
	root, err := kit.Output(kit.Command(ctx, "git", "-C", dir, "rev-parse", "--show-toplevel"))
	if err != nil {
		return fmt.Errorf("its source is not under version control here: %w", err)
	}
	tree := path + ".tree"
	if err := os.Mkdir(tree, 0o700); err != nil {
		return err
	}
	if err := pipe(ctx, kit.Command(ctx, "git", "-C", strings.TrimSpace(string(root)), "archive", commit), kit.Command(ctx, "tar", "-x", "-C", tree)); err != nil {
		return fmt.Errorf("its commit, %s, is not here; if this is a shallow clone, run 'git fetch --unshallow': %w", commit, err)
	}
	if err := kit.Build(ctx, tree, ".", path); err != nil {
		return err
	}
	return os.RemoveAll(tree)
}

// storeStats are what db stats says of a store with one tenant.
type storeStats struct {
	Rows   int
	Format int   `json:"storeVersion"`
	PerRow int64 `json:"bytesPerRow"`
}

func (h *house) stats(ctx context.Context) (storeStats, error) {
	out, err := h.Do(ctx, "db", "stats", "-o", "json")
	if err != nil {
		return storeStats{}, err
	}
	var per []storeStats
	if err := json.Unmarshal(out, &per); err != nil {
		return storeStats{}, fmt.Errorf("db stats: %w", err)
	}
	if len(per) != 1 {
		return storeStats{}, fmt.Errorf("db stats: %d tenants have rows where one should", len(per))
	}
	return per[0], nil
}
