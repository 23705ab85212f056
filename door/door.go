// Package door is where connections come in: how many there may be at once, from
// one address and in all, whose they are behind proxies, and what the pages of
// other sites may ask.
//
// It does not know what is spoken on them. It keeps no clock and starts no
// goroutine.
//
// A connection that does nothing that is of use has to make room for another
// when there is none; see [Busy]. Clients and senders, who would not stop for each
// other, have parts of all connections that the others cannot take.
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
	// All is how many there may be at once through all listeners of a [Door], of
	// which a part is for clients and one for senders; 0 is no limit.
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
	All     uint64 // connections that were refused: too many in all, or in their part
	Evicted uint64 // connections that were not busy and were closed to make room
	Mute    uint64 // connections of clients that ended otherwise, without a request
}

// A Door counts the connections of the listeners that it was put in front of.
type Door struct {
	limits Limits

	mu   sync.Mutex
	open int
	held *list.List // of connections that were refused and are still open
	hold time.Duration
	each map[netip.Addr]int

	clients, senders part
	turn             uint64 // of the connection that began to wait last

	address, all, evicted, mute atomic.Uint64
}

// A part is what the listeners of one kind have of all connections.
type part struct {
	most, open int
	// waiting are the connections that are not busy, the one that has waited
	// longest in front.
	waiting list.List
}

// first returns the connection that has waited longest, or nil.
func (p *part) first() *conn {
	if front := p.waiting.Front(); front != nil {
		return front.Value.(*conn) //nolint:forcetypeassert // nothing else is in the list
	}
	return nil
}

// New returns a door with these limits.
func New(l Limits) *Door {
	d := &Door{limits: l, each: map[netip.Addr]int{}, held: list.New(), hold: holdFor}
	d.clients.most, d.senders.most = l.All, (l.All+1)/2
	return d
}

// Stats returns the counts as they are now.
func (d *Door) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Stats{Open: int64(d.open), Address: d.address.Load(), All: d.all.Load(), Evicted: d.evicted.Load(), Mute: d.mute.Load()}
}

// Clients returns a listener that accepts those connections of l for which there
// is room, and closes all others. They are of clients, who connect when they ask.
func (d *Door) Clients(l net.Listener) net.Listener { return &listener{l, d, &d.clients} }

// Senders is [Door.Clients] for those who connect once and stay, as SBCs do.
//
// They have no more than half of all connections: whoever is understood keeps its
// own for good, and to be understood takes no secret. Where there are senders,
// clients have no more than three quarters. It is the larger part, because clients
// need a connection for each request at a time; an agent needs one for all calls.
func (d *Door) Senders(l net.Listener) net.Listener {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clients.most = d.limits.All - d.limits.All/4
	return &listener{l, d, &d.senders}
}

type listener struct {
	net.Listener
	door *Door
	part *part
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, crowded := l.door.admit(nc, l.part)
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
func (d *Door) admit(nc net.Conn, p *part) (_ *conn, crowded bool) {
	c := &conn{Conn: nc, door: d, part: p, from: addressOf(nc.RemoteAddr())}
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
	other, ok := d.room(p)
	if !ok {
		d.mu.Unlock()
		d.all.Add(1)
		return nil, false
	}
	if other != nil {
		d.leave(other)
		d.evicted.Add(1)
	}
	d.open++
	p.open++
	d.each[c.from]++
	d.wait(c)
	d.mu.Unlock()
	if other != nil {
		_ = other.Conn.Close()
	}
	return c, false
}

// room returns the connection that has to make room for one of a part: nil if
// there is room, and not ok if all are busy. It is called with d.mu held.
//
// A full part makes room in itself. So when all is full each part has more than
// the other could leave it, and the one that has waited longest goes of either.
func (d *Door) room(p *part) (other *conn, ok bool) {
	switch a, b := d.clients.first(), d.senders.first(); {
	case d.limits.All <= 0:
		return nil, true
	case p.open >= p.most:
		other = p.first()
	case d.open < d.limits.All:
		return nil, true
	case a == nil || b != nil && b.turn < a.turn:
		other = b
	default:
		other = a
	}
	return other, other != nil
}

// wait puts a connection behind all that are not busy. It is called with d.mu
// held.
func (d *Door) wait(c *conn) {
	d.turn++
	c.turn = d.turn
	if c.place == nil {
		c.place = c.part.waiting.PushBack(c)
	} else {
		c.part.waiting.MoveToBack(c.place)
	}
}

// busy takes a connection out of those that are not. It is called with d.mu held.
func (c *conn) busy() {
	if c.place != nil {
		c.part.waiting.Remove(c.place)
		c.place = nil
	}
}

// leave takes a connection out of the counts, once. It is called with d.mu held.
func (d *Door) leave(c *conn) {
	if c.gone {
		return
	}
	c.gone = true
	d.open--
	c.part.open--
	if d.each[c.from]--; d.each[c.from] == 0 {
		delete(d.each, c.from)
	}
	c.busy()
}

// Busy notes that something of use is going on on a connection, so that it is not
// closed to make room for another. Until then a connection is not busy. Those that
// did not come through a [Door] are ignored.
func Busy(nc net.Conn) { note(nc, (*conn).busy) }

// Waiting notes that a connection is not busy, or not any more, and that it did
// something: others that are not busy go first.
func Waiting(nc net.Conn) { note(nc, func(c *conn) { c.door.wait(c) }) }

// Asked notes that a request has come on a connection of a client.
func Asked(nc net.Conn) { note(nc, func(c *conn) { c.asked = true }) }

func note(nc net.Conn, what func(*conn)) {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok { // TLS
		nc = t.NetConn()
	}
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	if !c.gone {
		what(c)
	}
}

// A conn is a connection that is counted until it is closed.
type conn struct {
	net.Conn
	door *Door
	part *part
	from netip.Addr

	// The rest is of door.mu.
	gone  bool
	asked bool
	place *list.Element // in part.waiting; nil is busy
	turn  uint64        // of waiting
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.door.mu.Lock()
	if !c.gone && !c.asked && c.part == &c.door.clients {
		c.door.mute.Add(1)
	}
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
