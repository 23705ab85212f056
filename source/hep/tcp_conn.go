package hep

import (
	"container/list"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
)

const (
	// smallBuffer is what a connection has that sends nothing.
	smallBuffer = 512
	// fairBuffer is what any connection may have: room for the longest packet.
	fairBuffer = 64 << 10
	// largeBuffer is what a connection may have that sends a lot, if there is
	// memory to spare. While the sink is busy with one batch, the next one
	// collects here.
	largeBuffer = 1 << 20
	// linger is how long a connection that falls silent keeps its buffer.
	linger = 5 * time.Second
)

// A conn is one sender's connection. One goroutine reads; while there are whole
// packets in the buffer, another one puts them. So what comes while the sink
// makes one batch durable becomes the next batch, and when the buffer is full
// the sender has to wait.
//
//	buf  [ put | being put | whole packets | part of one | room to read into ]
//	           ^ done                      ^ whole       ^ have
//
// The bytes in front of whole are the putting goroutine's; those behind it are
// the reading one's. Packets move to the front of buf only when nothing is being
// put, because the texts of events lie there.
type conn struct {
	l        *listener
	raw      net.Conn
	net      net.Conn       // raw, or TLS over it
	from     netip.AddrPort // the sender
	sink     call.Sink
	stranger *list.Element

	// The reading goroutine's own.
	have    int
	full    bool          // the last read filled the buffer
	silent  bool          // nothing came for a while
	patient time.Duration // how long we still wait for the rest of a packet
	noise   int           // bytes since the last packet that are none

	mu      sync.Mutex // of what both goroutines need
	quiet   sync.Cond  // nothing is being put
	buf     []byte
	done    int
	whole   int
	putting bool
	failed  bool // to put; nothing more will be
	known   bool // packets from here are understood
}

func newConn(l *listener, nc net.Conn) *conn {
	c := &conn{l: l, raw: nc, net: nc, from: addrPortOf(nc.RemoteAddr()), sink: l.sink}
	c.quiet.L = &c.mu
	return c
}

// serve reads packets until ctx is done, the connection ends, or nothing comes
// that is one: what is none is passed over, but not for ever.
func (c *conn) serve(ctx context.Context) {
	if !c.handshake(ctx) {
		return
	}
	c.buf = make([]byte, smallBuffer)
	defer c.finish()
	for {
		if !c.makeRoom() {
			c.giveUp(Stopped)
			return
		}
		n, err := c.read(ctx)
		c.have += n
		c.full = c.have == len(c.buf)
		c.silent = n == 0
		if !c.frame() {
			return
		}
		switch {
		case ctx.Err() != nil:
			c.giveUp(Stopped)
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			if c.waiting() && c.patient <= 0 {
				c.giveUp(Stall)
				return
			}
		case err != nil:
			c.giveUp(Cut)
			return
		}
	}
}

// part returns how many bytes there are of a packet that is not whole.
func (c *conn) part() int { return c.have - c.whole }

// waiting reports whether a packet must come to its end now, or come at all
// behind bytes that were none.
func (c *conn) waiting() bool { return c.part() > 0 || c.noise > 0 }

// read reads once. It waits for a packet for as long as it takes, but for the
// rest of one no longer than the sender has been given; the time that we make
// the sender wait does not count. These are deadlines of the network, which
// knows no other clock than the machine's.
func (c *conn) read(ctx context.Context) (int, error) {
	begin := time.Now()
	var deadline time.Time
	switch {
	case c.waiting():
		deadline = begin.Add(c.patient)
	case len(c.buf) > smallBuffer:
		deadline = begin.Add(linger)
	}
	_ = c.net.SetReadDeadline(deadline)
	if err := ctx.Err(); err != nil {
		return 0, err // listener.interrupt may have come in between
	}
	n, err := c.net.Read(c.buf[c.have:])
	if c.waiting() {
		c.patient -= time.Since(begin)
	} else {
		c.patient = c.l.idle
	}
	return n, err
}

// frame finds out where packets end in what was read, leaves out what is no
// packet, and hands on those that are whole. It reports false if there was too
// much that is none.
func (c *conn) frame() bool {
	from, to, packets := c.whole, c.whole, 0 // to is where the next packet belongs
	at := c.whole                            // and at where it is
	for at < c.have {
		b := c.buf[at:c.have]
		next := frame
		if c.noise > 0 {
			next = resumed
		}
		n, cause := next(b)
		if cause != 0 {
			at += c.pass(b, cause)
			continue
		}
		if n == 0 || n > len(b) {
			break
		}
		c.noise = 0
		if to != at {
			copy(c.buf[to:], b[:n])
		}
		at, to, packets = at+n, to+n, packets+1
	}
	if to != at {
		c.have = to + copy(c.buf[to:], c.buf[at:c.have])
	}
	if packets > 0 {
		c.handOn(packets, from, to)
	}
	return c.noise <= maxNoise
}

// handOn has the packets put that are in the buffer between the two places.
func (c *conn) handOn(packets, from, to int) {
	c.patient = c.l.idle // the next packet has begun, or will
	c.l.received(packets, to-from)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = to
	if !c.putting {
		c.putting = true
		go c.putAll()
	}
}

// giveUp counts what is there of a packet that will not become whole.
func (c *conn) giveUp(cause Cause) {
	part := c.buf[c.whole:c.have]
	if len(part) == 0 {
		return
	}
	c.l.received(1, len(part))
	c.l.refuse(cause, c.from, part, nil)
}
