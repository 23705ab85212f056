package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed scenarios/*.txt sipp/*.xml sipp/parts.tmpl kamailio.cfg teams.cfg
var files embed.FS

// A scenario is one call: who does what, and the row that is to come of it.
//
// It is read from a file with a comment and two parts:
//
//	-- call --
//	from: teams or carrier
//	caller: the SIPp scenario of the caller, without .xml
//	callee: that of the callee
//	second: that of another one who may take the call: Teams' second proxy, if
//	    the SBC hunts, or a carrier or a telephone in the office
//	sbc: what the SBC does about the call, see services
//	core: the SIPp scenarios core-NAME-left and -right of a back-to-back user agent
//	refusal: the status that the callee refuses with, if it does
//	refused: the code that the caller then sees, if it is another
//	expires: the Session-Expires of Teams' INVITE, if it is not 3600
//	with: the scenario whose caller calls here, and goes on calling there
//	delay: how much later than others the call begins, such as 1s
//	header: a header that the caller's INVITE has besides the usual ones
//	-- row --
//	PROPERTY: VALUE     for every property of Graph's directRoutingLogRow
//
// A VALUE is what the row must hold, as JSON writes it, but for the quotes of a
// text. One in braces is found in the call's [facts]; {any} is anything but
// null. A scenario without the part "row" must not give one.
type scenario struct {
	name           string
	number         int // from 1
	outside        int // the number of the scenario whose number outside of Teams it has
	about          string
	fromTeams      bool
	caller, callee string
	second         string
	sbc            string
	core           string
	refusal        string
	refused        string
	expires        string
	with           string
	delay          time.Duration
	headers        []string
	row            []property // nil if there is to be no row
}

// services are what an SBC does about a call, by the number that stands for it in
// the number that is called.
var services = []string{"", "hunts", "is impatient", "forks", "follows", "signs in", "challenges", "records"}

// A property is a line of the part "row".
type property struct{ name, value string }

// scenarios returns all scenarios, in the order of their names.
func scenarios() ([]scenario, error) {
	names, err := fs.Glob(files, "scenarios/*.txt")
	if err != nil {
		return nil, err
	}
	var all []scenario
	for i, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s, err := parseScenario(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		s.name, s.number = strings.TrimSuffix(path.Base(name), ".txt"), i+1
		all = append(all, s)
	}
	for i := range all {
		s := &all[i]
		s.outside = s.number
		if s.with == "" {
			continue
		}
		j := slices.IndexFunc(all, func(o scenario) bool { return o.name == s.with })
		if j < 0 {
			return nil, fmt.Errorf("%s: there is no scenario %q", s.name, s.with)
		}
		s.outside = all[j].number
	}
	return all, nil
}

func parseScenario(b []byte) (scenario, error) {
	var s scenario
	part := ""
	number := 0
	for in := bufio.NewScanner(bytes.NewReader(b)); in.Scan(); {
		number++
		line := strings.TrimSpace(in.Text())
		if name, ok := strings.CutPrefix(line, "-- "); ok {
			part = strings.TrimSuffix(name, " --")
			continue
		}
		if line == "" {
			continue
		}
		if part == "" {
			s.about += line + "\n"
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok || value == "" {
			return s, fmt.Errorf("line %d is not NAME: VALUE", number)
		}
		switch part {
		case "call":
			if err := s.set(name, value); err != nil {
				return s, fmt.Errorf("line %d: %w", number, err)
			}
		case "row":
			s.row = append(s.row, property{name, value})
		default:
			return s, fmt.Errorf("line %d: unknown part %q", number, part)
		}
	}
	if s.caller == "" || s.callee == "" {
		return s, errors.New("caller or callee is missing")
	}
	return s, nil
}

func (s *scenario) set(name, value string) error {
	switch name {
	case "from":
		s.fromTeams = value == "teams"
		if !s.fromTeams && value != "carrier" {
			return fmt.Errorf("%q is neither teams nor carrier", value)
		}
	case "caller":
		s.caller = value
	case "callee":
		s.callee = value
	case "second":
		s.second = value
	case "sbc":
		s.sbc = value
		if slices.Index(services, value) < 1 {
			return fmt.Errorf("%q is nothing that the SBC does", value)
		}
	case "core":
		s.core = value
	case "expires":
		s.expires = value
	case "with":
		s.with = value
	case "delay":
		d, err := time.ParseDuration(value)
		if err != nil {
			return err
		}
		s.delay = d
	case "refusal":
		s.refusal = value
	case "refused":
		s.refused = value
	case "header":
		s.headers = append(s.headers, value)
	default:
		return fmt.Errorf("unknown setting %q", name)
	}
	return nil
}

// A plan is what is particular to one run of a scenario: its numbers and ids.
// The ids come from the run's seed, so that two runs have no call in common.
type plan struct {
	*scenario
	Caller, Callee       string // numbers
	CallerTag, CalleeTag string
	CallID               string
	XI, XC, Conf         string
}

// plan plans the scenario for a run.
func (s *scenario) plan(run int, seed string) plan {
	service := max(0, slices.Index(services, s.sbc))
	user, outside := fmt.Sprintf("+49301%02d%02d%02d", run, service, s.number), fmt.Sprintf("+4420%02d46%02d%02d", run, service, s.outside)
	p := plan{
		scenario:  s,
		Caller:    user,
		Callee:    outside,
		CallerTag: s.hex(seed, "caller"),
		CalleeTag: s.hex(seed, "callee"),
		XI:        dashed(s.guid(seed, "x-i", '4')),
		XC:        s.guid(seed, "x-c", '5'),
		Conf:      s.hex(seed, "conversation"),
	}
	p.CallID = p.XC
	if !s.fromTeams {
		p.Caller, p.Callee = outside, user
		p.CallID = s.hex(seed, "call") + "@sip.carrier.test"
	}
	return p
}

// hex returns 32 hexadecimal digits for a purpose.
func (s *scenario) hex(seed, purpose string) string {
	sum := sha256.Sum256([]byte(seed + "/" + s.name + "/" + purpose))
	return fmt.Sprintf("%x", sum[:16])
}

// guid returns them as a GUID of a version, without its hyphens: Microsoft's
// correlation ids have version 4, the ids of its calls version 5.
func (s *scenario) guid(seed, purpose string, version byte) string {
	b := []byte(s.hex(seed, purpose))
	b[12], b[16] = version, 'a'
	return string(b)
}

// dashed puts the hyphens into a GUID.
func dashed(g string) string {
	return g[:8] + "-" + g[8:12] + "-" + g[12:16] + "-" + g[16:20] + "-" + g[20:]
}
