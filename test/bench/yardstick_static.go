package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// The first yardstick is Go's net/http that serves pages from memory, in a
// process of its own: what a server in this language can do at best that has
// its answers ready.

type staticPage struct {
	body   []byte
	length []string // the header's value
}

// serveStatic serves a site until ctx is done.
func serveStatic(ctx context.Context, site staticSite) (none struct{}, err error) {
	pages := map[string]staticPage{} // by their path, with .gz behind it if packed
	for i := range site.Pages {
		for _, name := range []string{pageName(i), pageName(i) + ".gz"} {
			b, err := os.ReadFile(filepath.Join(site.Dir, name))
			if err != nil {
				return none, err
			}
			pages["/"+name] = staticPage{b, []string{strconv.Itoa(len(b))}}
		}
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, h := r.URL.Path, w.Header()
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			path += ".gz"
			h["Content-Encoding"] = gzipValue
		}
		page, ok := pages[path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h["Content-Type"], h["Content-Length"] = jsonValue, page.length
		_, _ = w.Write(page.body)
	})
	plain := &http.Server{Addr: site.HTTP, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	secure := &http.Server{Addr: site.HTTPS, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(plain.ListenAndServe)
	g.Go(func() error {
		return secure.ListenAndServeTLS(filepath.Join(site.Dir, "cert.pem"), filepath.Join(site.Dir, "key.pem"))
	})
	g.Go(func() error {
		<-ctx.Done()
		return errors.Join(plain.Close(), secure.Close())
	})
	if err := g.Wait(); !errors.Is(err, http.ErrServerClosed) {
		return none, err
	}
	return none, nil
}

// The values of headers that are always the same.
var (
	gzipValue = []string{"gzip"}
	jsonValue = []string{"application/json"}
)

// pageName is the name of a page's file, and its path.
func pageName(n int) string { return fmt.Sprintf("page-%d.json", n) }

// staticCommand returns the yardstick.
func staticCommand(ctx context.Context, site staticSite) (*exec.Cmd, error) {
	return childCommand(ctx, "static", site)
}
