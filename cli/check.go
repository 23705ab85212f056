package cli

import (
	"crypto/tls"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/door"
	"github.com/trunklog/trunklog/source"
	"github.com/trunklog/trunklog/tenant"
)

// check checks what can be checked of the settings before anything is opened,
// and writes the addresses in full. Its errors are about usage.
func (s *serving) check(p *program) error {
	s.stayIn(p)
	if _, err := p.logger(s.logFormat); err != nil {
		return err
	}
	for _, period := range []struct{ flag, value string }{{"--keep", s.keep}, {"--keep-changes", s.keepChanges}} {
		if _, err := tenant.ParsePeriod(period.value); err != nil {
			return usage("%s: %w", period.flag, err)
		}
		sayM(p.stderr, period.flag, period.value, "mo")
	}
	if _, err := s.sipPeriod(); err != nil {
		return err
	}
	sayM(p.stderr, "--keep-sip", s.keepSIP, "mo")
	for _, a := range []struct {
		flag, host string
		value      *string
	}{
		{"--listen", "", &s.listen},
		{"--listen-http", loopback, &s.listenHTTP},
		{"--admin-listen", loopback, &s.adminListen},
	} {
		var err error
		if *a.value, err = address(a.flag, *a.value, a.host); err != nil {
			return err
		}
	}
	if _, err := newRoots(s.publicURL, s.listen, s.tlsHosts); err != nil {
		return err
	}
	if err := s.checkInject(); err != nil {
		return err
	}
	if _, err := door.ParseProxies(s.trustedProxies); err != nil {
		return usage("--trusted-proxy: %w", err)
	}
	if s.maxConnections < 0 {
		return usage("--max-connections %d: a number above 0 is needed, or 0 for as many as possible", s.maxConnections)
	}
	if (s.tlsCert == "") != (s.tlsKey == "") {
		return usage("--tls-cert and --tls-key belong together")
	}
	if len(s.entraTenants) > 0 {
		if err := s.entra().Check(); err != nil {
			return &exitError{exitUsage, err}
		}
	}
	return s.checkSources(p.kinds())
}

// stayIn keeps the demo on loopback unless told otherwise: its secret lies in a
// file, and its calls are nobody's.
func (s *serving) stayIn(p *program) {
	if s.demo && p.settings.origin["listen"] == "" && strings.HasPrefix(s.listen, ":") {
		s.listen = loopback + s.listen
	}
}

// entra returns whose tokens are good besides our own.
func (s *serving) entra() *auth.EntraConfig {
	return &auth.EntraConfig{Cloud: s.cloud, Tenants: s.entraTenants, Audiences: s.entraAudiences}
}

// checkSources checks the form of the sources. Their files and ports are looked
// at when they are opened.
func (s *serving) checkSources(kinds source.Table) error {
	options := func(string) source.Options {
		return source.Options{
			Raw: s.keepsSIP(),
			TLS: func(string, string) (*tls.Config, error) { return &tls.Config{}, nil }, //nolint:gosec // nobody listens with it
		}
	}
	var names []string
	for _, spec := range s.sources {
		name, _, err := kinds.Open(spec, options)
		if err != nil {
			return invalid(err)
		}
		if slices.Contains(names, name) {
			return usage("--source: there are two of the name %s", name)
		}
		names = append(names, name)
	}
	return nil
}

const loopback = "127.0.0.1"

// address returns the address to listen on: what was given, with host in front
// of a port that stands alone. Only --listen needs one.
func address(flag, given, host string) (string, error) {
	if given == "" && flag != "--listen" {
		return "", nil
	}
	whole := given
	if given != "" && strings.Trim(given, "0123456789") == "" {
		whole = ":" + given
	}
	h, port, err := net.SplitHostPort(whole)
	if err != nil || port == "" {
		return "", usage("%s %q: HOST:PORT is needed, or a port alone", flag, given)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return "", usage("%s %q: %s is no port", flag, given, strconv.Quote(port))
	}
	if h == "" {
		h = host
	}
	return net.JoinHostPort(h, port), nil
}
