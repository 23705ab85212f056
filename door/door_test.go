package door

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A hall is a listener behind a door, and what came through.
type hall struct {
	*testing.T
	door *Door
	addr string
	in   chan net.Conn
}

func newHall(t *testing.T, l Limits) *hall {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{t, New(l), inner.Addr().String(), make(chan net.Conn, 100)}
	outer := h.door.Clients(inner)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := outer.Accept()
			if err != nil {
				return
			}
			h.in <- c
		}
	}()
	t.Cleanup(func() {
		_ = outer.Close()
		<-done
		for len(h.in) > 0 {
			_ = (<-h.in).Close()
		}
	})
	return h
}

// dial connects from an address of loopback, and returns the other end if the
// connection was let in.
func (h *hall) dial(from string) (client, server net.Conn) {
	h.Helper()
	client = h.connect(from)
	_ = client.SetReadDeadline(time.Now().Add(10 * time.Second))
	shut := make(chan struct{})
	go func() {
		defer close(shut)
		_, err := client.Read(make([]byte, 1))
		if err == nil || !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
			var op *net.OpError
			if !errors.As(err, &op) {
				h.Errorf("reading: %v", err)
			}
		}
	}()
	select {
	case server = <-h.in:
		_ = client.SetReadDeadline(time.Unix(1, 0))
		<-shut
		_ = client.SetReadDeadline(time.Time{})
	case <-shut:
	}
	return client, server
}

func (h *hall) want(open int64, address, all, evicted uint64) {
	h.Helper()
	got := h.door.Stats()
	got.Mute = 0
	if want := (Stats{Open: open, Address: address, All: all, Evicted: evicted}); got != want {
		h.Errorf("the counts are %+v, want %+v", got, want)
	}
}

// TestEach: one address cannot take what others need; what it gives back it can
// have again.
func TestEach(t *testing.T) {
	h := newHall(t, Limits{All: 10, Each: 2, Exempt: func(a netip.Addr) bool { return a.String() == "127.0.0.9" }})
	_, first := h.dial("127.0.0.1")
	h.dial("127.0.0.1")
	if _, c := h.dial("127.0.0.1"); c != nil {
		t.Error("a third connection was let in")
	}
	h.want(2, 1, 0, 0)
	for range 4 {
		if _, c := h.dial("127.0.0.9"); c == nil {
			t.Error("the exempt one was not let in")
		}
	}
	_ = first.Close()
	_ = first.Close()
	if _, c := h.dial("127.0.0.1"); c == nil {
		t.Error("there is no room where one has left")
	}
	h.want(6, 1, 0, 0)
}

// TestAll: when the door is full, an idle connection gives way to a new one; if all are busy, the
// door refuses the new one.
func TestAll(t *testing.T) {
	h := newHall(t, Limits{All: 3})
	idle, idleIn := h.dial("127.0.0.1")
	_, busyIn := h.dial("127.0.0.2")
	Waiting(busyIn)
	Busy(busyIn)
	Busy(busyIn)
	_, c := h.dial("127.0.0.3")
	Busy(c)
	if _, c = h.dial("127.0.0.4"); c == nil {
		t.Fatal("the new one was not let in")
	}
	Busy(c)
	h.want(3, 0, 0, 1)
	_ = idle.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the idle one reads %v", err)
	}
	Waiting(idleIn) // it has gone
	_ = idleIn.Close()
	if _, c := h.dial("127.0.0.5"); c != nil {
		t.Error("one too many was let in")
	}
	h.want(3, 0, 1, 1)
	Waiting(busyIn)
	if _, c := h.dial("127.0.0.6"); c == nil {
		t.Error("who is not busy any more made no room")
	}
	h.want(3, 0, 1, 2)
	Waiting(&net.TCPConn{}) // none of ours
}

// TestParts: neither clients nor senders take what the others need, and of the idle connections the
// one that has waited longest goes, of either.
func TestParts(t *testing.T) {
	d := New(Limits{All: 8})
	d.Senders(nil)
	admit := func(p *part, busy bool) (c *conn) {
		if c, _ = d.admit(new(still), p); c != nil && busy {
			Busy(c)
		}
		return c
	}
	counts := func(clients, senders int, all, evicted uint64) {
		t.Helper()
		if got, want := d.Stats(), (Stats{Open: int64(clients + senders), All: all, Evicted: evicted}); got != want || d.clients.open != clients || d.senders.open != senders {
			t.Errorf("%d clients and %d senders, %+v; want %d, %d, %+v", d.clients.open, d.senders.open, got, clients, senders, want)
		}
	}
	for range 5 {
		admit(&d.senders, true)
	}
	counts(0, 4, 1, 0)
	first, second := admit(&d.clients, false), admit(&d.clients, false)
	for range 3 {
		admit(&d.clients, true)
	}
	counts(4, 4, 1, 1)
	if !first.gone || second.gone {
		t.Error("another one than the first went")
	}

	d = New(Limits{All: 8})
	d.Senders(nil)
	one, other := admit(&d.senders, false), admit(&d.senders, false)
	for range 7 {
		admit(&d.clients, true)
	}
	counts(6, 2, 1, 0)
	Waiting(one)
	admit(&d.senders, true)
	counts(6, 2, 1, 1)
	if one.gone || !other.gone {
		t.Error("who did something went first")
	}
}

