package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The addresses of the parties. Each has one of its own, as in a network, so that
// it can be told by it.
const (
	sbcAddress     = "127.0.0.1"
	teamsAddress   = "127.0.0.2"
	carrierAddress = "127.0.0.3"
	otherTeams     = "127.0.0.4" // the second of Teams' proxies
	otherCarrier   = "127.0.0.5"
	leftAddress    = "127.0.0.6" // of a back-to-back user agent
	rightAddress   = "127.0.0.7"
)

// addresses are those that ports are taken of.
var addresses = []string{sbcAddress, teamsAddress, carrierAddress, otherTeams, otherCarrier, leftAddress, rightAddress}

// ports are how many SIPps there can be at each address: one a scenario, by its
// number.
const ports = 80

// The places of each SIPp's own ports among those of the lab, the same at each
// address. It binds ports for media even if it has none; left alone, many would
// look for theirs among a few.
const (
	sipPorts     = 0
	controlPorts = sipPorts + ports
	mediaPorts   = controlPorts + ports
	perMedia     = 4
	ownPorts     = mediaPorts + ports*perMedia
	allPorts     = ownPorts + 6
)

// An sbc is a running Kamailio, with what is beside it.
type sbc struct {
	*process
	config
	claim                  io.Closer  // of the ports
	beside                 []*process // Microsoft's proxy, a back-to-back user agent
	dir                    string
	first                  int // of the lab's ports
	teamsSide, carrierSide int // its own ports
	proxy                  int // where Microsoft's proxy listens for SIPp, over TLS only
}

// transports returns what SIP comes over from Teams, and what from the carrier,
// who has no TLS.
func (c *config) transports() (teams, carrier string, err error) {
	switch c.sip {
	case "udp", "tcp":
		return c.sip, c.sip, nil
	case "tls":
		return "tls", "tcp", nil
	}
	return "", "", fmt.Errorf("--sip %s: udp, tcp and tls are possible", c.sip)
}

