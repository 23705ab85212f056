package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// measureImport makes rows up by one command and pipes them to another that
// keeps them, as a user does who tries trunklog out.
func (b *bench) measureImport(ctx context.Context) error {
	h := &house{program: b.program, dir: filepath.Join(b.dir, "import")}
	if err := h.settle(ctx); err != nil {
		return err
	}
	from, to := crowd{Rows: b.importRows}.span()
	args := []string{"gen", "--rows", strconv.Itoa(b.importRows), "--seed", strconv.FormatUint(b.seed, 10), "--users", strconv.Itoa(b.users), "--from", stamp(from), "--to", stamp(to)}

	began := time.Now()
	making := exec.CommandContext(ctx, h.program, args...) //nolint:gosec // what was built before
	making.Stdout = io.Discard
	gentle(making)
	if err := making.Run(); err != nil {
		return fmt.Errorf("gen: %w", err)
	}
	alone := time.Since(began)

	began = time.Now()
	c, err := pipe(ctx, exec.CommandContext(ctx, h.program, args...), //nolint:gosec // the same
		exec.CommandContext(ctx, h.program, "import", "graph", "--tenant", tenantName, "--data", h.dir, "-")) //nolint:gosec // the same
	if err != nil {
		return err
	}
	took := time.Since(began)
	n, err := h.do(ctx, "calls", "count", "--tenant", tenantName)
	if err != nil {
		return err
	}
	if got := string(n); got != strconv.Itoa(b.importRows)+"\n" {
		return fmt.Errorf("after an import of %d rows there are %s", b.importRows, got)
	}
	both := perSecond(int64(b.importRows), took)
	made := perSecond(int64(b.importRows), alone)
	b.report.add(result{
		work:      "`gen | import graph -`, " + commas(int64(b.importRows)) + " rows, from start to end",
		measured:  number(both) + " rows/s; import took " + c.CPU.Round(100*time.Millisecond).String() + " of processor time and " + mebibytes(c.Peak) + " at most",
		yardstick: "`gen` alone: " + number(made) + " rows/s",
		share:     percent(both / made),
		met:       noClaim,
	})
	return nil
}

// pipe runs two programs, of which one reads what the other writes, and
// returns what the second used up.
func pipe(ctx context.Context, from, to *exec.Cmd) (cost, error) {
	gentle(from)
	gentle(to)
	var fromLog, toLog tail
	from.Stderr, to.Stderr = &fromLog, &toLog
	out, err := from.StdoutPipe()
	if err != nil {
		return cost{}, err
	}
	to.Stdin = out
	if err := from.Start(); err != nil {
		return cost{}, err
	}
	toErr := to.Run()
	if ctx.Err() != nil {
		toErr = errors.Join(toErr, context.Cause(ctx))
	}
	// The pipe is read to its end or nobody will read it any more.
	fromErr := from.Wait()
	if err := errors.Join(toErr, fromErr); err != nil {
		return cost{}, fmt.Errorf("gen | import: %w: %s %s", err, &fromLog, &toLog)
	}
	return costOf(to), nil
}
