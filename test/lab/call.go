package main

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// A role is whom a SIPp plays in a call.
type role string

const (
	caller role = "caller"
	callee role = "callee"
	second role = "second" // another one who may take the call
	left   role = "left"   // the legs of a back-to-back user agent: that which is called,
	right  role = "right"  // and that which calls on
)

// roles returns who takes part in a call, in the order in which they start.
func (s *sbc) roles(p *plan) []role {
	all := []role{callee}
	if p.second != "" {
		all = append(all, second)
	}
	if s.through == "sipp" {
		all = append(all, right, left)
	}
	return append(all, caller)
}

// call makes one call.
func (s *sbc) call(ctx context.Context, p plan) (facts, error) {
	f := p.facts()
	if err := sleep(ctx, p.delay); err != nil {
		return f, err
	}
	var all []*process
	defer func() {
		for _, c := range all {
			c.stop()
		}
	}()
	for _, r := range s.roles(&p) {
		c, err := s.sipp(p, r)
		if err != nil {
			return f, err
		}
		all = append(all, c)
		if r == caller {
			continue
		}
		if err := c.until(ctx, "it listens", func() bool { return s.listens(&p, r) }); err != nil {
			return f, err
		}
	}
	for i := range all {
		if err := all[len(all)-1-i].wait(ctx); err != nil {
			return f, err
		}
	}
	if p.sbc == recorded {
		return f, nil
	}
	messages, err := s.messages(&p)
	if err != nil {
		return f, err
	}
	return f, f.learn(messages)
}

// messages returns what Teams' SIPps have noted.
func (s *sbc) messages(p *plan) ([]message, error) {
	var all []message
	for _, r := range s.roles(p) {
		if !p.isTeams(r) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(s.dir, p.file(r)+".messages"))
		if err != nil {
			return nil, err
		}
		some, err := readMessages(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b message) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	return all, nil
}

// recorded is the service of an SBC that records; Teams has no part in it.
const recorded = "records"

// isTeams reports whether it is Teams whom a SIPp plays. Another callee is one of
// Teams' proxies only where an SBC asks one after the other.
func (p *plan) isTeams(r role) bool {
	switch r {
	case caller:
		return p.fromTeams
	case callee:
		return !p.fromTeams && p.sbc != recorded
	case second:
		return !p.fromTeams && p.sbc == "hunts"
	}
	return false
}

// address is where a SIPp of the call is.
func (p *plan) address(r role) string {
	switch {
	case r == left:
		return leftAddress
	case r == right:
		return rightAddress
	case r == second && p.isTeams(r):
		return otherTeams
	case r == second, r == callee && p.sbc == recorded:
		return otherCarrier
	case p.isTeams(r):
		return teamsAddress
	}
	return carrierAddress
}

// transport is what a SIPp speaks, which has no TLS.
func (s *sbc) transport() string {
	if s.config.sip == "udp" {
		return "udp"
	}
	return "tcp"
}

func (s *sbc) listens(p *plan, r role) bool {
	if r == right {
		return bound("tcp", rightAddress, s.first+controlPorts+p.number)
	}
	return bound(s.transport(), p.address(r), s.first+sipPorts+p.number)
}

// file names what belongs to one side of a call.
func (p *plan) file(r role) string { return p.name + "." + string(r) }

// sipp starts the SIPp of one side, for one call if there are no more arguments.
func (s *sbc) sipp(p plan, r role, more ...string) (*process, error) {
	side := p.sideOf(r)
	script, err := side.script()
	if err != nil {
		return nil, err
	}
	name := p.file(r)
	if err := os.WriteFile(filepath.Join(s.dir, name+".xml"), script, 0o600); err != nil {
		return nil, err
	}
	address := p.address(r)
	port := func(place, each int) string { return strconv.Itoa(s.first + place + p.number*each) }
	args := []string{
		"-sf", name + ".xml", "-i", address, "-bind_local", "-p", port(sipPorts, 1),
		"-ci", address, "-cp", port(controlPorts, 1), "-mi", address, "-mp", port(mediaPorts, perMedia),
		"-t", map[string]string{"udp": "u1", "tcp": "t1"}[s.transport()],
		"-nostdin", "-default_behaviors", "none", "-trace_err", "-error_file", name + ".errors",
		"-cid_str", p.CallID, "-key", "xi", p.XI,
	}
	if len(more) == 0 {
		more = []string{"-m", "1", "-timeout", "40s", "-timeout_error", "-trace_msg", "-message_file", name + ".messages"}
	}
	args = append(args, more...)
	if r == left || r == right {
		args = append(args, "-3pcc", rightAddress+":"+port(controlPorts, 1)) // how the legs tell each other
	}
	switch {
	case r == caller && side.Teams && s.proxy > 0:
		args = append(args, teamsAddress+":"+strconv.Itoa(s.proxy))
	case r == caller && side.Teams:
		args = append(args, sbcAddress+":"+strconv.Itoa(s.teamsSide))
	case r == caller, r == right:
		args = append(args, sbcAddress+":"+strconv.Itoa(s.carrierSide))
	}
	return start(s.dir, name, "sipp", args...)
}
