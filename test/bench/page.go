package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// yardPages is how many pages the yardsticks serve. There are more than fit
// into the processor's cache, as trunklog's pages come from all over the store.
const yardPages = 64

// A mode is a way to ask for pages.
type mode struct {
	name     string
	encoding string
	secure   bool
	goal     string
	against  string // the yardstick of the goal
	first    float64
	then     float64
}

func modes() []mode {
	return []mode{
		{"identity", "identity", false, "≥ 55 %, then ≥ 75 % of net/http", netHTTP, 0.55, 0.75},
		{"gzip", "gzip", false, "≥ 4 %, then ≥ 50 % of nginx", nginxName, 0.04, 0.50},
		{"identity over TLS", "identity", true, "", "", 0, 0},
		{"gzip over TLS", "gzip", true, "", "", 0, 0},
	}
}

const (
	netHTTP   = "net/http"
	nginxName = "nginx"
)

// measurePages asks trunklog and the yardsticks for pages in turn.
func (b *bench) measurePages(ctx context.Context, s *server) error {
	starts, to := b.filled.Starts, b.end()
	if err := checkPage(ctx, s, starts[0], to); err != nil {
		return err
	}
	site := staticSite{Dir: filepath.Join(b.dir, "pages"), Pages: yardPages}
	if err := savePages(ctx, s, site, starts, to); err != nil {
		return err
	}
	yards, stop, err := b.startYards(ctx, site)
	if err != nil {
		return err
	}
	defer stop()
	for _, m := range modes() {
		targets := []target{s.pages(starts, to, m.encoding, m.secure)}
		for _, y := range yards {
			targets = append(targets, y.target(m, s.token))
		}
		if err := b.measureMode(ctx, m, targets); err != nil {
			return err
		}
	}
	return nil
}

// checkPage makes sure that what is measured is right: a full page, and the
// same packed as plain.
func checkPage(ctx context.Context, s *server, from, to time.Time) error {
	plain, err := s.get(ctx, pagePath(from, to, 0), false)
	if err != nil {
		return err
	}
	var page struct {
		Count int               `json:"@odata.count"`
		Value []json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(plain, &page); err != nil {
		return err
	}
	if page.Count != 1000 || len(page.Value) != 1000 {
		return fmt.Errorf("a page of %d rows says that it has %d, and both should be 1,000", len(page.Value), page.Count)
	}
	packed, err := s.get(ctx, pagePath(from, to, 0), true)
	if err != nil {
		return err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	unpacked, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	if !bytes.Equal(plain, unpacked) {
		return errors.New("a page is not the same packed as plain")
	}
	return nil
}

// savePages writes trunklog's own answers to where the yardsticks find them.
func savePages(ctx context.Context, s *server, site staticSite, starts []time.Time, to time.Time) error {
	if err := os.Mkdir(site.Dir, 0o700); err != nil {
		return err
	}
	for i := range site.Pages {
		path := pagePath(starts[i*len(starts)/site.Pages], to, 0)
		for suffix, packed := range map[string]bool{"": false, ".gz": true} {
			body, err := s.get(ctx, path, packed)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(site.Dir, pageName(i)+suffix), body, 0o600); err != nil {
				return err
			}
		}
	}
	cert, err := kit.NewKeyPair("127.0.0.1", nil) // of the same kind as trunklog's own
	if err != nil {
		return err
	}
	return cert.Write(filepath.Join(site.Dir, "cert.pem"), filepath.Join(site.Dir, "key.pem"))
}

// reportMemory says how much memory the server has had at most.
func (b *bench) reportMemory(s *server) {
	peak, err := peakMemory(s.PID())
	if err != nil {
		b.missing("the server's memory", err)
		return
	}
	b.report.add(result{
		work:     "memory, serving " + commas(int64(b.rows)) + " rows under load (peak)",
		target:   "≤ 512 MB (10 million rows)",
		measured: strconv.FormatInt(peak/1_000_000, 10) + " MB",
		met:      judge(peak <= 512_000_000),
	})
}
