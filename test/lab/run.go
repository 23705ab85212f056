package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// config says how calls are made.
type config struct {
	network string // of the HEP: udp, tcp or tls
	address string // HOST:PORT where trunklog listens for it
	ca      string // for tls
	sip     string // what SIP itself comes over from Teams: udp, tcp or tls
	rport   bool   // answers go to the port that a request came from
	b2bua   bool   // the SBC hides the Call-ID of either side from the other
	from    bool   // with b2bua: From is passed on as it is
	through string // the back-to-back user agent behind the SBC: sipp, baresip or empty
	only    string
	run     int
	seed    string
	slowly  bool   // with fewer calls at once, so that they do not wait for each other
	keep    string // the folder for what the programs write, which is kept; empty for none
}

// longest is how long a scenario may take, on a slow machine.
const longest = 60 * time.Second

// between is the pause between the beginnings of two calls. Programs that all
// start at once keep each other waiting, and that shows in the times.
const between = 80 * time.Millisecond

// selected returns the scenarios that are to be run.
func (c *config) selected() ([]scenario, error) {
	all, err := scenarios()
	if err != nil {
		return nil, err
	}
	var out []scenario
	for _, s := range all {
		if strings.Contains(s.name, c.only) && (c.through == "" || s.core != "") {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no scenario has %q in its name", c.only)
	}
	return out, nil
}

// makeCalls makes the calls, most of the time at the same time, and returns what is known of
// each.
func makeCalls(ctx context.Context, c config) (_ []facts, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("not done within %s", longest))
	defer cancel()
	dir := c.keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "trunklog-lab-"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	todo, err := c.selected()
	if err != nil {
		return nil, err
	}
	s, err := startSBC(ctx, c, dir)
	if err != nil {
		return nil, err
	}
	defer s.close()

	all := make([]facts, len(todo))
	errs := make([]error, len(todo))
	var wg sync.WaitGroup
	pause := between
	if c.slowly {
		pause *= 3
	}
	next := time.NewTicker(pause)
	defer next.Stop()
	for i := range todo {
		select {
		case <-next.C:
		case <-ctx.Done(): // the calls themselves tell
		}
		wg.Go(func() {
			p := todo[i].plan(c.run, c.seed)
			all[i], errs[i] = s.call(ctx, p)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, s.logs())
	}
	return all, nil
}

// runCalls is the command "run".
func runCalls(ctx context.Context, c config, out io.Writer) error {
	if c.address == "" {
		return errors.New("run needs --hep NETWORK:HOST:PORT")
	}
	all, err := makeCalls(ctx, c)
	if err != nil {
		return err
	}
	return writeFacts(out, all)
}
