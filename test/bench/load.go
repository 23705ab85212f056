package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
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
	parts := make([]tally, l.clients)
	ready := make(chan struct{}, l.clients)
	begin := make(chan struct{})
	var start time.Time
	g, ctx := errgroup.WithContext(ctx)
	for i := range l.clients {
		g.Go(func() error {
			c, err := dial(ctx, t)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			defer func() { _ = c.conn.Close() }()
			r := rand.New(rand.NewPCG(l.seed, uint64(i))) //nolint:gosec // nothing here is a secret
			for range 2 {
				if _, err := c.do(r); err != nil {
					return fmt.Errorf("%s: %w", t.name, err)
				}
			}
			ready <- struct{}{}
			select {
			case <-begin:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			return c.ask(ctx, r, start.Add(l.length), &parts[i])
		})
	}
	for range l.clients {
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, errors.Join(g.Wait(), context.Cause(ctx))
		}
	}
	start = time.Now()
	close(begin)
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
	in   answers
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
	return &client{target: t, conn: conn, in: answers{r: conn, buf: make([]byte, 256<<10)}}, nil
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
	return c.in.next()
}

// Answers reads answers of HTTP/1.1 from a connection and forgets them. It does
// as little as can be done, because the load shares the processor with the
// server that is measured.
type answers struct {
	r    io.Reader
	buf  []byte
	have []byte // the part of buf that is not yet used
}

var (
	errStatus  = errors.New("the answer is not 200")
	errFraming = errors.New("the answer has neither a Content-Length nor chunks")
)

// next reads one answer and returns the length of its body.
func (a *answers) next() (int64, error) {
	head, err := a.until("\r\n\r\n")
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		return 0, fmt.Errorf("%w: %s", errStatus, line)
	}
	if n, ok := header(head, "content-length"); ok {
		length, err := strconv.ParseInt(n, 10, 64)
		if err != nil {
			return 0, err
		}
		return length, a.skip(length)
	}
	if v, _ := header(head, "transfer-encoding"); v != "chunked" {
		return 0, errFraming
	}
	var total int64
	for {
		line, err := a.until("\r\n")
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSuffix(line, []byte("\r\n"))), 16, 64)
		if err != nil {
			return 0, err
		}
		if err := a.skip(n + 2); err != nil {
			return 0, err
		}
		if n == 0 {
			return total, nil
		}
		total += n
	}
}

// until returns what comes up to and with mark. It is valid until the next
// read.
func (a *answers) until(mark string) ([]byte, error) {
	for {
		if i := bytes.Index(a.have, []byte(mark)); i >= 0 {
			head := a.have[:i+len(mark)]
			a.have = a.have[len(head):]
			return head, nil
		}
		n := copy(a.buf, a.have)
		if n == len(a.buf) {
			return nil, io.ErrShortBuffer
		}
		m, err := a.r.Read(a.buf[n:])
		if m == 0 && err != nil {
			return nil, err
		}
		a.have = a.buf[:n+m]
	}
}

// skip reads n bytes.
func (a *answers) skip(n int64) error {
	k := min(n, int64(len(a.have)))
	a.have = a.have[k:]
	n -= k
	for n > 0 {
		m, err := a.r.Read(a.buf)
		if m == 0 && err != nil {
			return err
		}
		a.have = a.buf[:m]
		k := min(n, int64(m))
		a.have = a.have[k:]
		n -= k
	}
	return nil
}

// header returns a field of a head, whose name is given in lower case.
func header(head []byte, name string) (string, bool) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		k, v, ok := bytes.Cut(line, []byte(":"))
		if ok && len(k) == len(name) && bytes.EqualFold(k, []byte(name)) {
			return string(bytes.TrimSpace(v)), true
		}
	}
	return "", false
}

// choose returns an element of list.
func choose[T any](list []T, r *rand.Rand) T { return list[r.IntN(len(list))] }

// flat returns the elements of all lists.
func flat(lists ...[]float64) []float64 { return slices.Concat(lists...) }
