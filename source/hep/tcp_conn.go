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
	// smallBuffer is the buffer of a silent connection.
	smallBuffer = 512
	// fairBuffer is the buffer that any connection may have: room for the longest packet.
	fairBuffer = 64 << 10
	// largeBuffer is the buffer of a busy connection, if there is memory to spare. While the sink
	// is busy with one batch, the next one collects here.
	largeBuffer = 1 << 20
	// linger is how long a silent connection keeps a larger buffer.
	linger = 5 * time.Second
)

// A conn is one sender's connection. One goroutine reads; while there are whole packets in the
// buffer, another one puts them. So the packets that arrive while the sink makes one batch durable
// become the next batch, and if the buffer is full the sender has to wait.
//
//	buf  [ put | being put | whole packets | part of one | room to read into ]
//	           ^ done                      ^ whole       ^ have
//
// The bytes in front of whole belong to the putting goroutine, those behind it to the reading one.
// Packets move to the front of buf only while the putting goroutine is idle, because the texts of
// events point into it.
type conn struct {
	l        *listener
	raw      net.Conn
	net      net.Conn       // raw, or TLS over raw
	from     netip.AddrPort // the sender
	sink     call.Sink
	stranger *list.Element

	// The reading goroutine's own.
	have    int
	full    bool          // the last read has filled the buffer
	silent  bool          // the last read has brought nothing
	patient time.Duration // the time left for the sender to complete a packet
	noise   int           // bytes behind the last packet that are part of none

	mu      sync.Mutex // guards the fields below, which both goroutines use
	quiet   sync.Cond  // signals that putting is false again
	buf     []byte
	done    int
	whole   int
	putting bool
	failed  bool // a Put has failed; no other follows
	known   bool // we have understood a packet; only the putting goroutine uses this
}

func newConn(l *listener, nc net.Conn) *conn {
	c := &conn{l: l, raw: nc, net: nc, from: addrPortOf(nc.RemoteAddr()), sink: l.sink}
	c.quiet.L = &c.mu
	return c
}

// serve reads packets until ctx is done, the connection ends, or the sender stalls or sends too
// much that is no packet.
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

// part returns the number of bytes of the packet that is not whole.
func (c *conn) part() int { return c.have - c.whole }

// waiting reports whether the sender's time is limited: it has begun a packet, or must send one
// because it has sent bytes that are none.
func (c *conn) waiting() bool { return c.part() > 0 || c.noise > 0 }

// read reads once. It waits for the beginning of a packet without a limit, and for the rest no
// longer than patient, in which the time that we make the sender wait does not count. It uses the
// machine's clock, because deadlines of the network know no other.
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
		return 0, err // listener.interrupt may have come before our own deadline
	}
	n, err := c.net.Read(c.buf[c.have:])
	if c.waiting() {
		c.patient -= time.Since(begin)
	} else {
		c.patient = c.l.idle
	}
	return n, err
}

// frame finds the ends of packets in what was read, leaves out what is no packet, and hands on
// those that are whole. It reports false if too much is no packet.
func (c *conn) frame() bool {
	from, to, packets := c.whole, c.whole, 0 // to is the place for the next packet
	at := c.whole                            // at is where it lies now
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

// handOn gives the packets between the two offsets in the buffer to the putting goroutine, which it
// starts if none runs.
func (c *conn) handOn(packets, from, to int) {
	c.patient = c.l.idle // the time for the next packet begins anew
	c.l.received(packets, to-from)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = to
	if !c.putting {
		c.putting = true
		go c.putAll()
	}
}

// giveUp counts the part of a packet that will not become whole.
func (c *conn) giveUp(cause Cause) {
	part := c.buf[c.whole:c.have]
	if len(part) == 0 {
		return
	}
	c.l.received(1, len(part))
	c.l.refuse(cause, c.from, part, nil)
}
