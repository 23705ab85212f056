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
	"path/filepath"
	"strings"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// A house is a data folder with one tenant.
type house struct{ kit.House }

// newHouse is one in a folder below the run's own.
func (b *bench) newHouse(name string) *house {
	return &house{kit.House{Program: b.program, Data: filepath.Join(b.dir, name)}}
}

const tenantName = "contoso"

// settle makes the tenant.
func (h *house) settle(ctx context.Context) error {
	_, err := h.Do(ctx, "tenant", "add", tenantName, "--id", tenantID().String(), "--trunk", "*.contoso.com")
	return err
}

// A credential is a new client's, with a token that it got.
type credential struct{ TenantID, ClientID, ClientSecret, Token string }

// newClient makes a client of a tenant.
func (h *house) newClient(ctx context.Context, name, tenant string, flags ...string) (c credential, err error) {
	out, err := h.Do(ctx, append([]string{"client", "create", name, "--tenant", tenant, "-o", "json"}, flags...)...)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(out, &c); err != nil {
		return c, fmt.Errorf("client create: %w", err)
	}
	secret := filepath.Join(h.Data, name)
	if err := os.WriteFile(secret, []byte(c.ClientSecret), 0o600); err != nil {
		return c, err
	}
	out, err = h.Do(ctx, "token", "--tenant", tenant, "--client", c.ClientID, "--secret-file", secret)
	c.Token = strings.TrimSpace(string(out))
	return c, err
}

// A server is a running trunklog.
type server struct {
	*kit.Server
	http, https string // addresses
	token       string
	tls         *tls.Config
	ready       time.Duration // from its start to its first page
}

// serve starts the house's server and waits for its first page.
func (h *house) serve(ctx context.Context, token string, more ...string) (_ *server, err error) {
	addrs, release, err := reserve(1)
	if err != nil {
		return nil, err
	}
	defer release() // the server has it then
	s := &server{token: token, http: addrs[0]}
	began := time.Now()
	if s.Server, err = h.Serve(ctx, "", append([]string{"--listen-http", s.http, "--keep", "forever", "--log-format", "json"}, more...)...); err != nil {
		return nil, err
	}
	s.https = s.Address
	from, to := (crowd{Rows: 1}).span()
	if _, err = s.get(ctx, pagePath(from, to, 0), false); err == nil {
		s.ready = time.Since(began)
		s.tls, err = trusting(h.CA())
	}
	if err != nil {
		_ = s.Stop()
		return nil, err
	}
	return s, nil
}

// trusting returns a configuration for clients that trust the certificate in a file
// and speak HTTP/1.1.
func trusting(file string) (*tls.Config, error) {
	roots, err := kit.Roots(file)
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}, err
}

// rest waits until the server does nothing any more: after many rows have been
// written, the store puts its tables in order for a while. It does not wait for
// longer than the given time, and returns for how long it has.
func (s *server) rest(ctx context.Context, most time.Duration) (time.Duration, error) {
	const look = 250 * time.Millisecond
	began := time.Now()
	tick := time.NewTicker(look)
	defer tick.Stop()
	last, err := processorTime(s.PID())
	if err != nil {
		return 0, err
	}
	for quiet := 0; quiet < 4 && time.Since(began) < most; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		now, err := processorTime(s.PID())
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
	t := target{name: "trunklog", addr: s.http, pid: s.PID()}
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
