package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// measureImport makes rows up by one command and pipes them to another that
// keeps them, as a user does who tries trunklog out.
func (b *bench) measureImport(ctx context.Context) error {
	h := b.newHouse("import")
	if err := h.settle(ctx); err != nil {
		return err
	}
	began := time.Now()
	making := b.generate(ctx, b.importRows)
	making.Stdout = io.Discard
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
		measured:  number(both) + " rows/s; import took " + c.String(),
		yardstick: "`gen` alone: " + number(made) + " rows/s",
		share:     percent(both / made),
		met:       noClaim,
	})
	return b.measureTable(ctx, both)
}

// generate returns the command that makes up n rows.
func (b *bench) generate(ctx context.Context, n int) *exec.Cmd {
	from, to := crowd{Rows: n}.span()
	return kit.Command(ctx, b.program, "gen", "--rows", strconv.Itoa(n), "--seed", strconv.FormatUint(b.seed, 10), "--users", strconv.Itoa(b.users), "--from", stamp(from), "--to", stamp(to))
}

// importInto has a house import n rows that are made up meanwhile, and returns how
// long that took, and what the import used up.
func (b *bench) importInto(ctx context.Context, h *house, n int) (time.Duration, cost, error) {
	began := time.Now()
	importing := kit.Command(ctx, h.Program, "import", "graph", "--tenant", tenantName, "--data", h.Data, "-")
	if err := pipe(ctx, b.generate(ctx, n), importing); err != nil {
		return 0, cost{}, err
	}
	took, c := time.Since(began), costOf(importing)
	have, err := h.Do(ctx, "calls", "count", "--tenant", tenantName)
	if got := string(have); err == nil && got != strconv.Itoa(n)+"\n" {
		err = fmt.Errorf("after an import of %d rows there are %s", n, got)
	}
	return took, c, err
}

// pipe runs two programs, of which one reads what the other writes.
func pipe(ctx context.Context, from, to *exec.Cmd) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	from.Stdout, to.Stdin = w, r
	p, err := kit.Start(from)
	if err = errors.Join(err, w.Close()); err != nil { // the program has it
		return errors.Join(err, r.Close())
	}
	_, err = kit.Output(to)
	return errors.Join(err, r.Close(), p.Wait(ctx))
}
