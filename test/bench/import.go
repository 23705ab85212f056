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
	began := time.Now()
	making := b.generate(ctx, b.importRows)
	making.Stdout = io.Discard
	gentle(making)
	if err := making.Run(); err != nil {
		return fmt.Errorf("gen: %w", err)
	}
	alone := time.Since(began)
	took, c, err := b.importInto(ctx, h, b.importRows)
	if err != nil {
		return err
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
	return b.measureTable(ctx, both)
}

// generate returns the command that makes up n rows.
func (b *bench) generate(ctx context.Context, n int) *exec.Cmd {
	from, to := crowd{Rows: n}.span()
	//nolint:gosec // what was built before
	return exec.CommandContext(ctx, b.program, "gen", "--rows", strconv.Itoa(n), "--seed", strconv.FormatUint(b.seed, 10), "--users", strconv.Itoa(b.users), "--from", stamp(from), "--to", stamp(to))
}

// importInto has a house import n rows that are made up meanwhile, and returns how
// long that took, and what the import used up.
func (b *bench) importInto(ctx context.Context, h *house, n int) (time.Duration, cost, error) {
	began := time.Now()
	c, err := pipe(ctx, b.generate(ctx, n), exec.CommandContext(ctx, h.program, "import", "graph", "--tenant", tenantName, "--data", h.dir, "-")) //nolint:gosec // what was built before
	if err != nil {
		return 0, c, err
	}
	took := time.Since(began)
	have, err := h.do(ctx, "calls", "count", "--tenant", tenantName)
	if got := string(have); err == nil && got != strconv.Itoa(n)+"\n" {
		err = fmt.Errorf("after an import of %d rows there are %s", n, got)
	}
	return took, c, err
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