// startSBC starts Kamailio and what is beside it, with their files in dir, and
// waits until they answer.
func startSBC(ctx context.Context, c config, dir string) (_ *sbc, err error) {
	teams, carrier, err := c.transports()
	if err != nil {
		return nil, err
	}
	first, claim, err := freeBlock(allPorts)
	if err != nil {
		return nil, err
	}
	own := first + ownPorts
	s := &sbc{config: c, dir: dir, claim: claim, first: first, teamsSide: own, carrierSide: own + 1}
	proxyTLS := own + 3
	args := []string{
		"-A", fmt.Sprintf("TEAMS_SIDE=%d", s.teamsSide), "-A", fmt.Sprintf("CARRIER_SIDE=%d", s.carrierSide),
		"-A", fmt.Sprintf("TEAMS_PROTO=%q", teams), "-A", fmt.Sprintf("CARRIER_PROTO=%q", carrier),
		"-A", fmt.Sprintf("CALLEES=%d", first), "-A", fmt.Sprintf(`HEP="sip:%s;transport=%s"`, c.address, c.network),
	}
	for _, d := range []struct {
		on   bool
		more []string
	}{
		{c.network == "tls", []string{"WITH_HEP_TLS", fmt.Sprintf("HEP_TLS=%d", own+2)}},
		{teams == "tls", []string{fmt.Sprintf("TEAMS_PROXY=%d", proxyTLS), fmt.Sprintf("TEAMS_LIST=%q", filepath.Join(dir, "teams.list"))}},
		{c.rport, []string{"WITH_RPORT"}},
		{c.b2bua, []string{"WITH_TOPOH"}},
		{c.b2bua && !c.from, []string{"WITH_OWN_FROM"}},
		{c.through != "", []string{"WITH_CORE"}},
		{c.through == "baresip", []string{fmt.Sprintf("CORE_PORT=%d", first)}},
	} {
		for _, name := range d.more {
			if d.on {
				args = append(args, "-A", name)
			}
		}
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if teams == "tls" || c.network == "tls" {
		settings, err := s.writeTLS()
		if err != nil {
			return nil, err
		}
		args = append(args, "-A", "WITH_TLS", "-A", fmt.Sprintf("TLS_CFG=%q", settings))
	}
	if teams == "tls" {
		s.proxy = own + 4
		if err := s.startProxy(ctx, proxyTLS); err != nil {
			return s, err
		}
	}
	if c.through == "baresip" {
		if err := s.startBaresip(ctx); err != nil {
			return s, err
		}
	}
	if s.process, err = kamailio(dir, "kamailio", args...); err != nil {
		return s, err
	}
	return s, s.until(ctx, "it listens", func() bool {
		if teams == "tls" && !(connected(proxyTLS) && connected(s.teamsSide)) {
			return false // what calls come over is there before them
		}
		return bound("udp", sbcAddress, s.carrierSide) && bound("tcp", sbcAddress, s.carrierSide)
	})
}

// startProxy starts Microsoft's proxy.
func (s *sbc) startProxy(ctx context.Context, port int) error {
	lists := errors.Join(
		writeList(filepath.Join(s.dir, "teams.list"), sbcAddress, s.teamsSide, port, teamsAddress, otherTeams),
		writeList(filepath.Join(s.dir, "sbc.list"), teamsAddress, port, s.teamsSide, sbcAddress),
	)
	if lists != nil {
		return lists
	}
	p, err := kamailio(
		s.dir, "teams", "-A", fmt.Sprintf("SBC_LIST=%q", filepath.Join(s.dir, "sbc.list")), "-A", fmt.Sprintf("PROXY_TLS=%d", port), "-A", fmt.Sprintf("PROXY=%d", s.proxy),
		"-A", fmt.Sprintf("SBC=%d", s.teamsSide), "-A", fmt.Sprintf("CALLEES=%d", s.first),
		"-A", fmt.Sprintf("TLS_CFG=%q", filepath.Join(s.dir, "teams-tls.cfg")),
	)
	if err != nil {
		return err
	}
	s.beside = append(s.beside, p)
	return p.until(ctx, "it listens", func() bool { return bound("tcp", otherTeams, s.proxy) })
}

// baresipConfig is that of baresip with its module b2bua, which calls whom it is
// called for with the From that it was called with. It has no sound card, and
// speaks UDP.
const baresipConfig = `sip_listen %[1]s
audio_source aubridge,lab
audio_player aubridge,lab
audio_alert aubridge,lab
call_local_timeout 120
call_max_calls 100
module_path /usr/lib/baresip/modules
module g711.so
module aubridge.so
module srtp.so
module_app account.so
module_app b2bua.so
`

// baresipAccounts are the one that is called and the one that calls on.
const baresipAccounts = `<sip:in@%[1]s>;regint=0;b2bua=inbound;answermode=manual;mediaenc=srtp-mand
<sip:out@%[1]s>;regint=0;b2bua=outbound;mediaenc=srtp-mand;outbound="sip:%[2]s;transport=udp"
`

// startBaresip starts baresip as a back-to-back user agent behind the SBC.
func (s *sbc) startBaresip(ctx context.Context) error {
	dir := filepath.Join(s.dir, "baresip")
	own, edge := net.JoinHostPort(leftAddress, strconv.Itoa(s.first)), net.JoinHostPort(sbcAddress, strconv.Itoa(s.carrierSide))
	err := errors.Join(
		os.MkdirAll(dir, 0o700),
		os.WriteFile(filepath.Join(dir, "config"), fmt.Appendf(nil, baresipConfig, own), 0o600),
		os.WriteFile(filepath.Join(dir, "accounts"), fmt.Appendf(nil, baresipAccounts, leftAddress, edge), 0o600),
	)
	if err != nil {
		return err
	}
	p, err := start(s.dir, "baresip", "baresip", "-f", dir)
	if err != nil {
		return err
	}
	s.beside = append(s.beside, p)
	return p.until(ctx, "it listens", func() bool { return bound("udp", leftAddress, s.first) })
}

// writeList writes whom Kamailio's dispatcher, at an address, asks for OPTIONS.
func writeList(file, address string, own, port int, whom ...string) error {
	var b bytes.Buffer
	for _, w := range whom {
		fmt.Fprintf(&b, "1 sip:%s:%d;transport=tls 0 0 socket=tls:%s:%d\n", w, port, address, own)
	}
	return os.WriteFile(file, b.Bytes(), 0o600)
}

// kamailio starts a Kamailio with the settings NAME.cfg.
func kamailio(dir, name string, args ...string) (*process, error) {
	settings, err := files.ReadFile(name + ".cfg")
	if err != nil {
		return nil, err
	}
	own := filepath.Join(dir, name)
	file := own + ".cfg"
	if err := errors.Join(os.MkdirAll(own, 0o700), os.WriteFile(file, settings, 0o600)); err != nil {
		return nil, err
	}
	return start(dir, name, "kamailio", append([]string{"-DD", "-E", "-m", "32", "-M", "4", "-Y", own, "-w", own, "-f", file}, args...)...)
}

// close stops the SBC and what is beside it.
func (s *sbc) close() {
	for _, p := range append(s.beside, s.process) {
		if p != nil {
			p.stop()
		}
	}
	_ = s.claim.Close()
}

// logs returns what the SBC and what is beside it have written last.
func (s *sbc) logs() string {
	var all []string
	for _, p := range append(s.beside, s.process) {
		all = append(all, p.name+":\n"+string(p.said()))
	}
	return strings.Join(all, "\n")
}
