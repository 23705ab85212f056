package call_test

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

func messages() []call.Message {
	at := time.Date(2026, 11, 23, 12, 0, 0, 123_456_700, time.UTC)
	leg := call.NameGUID("test", "leg")
	return []call.Message{
		{
			Leg: leg, At: at, Transport: "tls", Raw: []byte("INVITE sip:a SIP/2.0\r\n\r\n"),
			Src: netip.MustParseAddrPort("52.114.76.76:5061"), Dst: netip.MustParseAddrPort("192.0.2.1:5061"),
		},
		{Leg: leg, At: at, Raw: []byte{0}},
		{Leg: leg, At: at, Transport: "sctp", Raw: bytes.Repeat([]byte("x"), call.MaxMessage)},
		{
			Leg: leg, At: at, Transport: "ws", Raw: []byte("x"),
			Src: netip.MustParseAddrPort("[2001:db8::1]:1"), Dst: netip.MustParseAddrPort("[fe80::1%eth0]:65535"),
		},
		{
			Leg: leg, At: at, Raw: []byte("x"),
			Src: netip.MustParseAddrPort("[::ffff:192.0.2.1]:5060"), Dst: netip.AddrPortFrom(netip.Addr{}, 5060),
		},
	}
}

func same(a, b *call.Message) bool {
	return a.Leg == b.Leg && a.At.Equal(b.At) && a.Src == b.Src && a.Dst == b.Dst && a.Transport == b.Transport && bytes.Equal(a.Raw, b.Raw)
}

func TestMessageBody(t *testing.T) {
	for i, m := range messages() {
		if err := m.Check(); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		body := m.AppendBody([]byte("before"))[len("before"):]
		var got call.Message
		if err := got.ParseBody(m.Leg, m.At, body); err != nil || !same(&got, &m) || got.Compare(&m) != 0 {
			t.Errorf("message %d: %+v, %v; want %+v", i, got, err, m)
		}
		head := len(body) - len(m.Raw)
		for n := range head {
			if err := got.ParseBody(m.Leg, m.At, body[:n]); !errors.Is(err, call.ErrInvalid) {
				t.Errorf("message %d, %d of %d bytes: %v", i, n, head, err)
			}
		}
		// An append to a message must not reach the bytes behind it.
		_ = got.ParseBody(m.Leg, m.At, body[:len(body):cap(body)])
		if cap(got.Raw) != len(got.Raw) {
			t.Errorf("message %d: room for %d bytes in %d", i, cap(got.Raw), len(got.Raw))
		}
	}
	var m call.Message
	body := messages()[0].AppendBody(nil)
	body[0] = 2
	if err := m.ParseBody(call.GUID{}, time.Time{}, body); !errors.Is(err, call.ErrNewer) {
		t.Errorf("version 2: %v", err)
	}
	body[0] = 0
	if err := m.ParseBody(call.GUID{}, time.Time{}, body); !errors.Is(err, call.ErrInvalid) {
		t.Errorf("version 0: %v", err)
	}
}

func FuzzMessageBody(f *testing.F) {
	for _, m := range messages() {
		if len(m.Raw) < 100 {
			f.Add(m.AppendBody(nil))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var m, again call.Message
		at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
		if err := m.ParseBody(call.GUID{1}, at, body); err != nil {
			if !errors.Is(err, call.ErrInvalid) && !errors.Is(err, call.ErrNewer) {
				t.Fatal(err)
			}
			return
		}
		if err := again.ParseBody(call.GUID{1}, at, m.AppendBody(nil)); err != nil || !same(&m, &again) {
			t.Fatalf("%+v, %v; want %+v", again, err, m)
		}
	})
}

func TestMessageClone(t *testing.T) {
	m := messages()[0]
	c := m.Clone()
	m.Raw[0] = '!'
	if c.Raw[0] != 'I' {
		t.Error("the copy shares the bytes of what it was made from")
	}
}

// The texts of refusals; the suite of the stores has every case.
func TestMessageCheck(t *testing.T) {
	good := messages()[0]
	leg := call.Leg{Row: call.Cursor{Start: good.At, ID: call.GUID{1}}, ID: call.GUID{2}, From: good.At, To: good.At}
	if err := leg.Check(); err != nil {
		t.Fatal(err)
	}
	long, never, late := good, good, leg
	long.Raw = make([]byte, call.MaxMessage+1)
	never.At = time.Time{}.Add(99)
	late.To = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for want, err := range map[string]error{
		"65537 bytes, more than 65536":                    long.Check(),
		"the message's time is not known":                 never.Check(),
		"the time of the leg's last message is in the ye": late.Check(),
	} {
		if !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestOrders(t *testing.T) {
	ms := messages()
	for i := range ms {
		ms[i].At = ms[i].At.Add(time.Duration(len(ms)-i) / 2 * time.Second)
	}
	slices.SortFunc(ms, func(a, b call.Message) int { return a.Compare(&b) })
	for i := 1; i < len(ms); i++ {
		a, b := &ms[i-1], &ms[i]
		if a.At.After(b.At) || a.At.Equal(b.At) && bytes.Compare(a.Raw, b.Raw) > 0 || a.Compare(b) >= 0 || b.Compare(a) <= 0 {
			t.Errorf("%v %q before %v %q", a.At, a.Raw, b.At, b.Raw)
		}
	}
	at := ms[0].At
	legs := []call.Leg{{ID: call.GUID{9}, Main: true, From: at.Add(1)}, {ID: call.GUID{3}, From: at}, {ID: call.GUID{4}, From: at}, {ID: call.GUID{1}, From: at.Add(1)}}
	for i := range legs {
		for j := range legs {
			if got := legs[i].Compare(&legs[j]); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("leg %d against leg %d: %d", i, j, got)
			}
		}
	}
}
