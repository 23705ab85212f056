package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/tenant"
)

// The neighbours: a tenant that reads pages and delivers calls, and one that
// does the worst it can, or a stranger who does. What the good one gets is
// measured beside what it gets when all is calm. The abuses are the table in
// neighbour_abuse.go.

// neighbourly says how much of it is measured.
type neighbourly struct {
	rows    int // of each of the two tenants
	tenants int // besides them
	slice   time.Duration
}

var badTenant = call.GUID{0xbe, 0x4c, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 2}

// good is what the good tenant got.
type good struct {
	page, post, token []float64 // milliseconds
	heard             []float64 // milliseconds from a call's last message to its row
	refused           []string  // what was not answered as it should be
}

// A quarter is where the neighbours live.
type quarter struct {
	*hearing // of the good tenant's calls
	house    *house
	street   street
	reader   string // the good tenant's token that reads
	pusher   string // and the one that delivers
	secret   string
	pages    []string // paths of the good tenant's pages

	calls  []call.Row // that it makes, one after the other
	posted int        // rows that it has delivered
	mu     sync.Mutex // of what it got
}

// measureNeighbours measures every abuse and writes the table.
func (b *bench) measureNeighbours(ctx context.Context) error {
	lines, err := b.neighbours(ctx, neighbourly{rows: min(b.rows, 500_000), tenants: 500, slice: 4 * b.slice})
	b.report.figures(figures{
		title:   "Neighbours: what a good tenant gets while another, or a stranger, does the worst",
		columns: []string{"abuse", "page p50", "page p99", "times calm", "POST p99", "times calm", "hear to row p99", "times calm", "token p99", "refused", "attempts"},
		lines:   lines,
		note:    "One page of 1,000 rows and one POST of 100 rows at a time, over TLS, and one call at a time that is heard by HEP; milliseconds. The abusers are another process, of the lowest priority, on the same two cores. Each line has its own calm beside it.",
	})
	return err
}

// neighbours measures the abuses and returns the lines of their table.
func (b *bench) neighbours(ctx context.Context, n neighbourly) (lines [][]string, err error) {
	q, err := b.newQuarter(ctx, n)
	if err != nil {
		return nil, err
	}
	defer q.close()
	if _, err := q.measure(ctx, n.slice); err != nil { // to warm up
		return nil, err
	}
	for _, a := range abuses {
		calm, err := q.measure(ctx, n.slice)
		if err != nil {
			return lines, err
		}
		lead := min(n.slice, time.Second) // until the abuse is under way
		var attempts attempts
		g, abusing := errgroup.WithContext(ctx)
		g.Go(func() error {
			_, err := child(abusing, "abuse", abuse{Name: a.name, Street: q.street, For: lead + n.slice + lead/2}, &attempts)
			return err
		})
		select {
		case <-time.After(lead):
		case <-abusing.Done():
		}
		loud, err := q.measure(ctx, n.slice)
		if err = errors.Join(err, g.Wait()); err != nil {
			return lines, fmt.Errorf("%s: %w", a.name, err)
		}
		lines = append(lines, loud.line(a.name, calm, attempts))
		if err := q.judge(a.name, calm, loud); err != nil {
			return lines, err
		}
	}
	return lines, nil
}

// line is one of the table.
func (g good) line(name string, calm good, a attempts) []string {
	ms := func(v, p float64) string { return fmt.Sprintf("%.1f (%.1f)", v, p) }
	pair := func(loud, calm []float64, p float64) string { return ms(percentile(loud, p), percentile(calm, p)) }
	times := func(loud, calm []float64) string {
		return fmt.Sprintf("%.1f", percentile(loud, 99)/max(percentile(calm, 99), 0.01))
	}
	return []string{
		name, pair(g.page, calm.page, 50), pair(g.page, calm.page, 99), times(g.page, calm.page),
		pair(g.post, calm.post, 99), times(g.post, calm.post),
		pair(g.heard, calm.heard, 99), times(g.heard, calm.heard), pair(g.token, calm.token, 99),
		fmt.Sprint(len(g.refused)), fmt.Sprintf("%d, %d failed", a.Made, a.Failed),
	}
}

// How long the good tenant may have to wait: many times what it waits on two
// busy cores, and no longer than its own clients would.
const (
	longestAnswer = 10 * time.Second
	longestRow    = 30 * time.Second // from a call's last message to its row
)

