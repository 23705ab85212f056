package main

import (
	"context"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// A yard is a running yardstick.
type yard struct {
	name string
	site staticSite
	pid  int
}

// A staticSite says what to serve and where: the files page-N.json and
// page-N.json.gz of a folder. In it are cert.pem and key.pem, too.
type staticSite struct {
	Dir         string
	Pages       int
	HTTP, HTTPS string // addresses
}

// startYards starts those yardsticks that are installed.
func (b *bench) startYards(ctx context.Context, site staticSite) (yards []yard, stop func(), err error) {
	var all []*kit.Process
	stop = func() {
		for _, p := range all {
			_ = p.Stop()
		}
	}
	for _, x := range []struct {
		name    string
		command func(context.Context, staticSite) (*exec.Cmd, error)
	}{{netHTTP, staticCommand}, {nginxName, nginxCommand}} {
		p, at, err := startYard(ctx, site, x.command)
		switch {
		case err == nil:
			all, yards = append(all, p), append(yards, yard{x.name, at, p.PID()})
		case x.name == nginxName:
			b.missing(nginxName, err)
		default:
			return nil, nil, err
		}
	}
	return yards, stop, nil
}

// startYard starts one yardstick at addresses of its own and waits until it answers.
func startYard(ctx context.Context, site staticSite, command func(context.Context, staticSite) (*exec.Cmd, error)) (*kit.Process, staticSite, error) {
	addrs, release, err := reserve(2)
	if err != nil {
		return nil, site, err
	}
	defer release() // the yardstick has them then
	site.HTTP, site.HTTPS = addrs[0], addrs[1]
	cmd, err := command(ctx, site)
	if err != nil {
		return nil, site, err
	}
	p, err := kit.Start(cmd)
	if err != nil {
		return nil, site, err
	}
	for _, addr := range addrs {
		if err := poll(ctx, p, 10*time.Second, "it answers", func() error { return answersAt(ctx, addr) }); err != nil {
			_ = p.Stop()
			return nil, site, err
		}
	}
	return p, site, nil
}

// answersAt reports whether somebody listens at addr.
func answersAt(ctx context.Context, addr string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// target returns the load for a yardstick: one of its pages, by the same
// headers as trunklog is asked with.
func (y yard) target(m mode, token string) target {
	t := target{name: y.name, addr: y.site.HTTP, pid: y.pid}
	if m.secure {
		t.addr = y.site.HTTPS
		t.tls, _ = trusting(filepath.Join(y.site.Dir, "cert.pem"))
	}
	t.request = func(b []byte, r *rand.Rand) []byte {
		return appendRequest(b, "/"+pageName(r.IntN(y.site.Pages)), t.addr, token, m.encoding)
	}
	return t
}
