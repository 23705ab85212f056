package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// facts notes when, where and what is measured.
func (b *bench) facts(ctx context.Context, now time.Time) {
	b.report.fact("date", now.UTC().Format("2006-01-02 15:04 UTC"))
	for _, f := range machine(b.dir) {
		b.report.fact(f[0], f[1])
	}
	b.report.fact("load of the machine before the run", busy())
	b.report.fact("trunklog", commit(ctx)+", "+runtime.Version())
	b.report.fact("nginx", nginxVersion(ctx)+", a worker per core, sendfile, gzip_static")
	b.report.fact("command", "`"+strings.Join(append([]string{"go run ./test/bench"}, b.arguments()...), " ")+"`")
}

// arguments returns those of the command without what only names places on this machine.
func (b *bench) arguments() []string {
	var out []string
	for _, a := range b.args {
		if strings.Contains(a, "/") {
			a = "…"
		}
		out = append(out, a)
	}
	return out
}

// commit names the state of the source.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "not under version control"
	}
	name := "commit " + strings.TrimSpace(string(out))
	if changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "-uno").Output(); err != nil || len(changed) > 0 {
		name += " with changes"
	}
	return name
}

// remarks notes what a reader must know to judge the figures.
func (b *bench) remarks(took time.Duration) {
	b.report.note("The servers, the clients and the yardsticks share the same cores, so that a figure is not what a server with a machine of its own would reach. The shares compare like with like: the same client, the same number of connections, in turn.")
	b.report.note("The client is this harness's own: %d connections of HTTP/1.1 that are kept alive, each with one request at a time; answers are read and thrown away. The yardsticks are sent the same headers.", b.clients)
	b.report.note("trunklog's pages start at random rows of the whole store, while a yardstick serves %d of those pages that trunklog itself has answered, from memory or from the kernel's page cache. Plain HTTP on loopback, but where TLS is named; then HTTP/1.1 over TLS 1.3 with a P-256 certificate.", yardPages)
	b.report.note("Everything trunklog serves checks the token, reads the rows from the store, encodes and packs them for every request: nothing is kept from one request to the next but the store's own block cache (128 MiB, the default).")
	b.report.note("Ingest writes rows in the order in which they become known. The rate with closing is all rows divided by all the time until the store was closed. PostgreSQL's table has no column for who said what, and its rates are those until the last commit.")
	b.report.note("Rows: %s in the store, %s in PostgreSQL, about %s a day, of %s users, seed %d. Nothing but what is named so was read from the disk: the files were in the kernel's page cache.", commas(int64(b.rows)), commas(int64(b.postgres.rows)), commas(rowsPerDay), commas(int64(b.users)), b.seed)
	b.report.note("The run took %s.", took.Round(time.Second))
}

// writePage writes the report to where it was asked for.
func (b *bench) writePage() (err error) {
	if b.out == "-" {
		return b.report.write(os.Stdout)
	}
	f, err := os.Create(b.out)
	if err != nil {
		return err
	}
	return errors.Join(b.report.write(f), f.Close())
}
