package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// The first yardstick is Go's net/http that serves pages from memory, in a
// process of its own: what a server in this language can do at best that has
// its answers ready.

// A staticSite says what to serve: the files page-N.json and page-N.json.gz of
// a folder, and cert.pem and key.pem in it.
type staticSite struct {
	Dir   string
	Pages int
}

// staticAddrs are where a static site is served.
type staticAddrs struct{ HTTP, HTTPS string }

type staticPage struct {
	body   []byte
	length []string // the header's value
}

// serveStatic serves a site until ctx is done.
func serveStatic(ctx context.Context, site staticSite, out *json.Encoder) error {
	plain, packed, err := loadPages(site)
	if err != nil {
		return err
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages := plain
		h := w.Header()
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			pages = packed
			h["Content-Encoding"] = gzipValue
		}
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/page-"), ".json"))
		if err != nil || n < 0 || n >= len(pages) {
			http.NotFound(w, r)
			return
		}
		h["Content-Type"] = jsonValue
		h["Content-Length"] = pages[n].length
		_, _ = w.Write(pages[n].body)
	})
	cert, err := tls.LoadX509KeyPair(filepath.Join(site.Dir, "cert.pem"), filepath.Join(site.Dir, "key.pem"))
	if err != nil {
		return err
	}
	var addrs staticAddrs
	listeners := make([]net.Listener, 2)
	for i, at := range []*string{&addrs.HTTP, &addrs.HTTPS} {
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		*at = listeners[i].Addr().String()
	}
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return srv.Serve(listeners[0]) })
	g.Go(func() error { return srv.ServeTLS(listeners[1], "", "") })
	g.Go(func() error {
		<-ctx.Done()
		return srv.Close()
	})
	if err := out.Encode(addrs); err != nil {
		return err
	}
	if err := g.Wait(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// The values of headers that are always the same.
var (
	gzipValue = []string{"gzip"}
	jsonValue = []string{"application/json"}
)

func loadPages(site staticSite) (plain, packed []staticPage, err error) {
	for i := range site.Pages {
		for suffix, list := range map[string]*[]staticPage{"": &plain, ".gz": &packed} {
			b, err := os.ReadFile(filepath.Join(site.Dir, pageName(i)+suffix))
			if err != nil {
				return nil, nil, err
			}
			*list = append(*list, staticPage{b, []string{strconv.Itoa(len(b))}})
		}
	}
	return plain, packed, nil
}

// pageName is the name of a page's file, and its path.
func pageName(n int) string { return fmt.Sprintf("page-%d.json", n) }

// startStatic starts the yardstick.
func startStatic(ctx context.Context, site staticSite) (*process, staticAddrs, error) {
	var addrs staticAddrs
	cmd, err := childCommand(ctx, "static", site)
	if err != nil {
		return nil, addrs, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, addrs, err
	}
	p, err := startCommand(cmd)
	if err != nil {
		return nil, addrs, err
	}
	if err := json.NewDecoder(out).Decode(&addrs); err != nil {
		p.stop(syscall.SIGTERM)
		return nil, addrs, fmt.Errorf("net/http: %w: %s", err, p.log)
	}
	return p, addrs, nil
}
