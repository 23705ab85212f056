package hep

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestAppend checks that Decode returns what Append was given.
func TestAppend(t *testing.T) {
	at := time.Date(2026, 11, 1, 8, 0, 0, 123456000, time.UTC)
	for _, want := range []Packet{
		{At: at, Src: netip.MustParseAddrPort("52.114.75.24:5061"), Dst: netip.MustParseAddrPort("10.1.2.3:5060"), Protocol: 6, Type: typeSIP, Agent: 7, Payload: []byte("INVITE")},
		{Src: netip.MustParseAddrPort("[2001:db8::1]:5061"), Dst: netip.MustParseAddrPort("[2001:db8::2]:1"), Protocol: 17, Type: 100, Key: []byte("k"), Node: []byte("n"), Correlation: []byte("c"), Compressed: true, Payload: []byte{0}},
	} {
		b := want.Append([]byte("before"))
		var got Packet
		if err := got.Decode(b[len("before"):]); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
	long := Packet{Payload: []byte(strings.Repeat("x", 1<<17))}
	var got Packet
	if b := long.Append(nil); len(b) != MaxPacket || got.Decode(b) != nil {
		t.Errorf("%d bytes", len(b))
	}
}
