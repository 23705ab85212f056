package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tenantID is the tenant of all calls.
const tenantID = "1a2b3c4d-0000-4000-8000-00000000c0de"

// A trunklog is a trunklog with a data folder of its own.
type trunklog struct {
	binary string
	dir    string
	server *process       // nil if it does not run
	hep    map[string]int // port by network
	more   string         // of the sources' URLs
}

// build builds trunklog from the module that the working directory is in.
func build(ctx context.Context, dir string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	binary := filepath.Join(dir, "trunklog")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, ".") //nolint:gosec // the path is ours
	cmd.Dir = strings.TrimSpace(string(root))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build trunklog: %w\n%s", err, out)
	}
	return binary, nil
}

// newTrunklog makes a data folder below dir, with one tenant in it.
func newTrunklog(ctx context.Context, binary, dir string) (*trunklog, error) {
	t := &trunklog{binary: binary, dir: filepath.Join(dir, "data")}
	_, err := t.do(ctx, "tenant", "add", "contoso", "--id", tenantID, "--trunk", "sbc1.contoso.test")
	return t, err
}

// do runs one of trunklog's commands to its end.
func (t *trunklog) do(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, t.binary, append(args, "--data", t.dir)...) //nolint:gosec // the program under test
	cmd.Env = environment()
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("trunklog %s: %w\n%s", strings.Join(args, " "), err, diag.Bytes())
	}
	return out.Bytes(), nil
}

// environment is ours without what it says to trunklog.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "TRUNKLOG_") })
}

// serve starts the server, which listens for HEP over each of the networks, and
// waits until it is ready.
func (t *trunklog) serve(ctx context.Context, networks ...string) error {
	// Between the look for a free port and its use somebody may take it: then
	// look again.
	for range 5 {
		err := t.tryServe(ctx, networks)
		if err == nil || t.server == nil || !bytes.Contains(t.server.said(), []byte("address already in use")) {
			return err
		}
	}
	return errors.New("found no free port")
}

func (t *trunklog) tryServe(ctx context.Context, networks []string) (err error) {
	port, err := freePort()
	if err != nil {
		return err
	}
	args := []string{"serve", "--data", t.dir, "--keep", "forever", "--listen", "127.0.0.1:" + strconv.Itoa(port)}
	t.hep = map[string]int{}
	for _, network := range networks {
		if t.hep[network], err = freePort(); err != nil {
			return err
		}
		args = append(args, "--source", fmt.Sprintf("%s=hep+%s://127.0.0.1:%d?tenant=contoso%s", network, network, t.hep[network], t.more))
	}
	if t.server, err = start(filepath.Dir(t.dir), "serve", t.binary, args...); err != nil {
		return err
	}
	err = t.server.until(ctx, "it is ready", func() bool { return bytes.Contains(t.server.said(), []byte(`"ready"`)) })
	if err != nil {
		t.server.stop()
	}
	return err
}

// freePort returns a port that is free over TCP and, most likely, over UDP.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// stop stops the server.
func (t *trunklog) stop() {
	if t.server != nil {
		t.server.stop()
		t.server = nil
	}
}

// config is where calls are to be mirrored to.
func (t *trunklog) config(c config, network string) config {
	c.network, c.address = network, fmt.Sprintf("127.0.0.1:%d", t.hep[network])
	c.ca = filepath.Join(t.dir, "tls", "ca.pem")
	return c
}

// rows returns all rows that there are.
func (t *trunklog) rows(ctx context.Context) ([]map[string]any, error) {
	out, err := t.do(ctx, "calls", "list", "--tenant", "contoso", "-o", "jsonl")
	if err != nil {
		return nil, err
	}
	return readRows(bytes.NewReader(out))
}

// await returns the rows as soon as there are n, and those that there are if
// they do not come in time.
func (t *trunklog) await(ctx context.Context, n int, patience time.Duration) ([]map[string]any, error) {
	deadline := time.After(patience)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		rows, err := t.rows(ctx)
		if err != nil || len(rows) >= n {
			return rows, err
		}
		select {
		case <-look.C:
		case <-deadline:
			return rows, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// withTrunklog runs f with a fresh trunklog that listens over a network.
func withTrunklog(ctx context.Context, binary, network string, f func(*trunklog) error) (err error) {
	dir, err := os.MkdirTemp("", "trunklog-lab-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if binary == "" {
		if binary, err = build(ctx, dir); err != nil {
			return err
		}
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	t, err := newTrunklog(ctx, binary, dir)
	if err != nil {
		return err
	}
	if err := t.serve(ctx, network); err != nil {
		return err
	}
	defer t.stop()
	return f(t)
}
