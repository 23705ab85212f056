// Bench measures trunklog beside yardsticks that run on the same machine, in
// the same run and on the same bytes, and writes what it found to a page of
// Markdown.
//
//	go run ./test/bench
//	go run ./test/bench -rows 10000000 -timeout 40m
//
// It builds the program, fills a store in a temporary folder and serves it as
// a process of its own. The yardsticks are Go's net/http with the pages in
// memory, nginx with the pages as files, PostgreSQL with the same rows and
// indexes, and the disk alone. Those that are not installed are left out, and
// the page says so; so is the upgrade of a store of the first release where git
// cannot tell what that was.
//
// It knows the program by its commands and answers. What is measured of the
// store alone is measured through package store, in processes of their own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

func main() {
	if played, code := play(os.Args); played {
		os.Exit(code)
	}
	os.Exit(run())
}

// run measures and returns the exit code.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		return 2
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	b := &bench{config: c, report: &report{}, log: os.Stderr}
	if err := b.run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		return 1
	}
	return 0
}

// A config says what to measure.
type config struct {
	rows, postgresRows, importRows, users int
	moveRows, upgradeRows                 int
	calls                                 int // heard
	seed                                  uint64
	clients, rounds                       int
	slice, timeout                        time.Duration
	tmp, out, program                     string
	only                                  []string
	args                                  []string // as given
}

func parse(args []string, usage io.Writer) (config, error) {
	c := config{args: args}
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(usage)
	f.IntVar(&c.rows, "rows", 2_000_000, "fill the store with `N` rows")
	f.IntVar(&c.postgresRows, "postgres-rows", 1_200_000, "fill PostgreSQL with `N` of them at most")
	f.IntVar(&c.importRows, "import-rows", 400_000, "import `N` rows")
	f.IntVar(&c.moveRows, "move-rows", 2*movedSince, "move `N` rows")
	f.IntVar(&c.upgradeRows, "upgrade-rows", 400_000, "upgrade a store of the first release with `N` rows")
	f.IntVar(&c.calls, "calls", 30_000, "hear `N` calls")
	f.IntVar(&c.users, "users", 10_000, "the rows are those of `N` users")
	f.Uint64Var(&c.seed, "seed", 1, "the `SEED` of all that is random")
	f.IntVar(&c.clients, "clients", 8, "ask for pages by `N` connections")
	f.IntVar(&c.rounds, "rounds", 5, "measure everything `N` times in turn")
	f.DurationVar(&c.slice, "slice", 1500*time.Millisecond, "put each server under load for `TIME` in each round")
	f.DurationVar(&c.timeout, "timeout", 15*time.Minute, "give up after `TIME`")
	f.StringVar(&c.tmp, "tmp", "", "keep everything below `DIR`, on the disk to be measured (default the system's folder)")
	f.StringVar(&c.out, "out", "docs/benchmarks.md", "write the page to `FILE`; - is stdout")
	f.StringVar(&c.program, "program", "", "measure the program at `PATH` instead of building it")
	f.StringVar(&only, "only", "", "leave out all but `LIST` of: "+strings.Join(steps(), ", "))
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if only != "" {
		c.only = strings.Split(only, ",")
	}
	for _, name := range c.only {
		if !slices.Contains(steps(), name) {
			err := fmt.Errorf("-only: there is no %q; known are %s", name, strings.Join(steps(), ", "))
			fmt.Fprintln(usage, err)
			return c, err
		}
	}
	if c.rows < batchRows || c.moveRows < 2*batchRows || c.upgradeRows < 1 || c.clients < 1 || c.rounds < 1 || f.NArg() > 0 {
		err := errors.New("at least 5,000 rows, 10,000 that move, one to upgrade, one client and one round are needed, and no arguments")
		fmt.Fprintln(usage, err)
		return c, err
	}
	return c, nil
}

// steps returns the names of what can be measured by itself.
func steps() []string {
	return []string{"postgres", "page", "skip", "number", "open", "import", "changes", "look-ups", "groups", "events", "moves", "upgrade", "hear", "neighbours"}
}

// A bench is one run. The measurements are made one after the other.
type bench struct {
	config
	report *report
	log    io.Writer
	dir    string // all is below it; removed at the end

	filled   filled
	rate     float64 // rows a second that were written, with closing
	perRow   float64 // bytes on disk
	tables   float64 // those of them in tables
	changes  float64 // those of them that are changes; 0 if not measured
	postgres besides
}

