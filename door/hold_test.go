package door

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// TestHold: the door does not close at once a connection that it refuses because of its address,
// unless that takes the room of another, and does not hold it for ever.
func TestHold(t *testing.T) {
	h := newHall(t, Limits{All: 4, Each: 2})
	h.holdFor(time.Hour)
	h.connect("127.0.0.1")
	h.connect("127.0.0.1")
	held, also := h.connect("127.0.0.1"), h.connect("127.0.0.1")
	if ended(held, 100*time.Millisecond) || ended(also, 100*time.Millisecond) {
		t.Fatal("it was closed at once")
	}
	if !ended(h.connect("127.0.0.1"), 10*time.Second) {
		t.Error("more than there is room for are held")
	}
	other := h.connect("127.0.0.2")
	if !ended(held, 10*time.Second) {
		t.Error("it is held though another needs its room")
	}
	if ended(other, 100*time.Millisecond) || ended(also, 100*time.Millisecond) {
		t.Error("another address was refused, or more were closed than had to be")
	}
	h.want(3, 3, 0, 0)

	h = newHall(t, Limits{All: 8, Each: 1})
	h.holdFor(time.Hour)
	h.connect("127.0.0.1")
	h.connect("127.0.0.1")
	if !ended(h.connect("127.0.0.1"), 10*time.Second) {
		t.Error("more are held than one address may have")
	}

	h = newHall(t, Limits{All: 8, Each: 1})
	h.holdFor(10 * time.Millisecond)
	h.connect("127.0.0.1")
	if !ended(h.connect("127.0.0.1"), 10*time.Second) {
		t.Error("it is held for ever")
	}
}

func (h *hall) holdFor(d time.Duration) {
	h.door.mu.Lock()
	defer h.door.mu.Unlock()
	h.door.hold = d
}

// connect opens a connection from an address of loopback.
func (h *hall) connect(from string) net.Conn {
	h.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(h.Context(), "tcp", h.addr)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = c.Close() })
	return c
}

// ended reports whether the other end closes a connection in time.
func ended(c net.Conn, within time.Duration) bool {
	_ = c.SetReadDeadline(time.Now().Add(within))
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}
