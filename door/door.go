// Package door is where connections come in: how many there may be at once, from
// one address and in all, and whose they are behind proxies.
//
// It does not know what is spoken on them. It keeps no clock and starts no
// goroutine.
package door

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits are how many connections there may be.
type Limits struct {
	// All is how many there may be at once through all listeners of a [Door];
	// 0 is no limit.
	All int
	// Each is how many of them may come from one address; 0 is no limit. Of IPv6
	// the first 64 bits are an address, because whoever has one has all of those.
	Each int
	// Exempt reports whether an address may have any number, such as that of a
	// proxy, behind which there are many; nil is none.
	Exempt func(netip.Addr) bool
}

// Stats are counts since the [Door] was made.
type Stats struct {
	Open    int64  // connections that there are now
	Address uint64 // connections that were refused: too many from one address
	All     uint64 // connections that were refused: too many in all
	Evicted uint64 // connections without a request that were closed to make room
}

// A Door counts the connections of the listeners that it was put in front of.
type Door struct {
	limits Limits

	mu   sync.Mutex
	open int
	held *list.List // of connections that were refused and are still open
	hold time.Duration
	each map[netip.Addr]int
	// waiting are connections on which nothing is going on, the one that has
	// waited longest in front. Only those are there whose owner uses Waiting.
	waiting *list.List

	address, all, evicted atomic.Uint64
}

// New returns a door with these limits.
func New(l Limits) *Door {
	return &Door{limits: l, each: map[netip.Addr]int{}, held: list.New(), hold: holdFor, waiting: list.New()}
}

// Stats returns the counts as they are now.
func (d *Door) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Stats{Open: int64(d.open), Address: d.address.Load(), All: d.all.Load(), Evicted: d.evicted.Load()}
}

// Listener returns a listener that accepts those connections of l for which
// there is room, and closes all others.
func (d *Door) Listener(l net.Listener) net.Listener { return &listener{l, d} }

type listener struct {
	net.Listener
	door *Door
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, crowded := l.door.admit(nc)
		switch {
		case c != nil:
			return c, nil
		case !crowded || !l.door.keep(nc):
			_ = nc.Close()
		}
	}
}

// holdFor is how long a connection that was refused because of its address is
// left open, unread: who is closed at once comes back at once, and opening
// connections costs the machine more than keeping them.
const holdFor = time.Second

// keep closes a connection after a while, if there is room for it so long.
func (d *Door) keep(nc net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held.Len() >= d.limits.Each || d.limits.All > 0 && d.open+d.held.Len() >= d.limits.All {
		return false
	}
	place := d.held.PushBack(nc)
	time.AfterFunc(d.hold, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.release(place)
	})
	return true
}

// release closes a connection that is held. It is called with d.mu held.
func (d *Door) release(place *list.Element) {
	d.held.Remove(place)
	_ = place.Value.(net.Conn).Close() //nolint:forcetypeassert // nothing else is in the list
}

// admit counts a connection, or returns nil if there is no room for it; crowded
// says that there are too many from its address.
func (d *Door) admit(nc net.Conn) (_ *conn, crowded bool) {
	c := &conn{Conn: nc, door: d, from: addressOf(nc.RemoteAddr())}
	free := d.limits.Exempt != nil && d.limits.Exempt(addrOf(nc.RemoteAddr()))
	d.mu.Lock()
	if d.limits.Each > 0 && !free && d.each[c.from] >= d.limits.Each {
		d.mu.Unlock()
		d.address.Add(1)
		return nil, true
	}
	if front := d.held.Front(); front != nil && d.limits.All > 0 && d.open+d.held.Len() >= d.limits.All {
		d.release(front)
	}
	var other *conn
	if d.limits.All > 0 && d.open >= d.limits.All {
		front := d.waiting.Front()
		if front == nil {
			d.mu.Unlock()
			d.all.Add(1)
			return nil, false
		}
		other = front.Value.(*conn) //nolint:forcetypeassert // nothing else is in the list
		d.leave(other)
		d.evicted.Add(1)
	}
	d.open++
	d.each[c.from]++
	d.mu.Unlock()
	if other != nil {
		_ = other.Conn.Close()
	}
	return c, false
}

// leave takes a connection out of the counts, once. It is called with d.mu held.
func (d *Door) leave(c *conn) {
	if c.gone {
		return
	}
	c.gone = true
	d.open--
	if d.each[c.from]--; d.each[c.from] == 0 {
		delete(d.each, c.from)
	}
	if c.place != nil {
		d.waiting.Remove(c.place)
		c.place = nil
	}
}

// Waiting notes whether nothing is going on on a connection, so that it may be
// closed when there is no room for another. Connections that did not come
// through a [Door] are ignored.
func Waiting(nc net.Conn, yes bool) {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok { // TLS
		nc = t.NetConn()
	}
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	d := c.door
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case c.gone:
	case yes && c.place == nil:
		c.place = d.waiting.PushBack(c)
	case !yes && c.place != nil:
		d.waiting.Remove(c.place)
		c.place = nil
	}
}

// A conn is a connection that is counted until it is closed.
type conn struct {
	net.Conn
	door *Door
	from netip.Addr

	gone  bool // of door.mu
	place *list.Element
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.door.mu.Lock()
	c.door.leave(c)
	c.door.mu.Unlock()
	return c.Conn.Close()
}

// addrOf returns the address of the other end; it is not valid if it has none.
func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// addressOf returns what counts as one address.
func addressOf(a net.Addr) netip.Addr {
	addr := addrOf(a).WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}
