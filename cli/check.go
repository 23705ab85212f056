package cli

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/door"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/node"
	"github.com/trunklog/trunklog/source"
	"github.com/trunklog/trunklog/tenant"
)

// check checks the settings as far as that is possible before any file or port is open, and
// completes the addresses. Its errors are about usage.
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
	if _, err := sipPeriod(s.keepSIP); err != nil {
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
	c, err := s.config(p)
	if err != nil {
		return err
	}
	return wrongSettings(c.Check())
}

// stayIn keeps the demo on loopback unless the operator sets --listen, because the demo's secret
// lies in a file.
func (s *serving) stayIn(p *program) {
	if s.demo && p.settings.origin["listen"] == "" && strings.HasPrefix(s.listen, ":") {
		s.listen = loopback + s.listen
	}
}

// entra returns the Entra tenants and audiences whose tokens the server accepts besides its own.
func (s *serving) entra() *auth.EntraConfig {
	return &auth.EntraConfig{Cloud: s.cloud, Tenants: s.entraTenants, Audiences: s.entraAudiences}
}

const loopback = "127.0.0.1"

// address returns the address to listen at: given, with host in front if given is a port alone.
// Only --listen must have one.
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

// config returns the node's configuration. Its errors are those that check reports.
func (s *serving) config(p *program) (c node.Config, err error) {
	c = node.Config{
		Version: version(), Now: p.now, Kinds: p.kinds(),
		MasterKeyFile: s.masterKeyFile, CacheBytes: s.cacheMiB << 20,
		Listen: s.listen, ListenHTTP: s.listenHTTP, AdminListen: s.adminListen, PublicURL: s.publicURL,
		TLSCert: s.tlsCert, TLSKey: s.tlsKey, TLSHosts: s.tlsHosts, NewCA: s.newCA, MaxConnections: s.maxConnections,
		SIP: keepsSIP(s.keepSIP), Strict: s.strict, PlainLinks: s.plainLinks,
		PageTimeout: s.pageTimeout, PushTimeout: s.pushTimeout, Limits: s.limits(), Sources: s.sources, Demo: s.demo,
	}
	if len(s.entraTenants) > 0 {
		c.Entra = s.entra()
	}
	var errs [6]error
	c.Log, errs[0] = p.logger(s.logFormat)
	c.Keep, errs[1] = tenant.ParsePeriod(s.keep)
	c.KeepChanges, errs[2] = tenant.ParsePeriod(s.keepChanges)
	c.KeepSIP, errs[3] = sipPeriod(s.keepSIP)
	c.TrustedProxies, errs[4] = door.ParseProxies(s.trustedProxies)
	c.Faults, errs[5] = s.faults()
	return c, errors.Join(errs[:]...)
}

// limitTime is the period in which a limit counts requests.
const limitTime = 20 * time.Second

// limits returns the limits of the flags. A zero limit means none, and in strict mode Microsoft's.
func (s *serving) limits() graph.Limits {
	var l graph.Limits
	if s.rateLimit > 0 {
		l.Client = graph.Limit{Requests: s.rateLimit, Per: limitTime}
	}
	if s.tenantRateLimit > 0 {
		l.Tenant = graph.Limit{Requests: s.tenantRateLimit, Per: limitTime}
	}
	return l
}

// kinds returns the table of sources.
func (p *program) kinds() source.Table {
	if p.sources == nil {
		return source.Kinds()
	}
	return p.sources
}
