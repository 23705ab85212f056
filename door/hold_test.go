package door

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestHold: who is refused because of its address is not closed at once, unless
// that takes the room of another.
func TestHold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	d := New(Limits{All: 4, Each: 2})
	in := d.Listener(l)
	go func() {
		for {
			if _, err := in.Accept(); err != nil {
				return
			}
		}
	}()
	dial := func(from string) net.Conn {
		t.Helper()
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Skipf("there is no second address here: %v", err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	ended := func(c net.Conn, within time.Duration) bool {
		_ = c.SetReadDeadline(time.Now().Add(within))
		_, err := c.Read(make([]byte, 1))
		return err == io.EOF //nolint:errorlint // it is io.EOF itself
	}
	dial("127.0.0.1")
	dial("127.0.0.1")
	held, also := dial("127.0.0.1"), dial("127.0.0.1")
	if ended(held, 100*time.Millisecond) || ended(also, 100*time.Millisecond) {
		t.Fatal("it was closed at once")
	}
	if at := dial("127.0.0.1"); !ended(at, holdFor/2) {
		t.Error("more than there is room for are held")
	}
	other := dial("127.0.0.2")
	if !ended(held, holdFor/2) {
		t.Error("it is held though another needs its room")
	}
	if ended(other, 10*time.Millisecond) {
		t.Error("another address was refused")
	}
	if !ended(also, 10*holdFor) {
		t.Error("it is held for ever")
	}
	if s := d.Stats(); s.Address != 3 || s.Open != 3 || s.All+s.Evicted != 0 {
		t.Errorf("%+v", s)
	}
}
