package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// A target is a server under load.
type target struct {
	name string
	addr string
	pid  int         // of its process
	tls  *tls.Config // nil for plain HTTP
	// request appends a request of HTTP/1.1 that was chosen by r.
	request func(b []byte, r *rand.Rand) []byte
}

// A load says how hard a target is asked.
type load struct {
	clients int
	length  time.Duration
	seed    uint64
}

// A tally is what became of a load.
type tally struct {
	pages   int64
	bytes   int64 // of the bodies as they were sent
	elapsed time.Duration
	took    []float64 // milliseconds of each request, unordered
}

func (t *tally) rate() float64 { return perSecond(t.pages, t.elapsed) }

func (t *tally) size() float64 { return float64(t.bytes) / float64(max(t.pages, 1)) }

// run asks t by l.clients connections that are kept alive, each of which sends
// its next request when the answer to the one before has arrived. The first
// answers of each connection are not counted.
func (l load) run(ctx context.Context, t target) (*tally, error) {
	parts, ask := make([]tally, l.clients), make([]func(end time.Time) error, l.clients)
	g, ctx := errgroup.WithContext(ctx)
	for i := range l.clients {
		c, err := dial(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		defer func() { _ = c.conn.Close() }()
		r := rand.New(rand.NewPCG(l.seed, uint64(i))) //nolint:gosec // nothing here is a secret
		for range 2 {
			if _, err := c.do(r); err != nil {
				return nil, fmt.Errorf("%s: %w", t.name, err)
			}
		}
		ask[i] = func(end time.Time) error { return c.ask(ctx, r, end, &parts[i]) }
	}
	start := time.Now()
	for _, f := range ask {
		g.Go(func() error { return f(start.Add(l.length)) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := &tally{elapsed: time.Since(start)}
	for _, p := range parts {
		all.pages += p.pages
		all.bytes += p.bytes
		all.took = append(all.took, p.took...)
	}
	return all, nil
}

// A client is one connection to a target.
type client struct {
	target
	conn net.Conn
	out  []byte
	in   *bufio.Reader
}

func dial(ctx context.Context, t target) (*client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return nil, err
	}
	if t.tls != nil {
		secure := tls.Client(conn, t.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		conn = secure
	}
	return &client{target: t, conn: conn, in: bufio.NewReaderSize(conn, 256<<10)}, nil
}

// ask sends requests until end.
func (c *client) ask(ctx context.Context, r *rand.Rand, end time.Time, t *tally) error {
	for began := time.Now(); began.Before(end); {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := c.do(r)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		now := time.Now()
		t.pages++
		t.bytes += n
		t.took = append(t.took, milliseconds(now.Sub(began)))
		began = now
	}
	return nil
}

// do sends one request and reads the answer, whose length it returns.
func (c *client) do(r *rand.Rand) (int64, error) {
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	c.out = c.request(c.out[:0], r)
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, err
	}
	return c.next()
}

// next reads one answer, forgets it and returns the length of its body. What is as
// long as it says is thrown away where it has been read to: the load shares the
// processor with the server that is measured.
func (c *client) next() (int64, error) {
	res, err := http.ReadResponse(c.in, nil) //nolint:bodyclose // closing it would read on, into the next answer
	if err != nil {
		return 0, err
	}
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%w: %s", errStatus, res.Status)
	}
	if n := res.ContentLength; n >= 0 {
		_, err = c.in.Discard(int(n))
		return n, err
	}
	return io.Copy(io.Discard, res.Body)
}

var errStatus = errors.New("the answer is not 200")

// choose returns an element of list.
func choose[T any](list []T, r *rand.Rand) T { return list[r.IntN(len(list))] }
