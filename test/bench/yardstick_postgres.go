package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// The third yardstick is PostgreSQL with the same rows in a table that has the
// same indexes. It is spoken to by its own psql and pgbench.

// A postgres is a server of our own in a folder of our own.
type postgres struct {
	bin  string // folder of its programs
	dir  string // its folder: data, socket and scripts
	user *user.User
	proc *kit.Process
}

// postgresConfig gives it more room than it takes by default, so that it need
// not write checkpoints all the time. Everything about durability is as by
// default: on.
const postgresConfig = `
listen_addresses = ''
unix_socket_directories = '%s'
shared_buffers = 512MB
max_wal_size = 4GB
max_connections = 100
`

// postgresBin returns the folder of the installed server's programs.
func postgresBin() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(found)
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			found = append(found, filepath.Dir(path))
		}
	}
	for _, dir := range found {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("PostgreSQL is not installed")
}

// startPostgres makes a new cluster below dir and starts it. As root it does so
// as another user, because PostgreSQL refuses to run as root.
func startPostgres(ctx context.Context, dir string) (*postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	p := &postgres{bin: bin, dir: filepath.Join(dir, "postgres")}
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if p.user, err = user.Lookup("postgres"); err != nil {
			if p.user, err = user.Lookup("nobody"); err != nil {
				return nil, err
			}
		}
		uid, _ := strconv.Atoi(p.user.Uid)
		gid, _ := strconv.Atoi(p.user.Gid)
		if err := os.Chown(p.dir, uid, gid); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(p.dir, "data")
	if err := p.run(ctx, "initdb", "--auth=trust", "--username=bench", "--encoding=UTF8", "--locale=C", "-D", data); err != nil {
		return nil, err
	}
	conf, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conf, postgresConfig, p.dir)
	if err = errors.Join(err, conf.Close()); err != nil {
		return nil, err
	}
	if p.proc, err = kit.Start(p.command(ctx, "postgres", "-D", data)); err != nil {
		return nil, err
	}
	if err = poll(ctx, p.proc, 20*time.Second, "it answers", func() error { return p.run(ctx, "pg_isready", "-q", "-h", p.dir) }); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// stop ends the server at once but cleanly.
func (p *postgres) stop() { _ = p.proc.StopBy(syscall.SIGINT) }

// command returns one of PostgreSQL's programs as its own user.
func (p *postgres) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := kit.Command(ctx, filepath.Join(p.bin, name), args...)
	cmd.Dir, cmd.Env = p.dir, append(cmd.Env, "LC_ALL=C", "PGTZ=UTC")
	if p.user != nil {
		uid, _ := strconv.ParseUint(p.user.Uid, 10, 32)
		gid, _ := strconv.ParseUint(p.user.Gid, 10, 32)
		runAs(cmd, uint32(uid), uint32(gid))
	}
	return cmd
}

func (p *postgres) run(ctx context.Context, name string, args ...string) error {
	_, err := kit.Output(p.command(ctx, name, args...))
	return err
}

// psql returns a command that reads SQL from its stdin.
func (p *postgres) psql(ctx context.Context) *exec.Cmd {
	return p.command(ctx, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", p.dir, "-U", "bench", "-d", "postgres")
}

// query runs SQL and returns what it prints.
func (p *postgres) query(ctx context.Context, sql string) (string, error) {
	cmd := p.psql(ctx)
	cmd.Stdin = strings.NewReader(sql)
	out, err := kit.Output(cmd)
	return strings.TrimSpace(string(out)), err
}

// version returns the server's version.
func (p *postgres) version(ctx context.Context) string {
	v, err := p.query(ctx, "SHOW server_version;")
	if err != nil {
		return "not known"
	}
	return v
}
