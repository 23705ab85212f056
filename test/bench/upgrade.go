package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// firstRelease is the commit of the first release, whose stores have format 1.
const firstRelease = "4ff96b0"

// measureUpgrade has the program of the first release import rows, and today's
// upgrade its store. That the first release cannot be built here is no failure.
func (b *bench) measureUpgrade(ctx context.Context) error {
	old := &house{program: filepath.Join(b.dir, "first-release"), dir: filepath.Join(b.dir, "upgrade")}
	if err := buildCommit(ctx, ".", firstRelease, old.program); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b.report.missing("the upgrade of a store of the first release", strings.ReplaceAll(err.Error(), b.dir, "DIR"))
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
	now := &house{program: b.program, dir: old.dir}
	took, c, err := now.timed(ctx, "db", "upgrade")
	if err != nil {
		return err
	}
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
		measured: number(rate) + " rows/s: " + took.Round(10*time.Millisecond).String() + ", " + c.CPU.Round(100*time.Millisecond).String() + " of processor time and " + mebibytes(c.Peak) + " at most; " +
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
	root, err := output(ctx, "git", "-C", dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return fmt.Errorf("its source is not under version control here: %w", err)
	}
	archive, tree := path+".zip", path+".tree"
	if _, err := output(ctx, "git", "-C", strings.TrimSpace(string(root)), "archive", "--format=zip", "-o", archive, commit); err != nil {
		return fmt.Errorf("its commit, %s, is not here; if this is a shallow clone, run 'git fetch --unshallow': %w", commit, err)
	}
	if err := unzip(tree, archive); err != nil {
		return err
	}
	if err := build(ctx, tree, path); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(tree), os.Remove(archive))
}

// unzip unpacks an archive to a new folder.
func unzip(dir, archive string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	return errors.Join(os.CopyFS(dir, z), z.Close())
}

// storeStats are what db stats says of a store with one tenant.
type storeStats struct {
	Rows   int
	Format int   `json:"storeVersion"`
	PerRow int64 `json:"bytesPerRow"`
}

func (h *house) stats(ctx context.Context) (storeStats, error) {
	out, err := h.do(ctx, "db", "stats", "-o", "json")
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

// timed runs a command in the house and returns how long it took, and what it used
// up.
func (h *house) timed(ctx context.Context, args ...string) (time.Duration, cost, error) {
	cmd := exec.CommandContext(ctx, h.program, append(args, "--data", h.dir)...) //nolint:gosec // what was built before
	gentle(cmd)
	var log tail
	cmd.Stderr = &log
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, cost{}, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, &log)
	}
	return time.Since(began), costOf(cmd), nil
}