// wrong returns an error if the good tenant was refused anything, or waited too
// long.
func (g good) wrong() error {
	if len(g.refused) > 0 {
		return fmt.Errorf("%d good requests were refused: %s", len(g.refused), g.refused[0])
	}
	for _, x := range []struct {
		name string
		took []float64
		most time.Duration
	}{{"a page", g.page, longestAnswer}, {"a POST", g.post, longestAnswer}, {"a token", g.token, longestAnswer}, {"the row of a call", g.heard, longestRow}} {
		if ms := percentile(x.took, 100); ms > float64(x.most.Milliseconds()) {
			return fmt.Errorf("%s took %.0f ms, more than %v", x.name, ms, x.most)
		}
	}
	return nil
}

// judge fails if anything went wrong for the good tenant, or the server has
// stopped.
func (q *quarter) judge(name string, all ...good) error {
	for _, g := range all {
		if err := g.wrong(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	select {
	case <-q.server.Gone:
		return fmt.Errorf("%s: the server has stopped: %w", name, q.server.Wait(context.Background()))
	default:
		return nil
	}
}

// newQuarter fills a store for the neighbours and starts a server on it.
func (b *bench) newQuarter(ctx context.Context, n neighbourly) (*quarter, error) {
	q := &quarter{house: b.newHouse("neighbours")}
	if err := os.Mkdir(q.house.Data, 0o700); err != nil {
		return nil, err
	}
	if err := q.fill(ctx, n); err != nil {
		return nil, err
	}
	for _, c := range []struct {
		name, tenant, role string
		token              *string
	}{
		{"reader", "good", "CallRecords.Read.All", &q.reader},
		{"pusher", "good", "CallRecords.Ingest", &q.pusher},
		{"bad-reader", "bad", "CallRecords.Read.All", &q.street.Reader},
		{"bad-pusher", "bad", "CallRecords.Ingest", &q.street.Pusher},
	} {
		made, err := q.house.newClient(ctx, c.name, c.tenant, "--role", c.role)
		if err != nil {
			return nil, err
		}
		if *c.token = made.Token; c.name == "reader" {
			q.street.Tenant, q.street.Client, q.secret = made.TenantID, made.ClientID, made.ClientSecret
		}
	}
	addrs, release, err := reserve(1)
	if err != nil {
		return nil, err
	}
	defer release()
	q.street.HEP, q.calls = addrs[0], b.answered(5_000, b.seed+2)
	if q.hearing, err = q.house.hear(ctx, q.reader, "good", "--rate-limit", "0", "--source", "bad=hep+tcp://"+q.street.HEP+"?tenant=bad"); err != nil {
		return nil, err
	}
	from, to := (crowd{Rows: n.rows}).span()
	for i := range 24 { // hours or more apart, with full pages behind them
		q.pages = append(q.pages, pagePath(from.Add(to.Sub(from)/48*time.Duration(i)), to, 0))
	}
	q.street.HTTP, q.street.HTTPS = q.server.http, q.server.https
	q.street.Page, q.street.Rows = pagePath(from, to, 0), string(rowsOf(0, 5_000))
	if _, err = q.rest(ctx, 30*time.Second); err != nil {
		q.close()
		return nil, err
	}
	return q, nil
}

// hear lets a call be heard and waits for its row; it returns why there is none.
func (q *quarter) hear(ctx context.Context) string {
	if len(q.calls) == 0 {
		return "there are no calls any more"
	}
	r := &q.calls[0]
	q.calls = q.calls[1:]
	if _, err := q.conn.Write(packets(r, func(call.Message) bool { return true })); err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, longestRow)
	defer cancel()
	wanted := call.Query{Tenant: tenantID(), Where: call.Compare{Field: call.FieldCorrelationID, Value: r.CorrelationID}, Limit: 1}
	for {
		for _, err := range q.store.Rows(ctx, wanted) {
			if err != nil {
				return err.Error()
			}
			return ""
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return "no row came of it"
		}
	}
}

// fill writes the tenants and their rows.
func (q *quarter) fill(ctx context.Context, n neighbourly) error {
	return withStore(ctx, "pebble:"+filepath.Join(q.house.Data, "store"), func(st call.Store) error {
		all, err := tenant.Open(ctx, st, time.Now)
		if err != nil {
			return err
		}
		for i := range n.tenants + 2 {
			t := tenant.Tenant{ID: call.NameGUID("neighbour", fmt.Sprint(i)), Name: fmt.Sprintf("tenant-%d", i), Trunks: []string{fmt.Sprintf("sbc%d.neighbours.test", i)}}
			switch i {
			case 0:
				t.ID, t.Name = tenantID(), "good"
			case 1:
				t.ID, t.Name = badTenant, "bad"
			}
			if err := all.Add(ctx, t); err != nil {
				return err
			}
		}
		for batch := range (crowd{Rows: n.rows, Users: 100, Seed: 1}).batches() {
			for _, id := range []call.GUID{tenantID(), badTenant} {
				for i := range batch {
					batch[i].Tenant = id
				}
				if _, err := st.Write(ctx, call.Batch{Rows: batch}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// rowsOf returns calls as JSON lines: count of them from the n-th on.
func rowsOf(n, count int) []byte {
	var b bytes.Buffer
	for i := n; i < n+count; i++ {
		at := time.Date(2026, 10, 1, 0, 0, i%86_400, 0, time.UTC).Format(time.RFC3339)
		fmt.Fprintf(&b, `{"id":"%s","startDateTime":"%s","inviteDateTime":"%s","endDateTime":"%s","callType":"ByotIn","successfulCall":true,"callerNumber":"+49301%06d","calleeNumber":"+49302%06d","trunkFullyQualifiedDomainName":"sbc0.neighbours.test"}`+"\n",
			call.NameGUID("neighbour row", fmt.Sprint(i)), at, at, at, i%1_000_000, i%999_983)
	}
	return b.Bytes()
}

// measure lets the good tenant do what it does for a while.
func (q *quarter) measure(ctx context.Context, d time.Duration) (g good, _ error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var all sync.WaitGroup
	every := func(pause time.Duration, took *[]float64, name string, do func(n int) (why string)) {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				began := time.Now()
				why := do(n)
				ms := milliseconds(time.Since(began))
				q.mu.Lock()
				if *took = append(*took, ms); why != "" {
					g.refused = append(g.refused, name+": "+why)
				}
				q.mu.Unlock()
				select {
				case <-time.After(pause):
				case <-ctx.Done():
				}
			}
		})
	}
	client := func() *http.Client { // of its own, as its connections are
		t := &http.Transport{TLSClientConfig: q.server.tls, DisableCompression: true}
		return &http.Client{Transport: t, Timeout: 30 * time.Second}
	}
	reading, posting, asking := client(), client(), client()
	for _, c := range []*http.Client{reading, posting, asking} {
		defer c.CloseIdleConnections()
	}
	root := "https://" + q.server.https
	every(20*time.Millisecond, &g.heard, "a call", func(int) string { return q.hear(context.WithoutCancel(ctx)) })
	every(5*time.Millisecond, &g.page, "a page", func(n int) string {
		r, _ := http.NewRequest(http.MethodGet, root+q.pages[n%len(q.pages)], http.NoBody) //nolint:noctx // it has a time limit
		r.Header.Set("Authorization", "Bearer "+q.reader)
		r.Header.Set("Accept-Encoding", "gzip")
		return ask(reading, r)
	})
	every(20*time.Millisecond, &g.post, "a POST", func(int) string {
		q.posted += 100                                                                                                     // nobody else does
		r, _ := http.NewRequest(http.MethodPost, root+"/ingest/v1/calls", bytes.NewReader(rowsOf(1_000_000+q.posted, 100))) //nolint:noctx // it has a time limit
		r.Header.Set("Authorization", "Bearer "+q.pusher)
		r.Header.Set("Content-Type", "application/x-ndjson")
		return ask(posting, r)
	})
	every(200*time.Millisecond, &g.token, "a token", func(int) string {
		return ask(asking, tokenRequest(root, q.street.Tenant, q.street.Client, q.secret))
	})
	all.Wait()
	return g, nil
}

// ask sends a request and returns what was wrong with the answer, if anything.
func ask(c *http.Client, r *http.Request) string {
	res, err := c.Do(r)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	head, _ := io.ReadAll(io.LimitReader(res.Body, 300))
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err.Error()
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Sprintf("%s: %s", res.Status, head)
	}
	return ""
}