func (b *bench) crowd() crowd { return crowd{Rows: b.rows, Users: b.users, Seed: b.seed} }

// end is the end of the time in which the rows start.
func (b *bench) end() time.Time {
	_, to := b.crowd().span()
	return to
}

func (b *bench) house() *house { return b.newHouse("data") }

func (b *bench) storeDir() string { return b.dir + "/data/store" }

// run measures everything and writes the page. What fails is left out of the
// page, where it is named, and makes the run fail at its end.
func (b *bench) run(ctx context.Context) (err error) {
	if b.dir, err = os.MkdirTemp(b.tmp, "trunklog-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := os.Chmod(b.dir, 0o711); err != nil { //nolint:gosec // PostgreSQL runs as another user
		return err
	}
	began := time.Now()
	b.facts(ctx, began)
	if b.program == "" {
		b.program = b.dir + "/trunklog"
		if err := b.step(ctx, "build", func(ctx context.Context) error { return kit.Build(ctx, "", ".", b.program) }); err != nil {
			return err
		}
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	failed := errors.Join(
		b.step(ctx, "postgres", b.measurePostgres),
		b.serve(ctx),
		b.step(ctx, "import", b.measureImport),
		b.step(ctx, "changes", b.measureChanges),
		b.step(ctx, "number", b.measureNumber),
		b.step(ctx, "look-ups", b.measureLookUps),
		b.step(ctx, "groups", b.measureGroups),
		b.step(ctx, "events", b.measureEvents),
		b.step(ctx, "moves", b.measureMoves),
		b.step(ctx, "upgrade", b.measureUpgrade),
		b.step(ctx, "hear", b.measureHear),
		b.step(ctx, "neighbours", b.measureNeighbours),
	)
	if ctx.Err() != nil {
		return fmt.Errorf("no page is written: %w", context.Cause(ctx)) // half a run would replace a whole one
	}
	b.reportFill()
	b.remarks(time.Since(began))
	return errors.Join(failed, b.writePage())
}

// prepare makes the house and fills its store.
func (b *bench) prepare(ctx context.Context) error {
	if err := os.Mkdir(b.house().Data, 0o700); err != nil {
		return err
	}
	return b.step(ctx, "fill", b.measureFill)
}

// serve measures what needs a running server.
func (b *bench) serve(ctx context.Context) error {
	h := b.house()
	if err := h.settle(ctx); err != nil {
		return err
	}
	c, err := h.newClient(ctx, "bench", tenantName)
	if err != nil {
		return err
	}
	s, err := h.serve(ctx, c.Token)
	if err != nil {
		return err
	}
	defer func() { _ = s.Stop() }() // it may have been stopped
	if rested, err := s.rest(ctx, 30*time.Second); err == nil {
		b.report.note("After the rows had been written and the server was started again, it was let alone for %s, until it had nothing to do any more.", rested.Round(time.Second))
	}
	with := func(f func(context.Context, *server) error) func(context.Context) error {
		return func(ctx context.Context) error { return f(ctx, s) }
	}
	err = errors.Join(
		b.step(ctx, "page", with(b.measurePages)),
		b.step(ctx, "skip", with(b.measureSkip)),
		b.step(ctx, "number", with(b.measureNumberHTTP)),
	)
	b.reportMemory(s)
	return errors.Join(err, b.step(ctx, "open", func(ctx context.Context) error { return b.measureOpen(ctx, h, s) }))
}

// longest is how long a measurement may take on a machine that is far too slow
// or busy. On one that does nothing else, none takes more than two minutes.
const longest = 5 * time.Minute

// step makes one measurement, unless it is not wanted.
func (b *bench) step(ctx context.Context, name string, f func(context.Context) error) error {
	if len(b.only) > 0 && !slices.Contains(b.only, name) && !slices.Contains([]string{"build", "fill"}, name) {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if name != "fill" { // which takes as long as there are rows
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, longest, fmt.Errorf("given up after %v", longest))
		defer cancel()
	}
	began := time.Now()
	err := f(ctx)
	fmt.Fprintf(b.log, "%-10s %s\n", name, time.Since(began).Round(100*time.Millisecond))
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
		b.report.note("Failed: %s.", b.shown(err))
	}
	return err
}

// missing notes why something was not measured.
func (b *bench) missing(work string, err error) { b.report.missing(work, b.shown(err)) }

// shown is what an error says, without the name of a folder of this machine.
func (b *bench) shown(err error) string { return strings.ReplaceAll(err.Error(), b.dir, "DIR") }
