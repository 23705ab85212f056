package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A street is what those who abuse know of the server.
type street struct {
	HTTP, HTTPS    string // addresses
	HEP            string // where the bad tenant's calls are heard
	Reader, Pusher string // tokens of the bad tenant
	Page           string // a path
	Rows           string // JSON lines
	Tenant, Client string // the good tenant's, which are no secrets
}

// An abuse is what a child is asked to do.
type abuse struct {
	Name   string
	Street street
	For    time.Duration
}

// Attempts are what came of it.
type attempts struct {
	Made, Failed int64 // failed: not answered with 200, or not at all
}

// abuses is the table of what a tenant or a stranger may do. Each is done by so
// many at once until the context is done; do returns whether it was answered as
// it would be if nobody minded.
var abuses = []struct {
	name string
	many int
	do   func(a *abuser, ctx context.Context, i int) bool
}{
	{"pages, without end", 32, (*abuser).page},
	{"filters that find nothing", 16, (*abuser).scan},
	{"rows, the same again and again", 16, (*abuser).push},
	{"bodies, a byte now and then", 300, (*abuser).drip},
	{"bodies that are bombs", 8, (*abuser).bomb},
	{"headers, a byte now and then", 300, (*abuser).dripHead},
	{"headers without end", 8, (*abuser).longHead},
	{"connections that say nothing", 3_000, (*abuser).idle},
	{"tenants that do not exist", 16, (*abuser).unknownTenant},
	{"clients that do not exist", 16, (*abuser).unknownClient},
	{"wrong secrets of the good client", 16, (*abuser).wrongSecret},
	{"tokens that are none", 16, (*abuser).badToken},
	{"restarts of trunks that nobody has", 8, (*abuser).restarts},
	{"rows that share a correlation id", 8, (*abuser).oneCorrelation},
	{"calls in parts that never end", 8, (*abuser).openParts},
	{"calls of one number, heard", 4, (*abuser).oneNumber},
	{"calls that never end, heard", 4, (*abuser).openCalls},
}

// An abuser is one of those who abuse.
type abuser struct {
	street
	client *http.Client
	dialer net.Dialer
	made   atomic.Int64
}

// abuseNow does it, in a process of its own that gives way to all others.
func abuseNow(ctx context.Context, q abuse) (attempts, error) {
	giveWay()
	ctx, cancel := context.WithTimeout(ctx, q.For)
	defer cancel()
	a := &abuser{street: q.Street}
	a.dialer = net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	t := &http.Transport{DialContext: a.dialer.DialContext, DisableCompression: true, MaxIdleConnsPerHost: 1000}
	defer t.CloseIdleConnections()
	a.client = &http.Client{Transport: t, Timeout: time.Minute}
	var made, failed atomic.Int64
	var all sync.WaitGroup
	for _, x := range abuses {
		if x.name != q.Name {
			continue
		}
		for i := range x.many {
			all.Go(func() {
				for ctx.Err() == nil {
					made.Add(1)
					if x.do(a, ctx, i) {
						continue
					}
					failed.Add(1)
					select { // who is refused at once would only measure itself
					case <-time.After(time.Millisecond):
					case <-ctx.Done():
					}
				}
			})
		}
	}
	all.Wait()
	if made.Load() == 0 {
		return attempts{}, fmt.Errorf("there is no abuse %q", q.Name)
	}
	return attempts{made.Load(), failed.Load()}, nil
}

func (a *abuser) send(ctx context.Context, method, path, token string, body io.Reader, header ...string) bool {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+a.HTTP+path, body)
	if err != nil {
		return false
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return ask(a.client, r) == ""
}

func (a *abuser) page(ctx context.Context, _ int) bool {
	return a.send(ctx, http.MethodGet, a.Page, a.Reader, nil)
}

// lines sends lines as the bad tenant.
func (a *abuser) lines(ctx context.Context, n int, line func(i int64) string) bool {
	var b strings.Builder
	for range n {
		b.WriteString(line(a.made.Add(1)))
		b.WriteByte('\n')
	}
	return a.send(ctx, http.MethodPost, "/ingest/v1/calls", a.Pusher, strings.NewReader(b.String()), "Content-Type", "application/x-ndjson")
}

func (a *abuser) restarts(ctx context.Context, _ int) bool {
	return a.lines(ctx, 2000, func(i int64) string {
		return fmt.Sprintf(`{"event":"restart","trunkFullyQualifiedDomainName":"sbc%d.nobody.test"}`, i)
	})
}

func (a *abuser) oneCorrelation(ctx context.Context, _ int) bool {
	return a.lines(ctx, 500, func(i int64) string {
		return fmt.Sprintf(`{"id":"%08x-0000-4000-8000-00000000abcd","correlationId":"00000000-0000-4000-8000-00000000c0ff","callType":"ByotIn","startDateTime":"2026-11-01T08:00:00Z","endDateTime":"2026-11-01T08:00:01Z","duration":1,"successfulCall":true}`, i)
	})
}

func (a *abuser) openParts(ctx context.Context, _ int) bool {
	return a.lines(ctx, 500, func(i int64) string {
		return fmt.Sprintf(`{"event":"partial","call":"open-%d","startDateTime":"2026-11-01T08:00:00Z"}`, i)
	})
}

