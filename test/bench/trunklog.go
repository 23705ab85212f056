package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A house is a data folder with one tenant, and a client that may read.
type house struct {
	program string // path of trunklog
	dir     string
	client  struct {
		TenantID     string `json:"tenantId"`
		ClientID     string `json:"clientId"`
		ClientSecret string `json:"clientSecret"`
	}
}

const tenantName = "contoso"

// build compiles the trunklog whose source is in dir, or here if that is empty, as
// it is released.
func build(ctx context.Context, dir, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "github.com/trunklog/trunklog") //nolint:gosec // what to run is ours
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building trunklog: %w: %s", err, out)
	}
	return nil
}

// settle makes what is needed in a data folder.
func (h *house) settle(ctx context.Context) error {
	_, err := h.do(ctx, "tenant", "add", tenantName, "--id", tenantID().String(), "--trunk", "*.contoso.com")
	if err != nil {
		return err
	}
	out, err := h.do(ctx, "client", "create", "bench", "--tenant", tenantName, "-o", "json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, &h.client); err != nil {
		return fmt.Errorf("client create: %w", err)
	}
	return nil
}

// do runs a command in the house.
func (h *house) do(ctx context.Context, args ...string) ([]byte, error) {
	return output(ctx, h.program, append(args, "--data", h.dir)...)
}

func (h *house) token(ctx context.Context) (string, error) {
	secret := filepath.Join(h.dir, "bench-secret")
	if err := os.WriteFile(secret, []byte(h.client.ClientSecret), 0o600); err != nil {
		return "", err
	}
	out, err := h.do(ctx, "token", "--tenant", tenantName, "--client", h.client.ClientID, "--secret-file", secret)
	return strings.TrimSpace(string(out)), err
}

// A server is a running trunklog.
type server struct {
	proc        *process
	http, https string // addresses
	token       string
	tls         *tls.Config
	ready       time.Duration // from its start to its first page
}

// serve starts the house's server and waits for its first page.
func (h *house) serve(ctx context.Context, token string, more ...string) (*server, error) {
	s := &server{token: token}
	var err error
	if s.http, err = freeAddr(); err != nil {
		return nil, err
	}
	if s.https, err = freeAddr(); err != nil {
		return nil, err
	}
	began := time.Now()
	args := append([]string{"serve", "--data", h.dir, "--listen", s.https, "--listen-http", s.http, "--keep", "forever", "--log-format", "json"}, more...)
	s.proc, err = startProcess(ctx, h.program, args...)
	if err != nil {
		return nil, err
	}
	from, to := (crowd{Rows: 1}).span()
	err = s.proc.poll(ctx, 2*time.Minute, func() error {
		_, err := s.get(ctx, pagePath(from, to, 0), false)
		return err
	})
	if err == nil {
		s.ready = time.Since(began)
		s.tls, err = trusting(filepath.Join(h.dir, "tls", "ca.pem"))
	}
	if err != nil {
		s.proc.stop(syscall.SIGTERM)
		return nil, err
	}
	return s, nil
}

// rest waits until the server does nothing any more: after many rows have been
// written, the store puts its tables in order for a while. It does not wait for
// longer than the given time, and returns for how long it has.
func (s *server) rest(ctx context.Context, most time.Duration) (time.Duration, error) {
	const look = 250 * time.Millisecond
	began := time.Now()
	tick := time.NewTicker(look)
	defer tick.Stop()
	last, err := processorTime(s.proc.pid())
	if err != nil {
		return 0, err
	}
	for quiet := 0; quiet < 4 && time.Since(began) < most; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		now, err := processorTime(s.proc.pid())
		if err != nil {
			return 0, err
		}
		if quiet++; now-last > look/20 {
			quiet = 0
		}
		last = now
	}
	return time.Since(began), nil
}

// stop stops the server cleanly and returns how long that took.
func (s *server) stop() (time.Duration, error) {
	began := time.Now()
	s.proc.stop(syscall.SIGTERM)
	return time.Since(began), s.proc.wait()
}

// pagePath is the path of the page of the calls that start from from to to,
// behind skip of them.
func pagePath(from, to time.Time, skip int) string {
	path := "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=" + stamp(from) + ",toDateTime=" + stamp(to) + ")"
	if skip > 0 {
		path += fmt.Sprintf("?$skip=%d", skip)
	}
	return path
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.9999999Z") }

// appendRequest appends a request as a Graph client sends it. The yardsticks
// are sent the same headers.
func appendRequest(b []byte, path, host, token, encoding string) []byte {
	b = append(append(append(b, "GET "...), path...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, host...), "\r\nAuthorization: Bearer "...)
	b = append(append(b, token...), "\r\nAccept: application/json\r\nAccept-Encoding: "...)
	return append(append(b, encoding...), "\r\n\r\n"...)
}

// pages returns a load of pages that start anywhere.
func (s *server) pages(starts []time.Time, to time.Time, encoding string, secure bool) target {
	t := target{name: "trunklog", addr: s.http, pid: s.proc.pid()}
	if secure {
		t.addr, t.tls = s.https, s.tls
	}
	t.request = func(b []byte, r *rand.Rand) []byte {
		return appendRequest(b, pagePath(choose(starts, r), to, 0), t.addr, s.token, encoding)
	}
	return t
}

// get fetches a path as it is, packed or not.
func (s *server) get(ctx context.Context, path string, packed bool) (body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.http+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Accept-Encoding", "identity")
	if packed {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	t := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	res, err := t.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if body, err = io.ReadAll(res.Body); err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s: %.300s", errStatus, res.Status, body)
	}
	if packed && res.Header.Get("Content-Encoding") != "gzip" {
		return nil, fmt.Errorf("%.60s is not packed", path)
	}
	return body, nil
}
