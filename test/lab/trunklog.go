package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// tenantID is the tenant of all calls.
const tenantID = "1a2b3c4d-0000-4000-8000-00000000c0de"

// A trunklog is a trunklog with a data folder of its own.
type trunklog struct {
	kit.House
	server *kit.Server    // nil if it does not run
	hep    map[string]int // port by network
	more   string         // of the sources' URLs
}

// newTrunklog makes a data folder below dir, with one tenant in it.
func newTrunklog(ctx context.Context, binary, dir string) (*trunklog, error) {
	t := &trunklog{House: kit.House{Program: binary, Data: filepath.Join(dir, "data")}}
	_, err := t.Do(ctx, "tenant", "add", "contoso", "--id", tenantID, "--trunk", "sbc1.contoso.test")
	return t, err
}

// serve starts the server, which listens for HEP over each of the networks, and
// waits until it is ready.
func (t *trunklog) serve(ctx context.Context, networks ...string) error {
	flags := []string{"--keep", "forever"}
	t.hep = map[string]int{}
	for _, network := range networks {
		port, release, err := kit.Reserve() // over TCP, and most likely free over UDP
		if err != nil {
			return err
		}
		defer release() // the server has it then
		t.hep[network] = port
		flags = append(flags, "--source", fmt.Sprintf("%s=hep+%s://127.0.0.1:%d?tenant=contoso%s", network, network, port, t.more))
	}
	s, err := t.Serve(ctx, "", flags...)
	if err == nil {
		t.server = s
	}
	return err
}

// stop stops the server.
func (t *trunklog) stop() {
	if t.server != nil {
		_ = t.server.Stop() // how is of no interest
		t.server = nil
	}
}

// config is where calls are to be mirrored to.
func (t *trunklog) config(c config, network string) config {
	c.network, c.address = network, fmt.Sprintf("127.0.0.1:%d", t.hep[network])
	c.ca = t.CA()
	return c
}

// rows returns all rows that there are.
func (t *trunklog) rows(ctx context.Context) ([]map[string]any, error) {
	out, err := t.Do(ctx, "calls", "list", "--tenant", "contoso", "-o", "jsonl")
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
		binary = filepath.Join(dir, "trunklog")
		if err := kit.Build(ctx, "", ".", binary); err != nil {
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