// oneNumber makes calls of two parties without end.
func (a *abuser) oneNumber(ctx context.Context, i int) bool {
	return a.calls(ctx, i, func(*call.Row, call.Message) bool { return true })
}

// openCalls makes calls that do not end.
func (a *abuser) openCalls(ctx context.Context, i int) bool {
	return a.calls(ctx, i, func(r *call.Row, m call.Message) bool { return m.At.Before(r.End.Add(-time.Second)) })
}

func (a *abuser) calls(ctx context.Context, i int, wanted func(*call.Row, call.Message) bool) bool {
	c := crowd{Rows: 100_000, Seed: uint64(1_000 + i)} //nolint:gosec // a small number
	next, stop := iter.Pull(c.all())
	defer stop()
	return a.raw(ctx, a.HEP, func(int) string {
		var out []byte
		for len(out) < 64<<10 {
			r, ok := next()
			if !ok {
				break
			}
			if !r.Successful || r.End.IsZero() {
				continue
			}
			r.Caller, r.Callee = "+4930111111", "+4930222222"
			out = append(out, packets(r, func(m call.Message) bool { return wanted(r, m) })...)
			a.made.Add(1)
		}
		return string(out)
	})
}

func (a *abuser) scan(ctx context.Context, _ int) bool {
	return a.send(ctx, http.MethodGet, a.Page+"?$filter=contains(callerNumber,'nobody')", a.Reader, nil)
}

func (a *abuser) push(ctx context.Context, _ int) bool {
	return a.send(ctx, http.MethodPost, "/ingest/v1/calls", a.Pusher, strings.NewReader(a.Rows), "Content-Type", "application/x-ndjson")
}

// drip delivers a body byte by byte.
func (a *abuser) drip(ctx context.Context, _ int) bool {
	return a.send(ctx, http.MethodPost, "/ingest/v1/calls", a.Pusher, &dripping{ctx, strings.NewReader(a.Rows)}, "Content-Type", "application/x-ndjson")
}

type dripping struct {
	ctx context.Context //nolint:containedctx // of one body
	r   io.Reader
}

func (d *dripping) Read(p []byte) (int, error) {
	select {
	case <-time.After(100 * time.Millisecond):
		return d.r.Read(p[:1])
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

var bombOnce = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	for range 64 {
		_, _ = z.Write(bytes.Repeat([]byte(" "), 1<<20))
	}
	_ = z.Close()
	return b.Bytes()
})

func (a *abuser) bomb(ctx context.Context, _ int) bool {
	return a.send(ctx, http.MethodPost, "/ingest/v1/calls", a.Pusher, bytes.NewReader(bombOnce()), "Content-Type", "application/x-ndjson", "Content-Encoding", "gzip")
}

// raw opens a connection, writes what f says until it returns nothing, and waits
// until the server closes it.
func (a *abuser) raw(ctx context.Context, address string, f func(n int) string) bool {
	c, err := a.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	for n := 0; ; n++ {
		text := f(n)
		if text == "" {
			break
		}
		if _, err := io.WriteString(c, text); err != nil {
			return false
		}
	}
	_, _ = io.Copy(io.Discard, c)
	return false
}

func (a *abuser) dripHead(ctx context.Context, _ int) bool {
	return a.raw(ctx, a.HTTP, func(n int) string {
		if n == 0 {
			return "GET " + a.Page + " HTTP/1.1\r\nHost: x\r\nX: "
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
		return "x"
	})
}

func (a *abuser) longHead(ctx context.Context, _ int) bool {
	return a.raw(ctx, a.HTTP, func(n int) string {
		switch n {
		case 0:
			return "GET " + a.Page + " HTTP/1.1\r\nHost: x\r\n"
		case 1000:
			return ""
		}
		return "X: " + strings.Repeat("x", 1000) + "\r\n"
	})
}

func (a *abuser) idle(ctx context.Context, _ int) bool {
	return a.raw(ctx, a.HTTPS, func(int) string { return "" })
}

func (a *abuser) unknownTenant(ctx context.Context, i int) bool {
	return a.send(ctx, http.MethodGet, fmt.Sprintf("/nobody-%d-%d/v2.0/.well-known/openid-configuration", i, a.made.Add(1)), "", nil)
}

func (a *abuser) token(ctx context.Context, client, secret string) bool {
	r := tokenRequest("http://"+a.HTTP, a.Tenant, client, secret)
	return ask(a.client, r.WithContext(ctx)) == ""
}

func (a *abuser) unknownClient(ctx context.Context, _ int) bool {
	return a.token(ctx, fmt.Sprintf("99999999-9999-4999-8999-%012d", a.made.Add(1)), "tlk_wrong")
}

func (a *abuser) wrongSecret(ctx context.Context, _ int) bool {
	return a.token(ctx, a.Client, "tlk_wrong")
}

func (a *abuser) badToken(ctx context.Context, _ int) bool {
	parts := strings.Split(a.Reader, ".")
	return a.send(ctx, http.MethodGet, a.Page, parts[0]+"."+parts[1]+"."+fmt.Sprintf("%0*d", len(parts[2]), a.made.Add(1)), nil)
}

// tokenRequest asks for a token as a client does.
func tokenRequest(root, tenant, client, secret string) *http.Request {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}, "scope": {"api://trunklog/.default"}}
	r, _ := http.NewRequest(http.MethodPost, root+"/"+tenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode())) //nolint:noctx // it has a time limit
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}
