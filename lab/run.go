package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// config says how calls are made.
type config struct {
	network string // of the HEP: udp, tcp or tls
	address string // HOST:PORT where trunklog listens for it
	ca      string // for tls
	b2bua   bool
	sip     string // what SIP itself comes over: udp or tcp
	only    string
	run     int
	seed    string
	keep    string // the folder for what the programs write, which is kept; empty for none
}

// longest is how long a scenario may take, on a slow machine.
const longest = 30 * time.Second

// between is the pause between the beginnings of two calls. Programs that all
// start at once keep each other waiting, and that shows in the times.
const between = 60 * time.Millisecond

// ports are how many SIPps there can be on each side of the SBC: one a scenario.
const ports = 40

// The places of each SIPp's own ports among those of the lab. It binds ports for
// media even if it has none; left alone, many would look for theirs among a few.
const (
	sipPorts     = 0
	controlPorts = sipPorts + 2*ports
	mediaPorts   = controlPorts + 2*ports
	perMedia     = 4
	ownPorts     = mediaPorts + 2*ports*perMedia
	allPorts     = ownPorts + 3
)

// An sbc is a running Kamailio.
type sbc struct {
	*process
	dir                    string
	sip                    string // udp or tcp
	first                  int    // of the lab's ports
	teamsSide, carrierSide int    // its own ports
	teams, carrier         int    // from which those of the callees are counted
}

// startSBC starts Kamailio, with its files in dir, and waits until it answers.
func startSBC(ctx context.Context, c config, dir string) (*sbc, error) {
	first, err := freeBlock(12000+rand.IntN(30)*allPorts, allPorts)
	if err != nil {
		return nil, err
	}
	own := first + ownPorts
	s := &sbc{dir: dir, sip: c.sip, first: first, teams: first, carrier: first + ports, teamsSide: own, carrierSide: own + 1}
	if s.sip != "udp" && s.sip != "tcp" {
		return nil, fmt.Errorf("--sip %s: udp and tcp are possible", s.sip)
	}
	settings, err := files.ReadFile("kamailio.cfg")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(file, settings, 0o600); err != nil {
		return nil, err
	}
	args := []string{
		"-DD", "-E", "-m", "32", "-M", "4", "-Y", dir, "-w", dir, "-f", file,
		"-A", fmt.Sprintf("TEAMS_SIDE=%d", s.teamsSide), "-A", fmt.Sprintf("CARRIER_SIDE=%d", s.carrierSide),
		"-A", fmt.Sprintf("TEAMS=%d", s.teams), "-A", fmt.Sprintf("CARRIER=%d", s.carrier),
		"-A", fmt.Sprintf(`HEP="sip:%s;transport=%s"`, c.address, c.network),
	}
	if c.network == "tls" {
		tls, err := writeTLS(dir, c.ca)
		if err != nil {
			return nil, err
		}
		args = append(args, "-A", "WITH_TLS", "-A", fmt.Sprintf("HEP_TLS=%d", own+2), "-A", fmt.Sprintf("TLS_CFG=%q", tls))
	}
	if c.b2bua {
		args = append(args, "-A", "WITH_B2BUA")
	}
	if s.process, err = start(dir, "kamailio", "kamailio", args...); err != nil {
		return nil, err
	}
	err = s.until(ctx, "it listens", func() bool { return bound("udp", s.carrierSide) && bound("tcp", s.carrierSide) })
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// selected returns the scenarios that are to be run.
func (c *config) selected() ([]scenario, error) {
	all, err := scenarios()
	if err != nil {
		return nil, err
	}
	var out []scenario
	for _, s := range all {
		if strings.Contains(s.name, c.only) {
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
	defer s.stop()

	all := make([]facts, len(todo))
	errs := make([]error, len(todo))
	var wg sync.WaitGroup
	next := time.NewTicker(between)
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
		return nil, fmt.Errorf("%w\n%s", err, s.said())
	}
	return all, nil
}

// call makes one call.
func (s *sbc) call(ctx context.Context, p plan) (facts, error) {
	f := p.facts()
	callee, err := s.sipp(p, false)
	if err != nil {
		return f, err
	}
	defer callee.stop()
	port := s.port(!p.fromTeams, p.number)
	if err := callee.until(ctx, "it listens", func() bool { return bound(s.sip, port) }); err != nil {
		return f, err
	}
	caller, err := s.sipp(p, true)
	if err != nil {
		return f, err
	}
	defer caller.stop()
	if err := caller.wait(ctx); err != nil {
		return f, err
	}
	if err := callee.wait(ctx); err != nil {
		return f, err
	}
	b, err := os.ReadFile(filepath.Join(s.dir, p.file(p.fromTeams)+".messages"))
	if err != nil {
		return f, err
	}
	all, err := readMessages(bytes.NewReader(b))
	if err != nil {
		return f, err
	}
	return f, f.learn(all)
}

func (s *sbc) port(teams bool, number int) int {
	if teams {
		return s.teams + number
	}
	return s.carrier + number
}

// file names what belongs to one side of a call.
func (p *plan) file(caller bool) string {
	if caller {
		return p.name + ".caller"
	}
	return p.name + ".callee"
}

// sipp starts the SIPp of one side, for one call if there are no more arguments.
func (s *sbc) sipp(p plan, caller bool, more ...string) (*process, error) {
	teams := caller == p.fromTeams
	side := side{plan: p, Teams: teams, caller: caller, Transport: "[transport]"}
	script, err := side.script()
	if err != nil {
		return nil, err
	}
	name := p.file(caller)
	if err := os.WriteFile(filepath.Join(s.dir, name+".xml"), script, 0o600); err != nil {
		return nil, err
	}
	port := s.port(teams, p.number)
	place := port - s.first
	args := []string{
		"-sf", name + ".xml", "-i", "127.0.0.1", "-bind_local", "-p", strconv.Itoa(port),
		"-ci", "127.0.0.1", "-cp", strconv.Itoa(s.first + controlPorts + place),
		"-mi", "127.0.0.1", "-mp", strconv.Itoa(s.first + mediaPorts + place*perMedia),
		"-t", map[string]string{"udp": "u1", "tcp": "t1"}[s.sip],
		"-nostdin", "-default_behaviors", "none", "-trace_err", "-error_file", name + ".errors",
		"-cid_str", p.CallID, "-key", "xi", p.XI,
	}
	if len(more) == 0 {
		more = []string{"-m", "1", "-timeout", "20s", "-timeout_error", "-trace_msg", "-message_file", name + ".messages"}
	}
	args = append(args, more...)
	if caller {
		own := s.carrierSide
		if teams {
			own = s.teamsSide
		}
		args = append(args, "127.0.0.1:"+strconv.Itoa(own))
	}
	return start(s.dir, name, "sipp", args...)
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
