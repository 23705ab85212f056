package hep

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trunklog/trunklog/call"
)

const (
	// maxPutting is the number of connections that may wait for the sink at once. More would not
	// make it faster, and each needs memory for its messages.
	maxPutting = 32
	// spareBuffers is how many bytes the buffers of all connections together may have beyond
	// fairBuffer each.
	spareBuffers = 64 << 20
	// acceptPause is the pause after an error of Accept, for example when no file descriptors are
	// left.
	acceptPause = 100 * time.Millisecond
)

// listenTCP opens the socket. Only keep-alives find senders that have vanished, since a healthy
// sender may be silent all night.
func (s *Source) listenTCP(ctx context.Context) (net.Listener, error) {
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4,
	}}
	l, err := lc.Listen(ctx, "tcp", s.host)
	if err != nil || s.o.Listener == nil {
		return l, err
	}
	return s.o.Listener(l), nil
}

// A listener accepts connections and keeps a list of the open ones.
type listener struct {
	*Source
	puts    context.Context //nolint:containedctx // of the connections' puts, as long as Run
	sink    call.Sink
	fail    context.CancelCauseFunc // ends Run with its error
	batches chan *batch             // maxPutting of them, each nil until its first use
	spare   atomic.Int64            // bytes left of spareBuffers
	// opening bounds how many connections take packets apart at once, to half of the processors:
	// the rest of the server needs the others.
	opening chan struct{}

	mu    sync.Mutex
	conns map[*conn]struct{}
	// strangers are the connections on which we have not understood any packet yet, the oldest in
	// front.
	strangers *list.List
}

// runTCP accepts connections until ctx is done, and then waits until they have put what they have
// received.
func (s *Source) runTCP(ctx, puts context.Context, l net.Listener, sink call.Sink) error {
	parent := ctx
	ctx, fail := context.WithCancelCause(parent)
	defer fail(nil)
	r := &listener{
		Source: s, puts: puts, sink: sink, fail: fail,
		batches: make(chan *batch, maxPutting), conns: map[*conn]struct{}{}, strangers: list.New(),
		opening: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
	for range maxPutting {
		r.batches <- nil
	}
	r.spare.Store(spareBuffers)
	var open sync.WaitGroup
	unhook := context.AfterFunc(ctx, func() {
		_ = l.Close()
		r.interrupt()
	})
	defer unhook()
	r.accept(ctx, l, &open)
	open.Wait()
	if parent.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// accept serves each connection in a goroutine of open, until ctx is done.
func (r *listener) accept(ctx context.Context, l net.Listener, open *sync.WaitGroup) {
	for {
		nc, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = nc.Close()
			}
			return
		}
		if err != nil {
			r.o.Log.Warn("a connection could not be accepted", "addr", l.Addr().String(), "err", err)
			pause := time.NewTimer(acceptPause)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
			}
			continue
		}
		r.count.accepted.Add(1)
		c := newConn(r, nc)
		if !r.admit(c) {
			r.turnAway(Crowded, nc.RemoteAddr(), nil)
			_ = nc.Close()
			continue
		}
		open.Go(func() {
			defer r.leave(c)
			c.serve(ctx)
		})
	}
}

// admit adds a connection to the list. If the list is full it closes the oldest stranger: otherwise
// an attacker could keep senders out by connecting and saying nothing. It reports false if there is
// no stranger to close.
func (r *listener) admit(c *conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.conns) >= r.connections {
		first := r.strangers.Front()
		if first == nil {
			return false
		}
		other := first.Value.(*conn)
		r.forget(other)
		r.turnAway(Crowded, other.raw.RemoteAddr(), nil)
		_ = other.raw.Close()
	}
	r.conns[c] = struct{}{}
	r.count.connections.Add(1)
	c.stranger = r.strangers.PushBack(c)
	return true
}

// know notes that we have understood a packet of a connection.
func (r *listener) know(c *conn) {
	if r.o.Known != nil {
		r.o.Known(c.raw)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.stranger != nil {
		r.strangers.Remove(c.stranger)
		c.stranger = nil
	}
}

// leave closes a connection and takes it off the list.
func (r *listener) leave(c *conn) {
	_ = c.net.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(c)
}

// forget takes a connection off the list. The caller holds r.mu.
func (r *listener) forget(c *conn) {
	if _, there := r.conns[c]; !there {
		return
	}
	delete(r.conns, c)
	r.count.connections.Add(-1)
	if c.stranger != nil {
		r.strangers.Remove(c.stranger)
		c.stranger = nil
	}
}

// interrupt makes every read of a connection return at once.
func (r *listener) interrupt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

// handshake makes the TLS handshake, if the URL asks for TLS. It reports false, and counts a
// refusal, if that fails.
func (c *conn) handshake(ctx context.Context) bool {
	if c.l.tls == nil {
		return true
	}
	limited, cancel := context.WithTimeout(ctx, c.l.idle)
	defer cancel()
	t := tls.Server(c.raw, c.l.tls)
	c.net = t
	err := t.HandshakeContext(limited)
	switch {
	case err == nil:
		if certs := t.ConnectionState().PeerCertificates; len(certs) > 0 && c.l.o.From != nil {
			c.sink = c.l.o.From(namesOf(certs[0]))
		}
		return true
	case ctx.Err() != nil, errors.Is(err, net.ErrClosed): // the source stops, or admit has closed the connection
		return false
	}
	c.l.turnAway(refusalOf(err), c.raw.RemoteAddr(), err)
	return false
}