// A still is a connection on which there is nothing.
type still struct{ net.Conn }

func (*still) RemoteAddr() net.Addr { return nil }
func (*still) Close() error         { return nil }

func TestServerLimits(t *testing.T) {
	for _, c := range []struct{ files, told, all, each int }{
		{0, 0, 16_384, 2_048},
		{1 << 20, 0, 16_384, 2_048},
		{1 << 20, 50_000, 50_000, 6_250},
		{20_000, 50_000, 18_800, 2_350},
		{4_096, 0, 2_896, 362},
		{1_024, 0, 512, 64},
		{1_024, 100, 100, 16},
		{2, 0, 1, 16},
	} {
		if got := ServerLimits(c.files, c.told); got.All != c.all || got.Each != c.each {
			t.Errorf("%d files, %d told: %d and %d; want %d and %d", c.files, c.told, got.All, got.Each, c.all, c.each)
		}
	}
	if n := Files(); n < 0 {
		t.Errorf("%d files", n)
	}
}

func TestClient(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ remote, xff, forwarded, want string }{
		{"203.0.113.5:1", "", "", "203.0.113.5"},
		{"203.0.113.5:1", "198.51.100.1", "", "203.0.113.5"}, // nobody's proxy
		{"10.1.1.1:1", "", "", "10.1.1.1"},
		{"10.1.1.1:1", "198.51.100.1", "", "198.51.100.1"},
		{"10.1.1.1:1", "6.6.6.6, 198.51.100.1", "", "198.51.100.1"}, // the first is a stranger's word
		{"10.1.1.1:1", "198.51.100.1, 10.2.2.2", "", "198.51.100.1"},
		{"10.1.1.1:1", "10.3.3.3, 10.2.2.2", "", "10.3.3.3"},
		{"10.1.1.1:1", "198.51.100.1:4711", "", "198.51.100.1"},
		{"10.1.1.1:1", "198.51.100.1, noise", "", "10.1.1.1"},
		{"10.1.1.1:1", "198.51.100.1, noise, 10.2.2.2", "", "10.2.2.2"},
		{"[::ffff:10.1.1.1]:1", "[2001:db9::1]:80", "", "2001:db9::1"},
		{"[2001:db8::1]:1", "2001:db9::1", "", "2001:db9::1"},
		{"10.1.1.1:1", "", `for=198.51.100.1;proto=https`, "198.51.100.1"},
		{"10.1.1.1:1", "", `proto=https;For="[2001:db9::1]:4711"`, "2001:db9::1"},
		{"10.1.1.1:1", "", `for=6.6.6.6, for=198.51.100.1, for=192.0.2.7`, "198.51.100.1"},
		{"10.1.1.1:1", "", `for=_hidden`, "10.1.1.1"},
		{"10.1.1.1:1", "", `proto=https`, "10.1.1.1"},
		{"10.1.1.1:1", "6.6.6.6", "for=198.51.100.1", "10.1.1.1"}, // one of the two is a stranger's
		{"@", "6.6.6.6", "", "invalid IP"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.remote
		if c.xff != "" {
			r.Header.Set("X-Forwarded-For", c.xff)
		}
		if c.forwarded != "" {
			r.Header.Set("Forwarded", c.forwarded)
		}
		if got := proxies.Client(r).String(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	for _, bad := range []string{"", "x", "10.0.0.0/33", "host:1"} {
		if p, err := ParseProxies([]string{bad}); err == nil {
			t.Errorf("%q is %v", bad, p)
		}
	}
}

// FuzzClient: whatever a stranger writes, the answer is the last hop that no
// trusted proxy vouches for, and nothing panics.
func FuzzClient(f *testing.F) {
	f.Add("198.51.100.1, 10.2.2.2", "")
	f.Add("", `for="[2001:db9::1]:4711";proto=https`)
	f.Fuzz(func(t *testing.T, x, forwarded string) {
		proxies, _ := ParseProxies([]string{"10.0.0.0/8"})
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header["X-Forwarded-For"] = []string{x + ", 198.51.100.77"}
		if got := proxies.Client(r); got.String() != "198.51.100.77" {
			t.Errorf("%q makes it %v", x, got)
		}
		r.Header["X-Forwarded-For"], r.Header["Forwarded"] = nil, []string{forwarded}
		_ = fmt.Sprint(proxies.Client(r))
	})
}

// TestMute: a client's connection without a request counts, once. One of a sender does not, nor one
// that was closed to make room.
func TestMute(t *testing.T) {
	d := New(Limits{All: 2})
	admit := func(p *part) *conn {
		c, _ := d.admit(new(still), p)
		return c
	}
	silent, sender := admit(&d.clients), admit(&d.senders)
	for _, c := range []*conn{silent, silent, sender} {
		_ = c.Close()
	}
	asked := admit(&d.clients)
	Asked(asked)
	_ = asked.Close()
	if got := d.Stats(); got != (Stats{Mute: 1}) {
		t.Errorf("the counts are %+v", got)
	}
	evicted := admit(&d.clients)
	admit(&d.clients)
	admit(&d.clients)
	_ = evicted.Close()
	if got := d.Stats(); got != (Stats{Mute: 1, Open: 2, Evicted: 1}) {
		t.Errorf("the counts are %+v", got)
	}
}
