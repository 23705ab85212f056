// Package door accepts connections: how many at once, from one address and in total, which client
// stands behind a proxy, and what the pages of other sites may ask.
//
// It does not know the protocols on them. It keeps no clock and starts no goroutine.
//
// When there is no room, an idle connection gives way to a new one; see [Busy]. Clients and
// senders, who would not stop for each other, have parts of all connections that the others cannot
// take.
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
	// All is how many there may be at once through all listeners of a [Door]. A part is for clients
	// and one for senders; 0 is no limit.
	All int
	// Each is how many of them may come from one address; 0 is no limit. For IPv6 the first 64 bits
	// count as the address, because one subscriber has all addresses below them.
	Each int
	// Exempt reports whether an address may have any number, such as that of a proxy with many
	// clients behind it; nil is none.
	Exempt func(netip.Addr) bool
}

// Stats are counts since the [Door] was made.
type Stats struct {
	Open    int64  // open connections
	Address uint64 // refused connections: too many from one address
	All     uint64 // refused connections: too many in total, or in their part
	Evicted uint64 // idle connections, closed to make room
	Mute    uint64 // other connections of clients that ended without a request
}

// A Door counts the connections of its listeners.
type Door struct {
	limits Limits

	mu   sync.Mutex
	open int
	held *list.List // refused connections that are still open
	hold time.Duration
	each map[netip.Addr]int

	clients, senders part
	turn             uint64 // of the connection that was the last to become idle

	address, all, evicted, mute atomic.Uint64
}

// A part is the share of all connections for listeners of one kind.
type part struct {
	most, open int
	// waiting are the idle connections, the one that has waited longest in front.
	waiting list.List
}

// first returns the connection that has waited longest, or nil.
func (p *part) first() *conn {
	if front := p.waiting.Front(); front != nil {
		return front.Value.(*conn) //nolint:forcetypeassert // the list holds nothing else
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

// Clients returns a listener that accepts connections of l while there is room, and closes all
// others. They are those of clients, who connect when they ask.
func (d *Door) Clients(l net.Listener) net.Listener { return &listener{l, d, &d.clients} }

// Senders is [Door.Clients] for peers that connect once and stay, as SBCs do.
//
// They have at most half of all connections: a sender whose data is understood keeps its connection
// for good, and that takes no secret. Where there are senders, clients have at most three quarters.
// Theirs is the larger part, because a client needs a connection for each concurrent request; an
// agent needs one for all calls.
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

// holdFor is how long the door leaves a connection open and unread that it refused because of its
// address: a peer that is closed at once comes back at once, and accepting connections costs the
// machine more than keeping them.
const holdFor = time.Second

// keep closes a connection after holdFor, if there is room for it so long.
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

// release closes a held connection. The caller holds d.mu.
func (d *Door) release(place *list.Element) {
	d.held.Remove(place)
	_ = place.Value.(net.Conn).Close() //nolint:forcetypeassert // the list holds nothing else
}

// admit counts a connection, or returns nil if there is no room for it; crowded says that its
// address has too many.
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

// room returns the idle connection that must give way to a new one of a part: nil if there is room,
// and not ok if all are busy. The caller holds d.mu.
//
// A full part makes room in itself. If the total is full but the part is not, the idle connection
// that has waited longest goes, of either part.
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

// wait puts a connection behind all idle ones. The caller holds d.mu.
func (d *Door) wait(c *conn) {
	d.turn++
	c.turn = d.turn
	if c.place == nil {
		c.place = c.part.waiting.PushBack(c)
	} else {
		c.part.waiting.MoveToBack(c.place)
	}
}

// busy removes a connection from the idle ones. The caller holds d.mu.
func (c *conn) busy() {
	if c.place != nil {
		c.part.waiting.Remove(c.place)
		c.place = nil
	}
}

// leave removes a connection from the counts, once. The caller holds d.mu.
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

// Busy notes that a connection does something useful, so that the door does not close it to make
// room for another. A connection begins idle. Busy ignores connections that did not come through a
// [Door].
func Busy(nc net.Conn) { note(nc, (*conn).busy) }

// Waiting notes that a connection is idle, and that it has just done something: the door closes the
// other idle ones first.
func Waiting(nc net.Conn) { note(nc, func(c *conn) { c.door.wait(c) }) }

// Asked notes that a client has sent a request on a connection.
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

// A conn is a connection that counts until it is closed.
type conn struct {
	net.Conn
	door *Door
	part *part
	from netip.Addr

	// door.mu guards the rest.
	gone  bool
	asked bool
	place *list.Element // in part.waiting; nil if busy
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

// addrOf returns the address of the other end; it is not valid if there is none.
func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// addressOf returns the part of an address that counts as one.
func addressOf(a net.Addr) netip.Addr {
	addr := addrOf(a).WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}
