package main

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"syscall"
)

// A yard is a running yardstick.
type yard struct {
	name string
	site staticSite
	at   staticAddrs
	pid  int
}

// startYards starts those yardsticks that are installed.
func (b *bench) startYards(ctx context.Context, site staticSite) (yards []yard, stop func(), err error) {
	p, at, err := startStatic(ctx, site)
	if err != nil {
		return nil, nil, err
	}
	yards = append(yards, yard{netHTTP, site, at, p.pid()})
	n, at, err := startNginx(ctx, site.Dir)
	if err != nil {
		b.report.missing("nginx", err.Error())
		return yards, func() { p.stop(syscall.SIGTERM) }, nil
	}
	stop = func() {
		n.stop(syscall.SIGTERM)
		p.stop(syscall.SIGTERM)
	}
	return append(yards, yard{nginxName, site, at, n.pid()}), stop, nil
}

// target returns the load for a yardstick: one of its pages, by the same
// headers as trunklog is asked with.
func (y yard) target(m mode, token string) target {
	t := target{name: y.name, addr: y.at.HTTP, pid: y.pid}
	if m.secure {
		t.addr = y.at.HTTPS
		t.tls, _ = trusting(filepath.Join(y.site.Dir, "cert.pem"))
	}
	t.request = func(b []byte, r *rand.Rand) []byte {
		return appendRequest(b, "/"+pageName(r.IntN(y.site.Pages)), t.addr, token, m.encoding)
	}
	return t
}
