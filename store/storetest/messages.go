package storetest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// sameLegs checks that both stores have the same legs of a row, and returns them.
func (f *fixture) sameLegs(tenant call.GUID, row call.Cursor) []call.Leg {
	f.Helper()
	got, err := f.store.Legs(f.Context(), tenant, row)
	want, wantErr := f.model.Legs(f.Context(), tenant, row)
	if err != nil || wantErr != nil || !slices.Equal(got, want) {
		f.Fatalf("legs of row %v at %s: %+v, %v; want %+v, %v", row.ID, showTime(row.Start), got, err, want, wantErr)
	}
	return got
}

// sameMessages checks that both stores yield the same messages of a leg, and
// returns them.
func (f *fixture) sameMessages(leg call.Leg) []call.Message {
	f.Helper()
	got, err := allMessages(f, f.store, leg)
	want, wantErr := allMessages(f, f.model, leg)
	if err != nil || wantErr != nil {
		f.Fatalf("messages of leg %v: %v, %v", leg.ID, err, wantErr)
	}
	if d := diffMessages(got, want); d != "" {
		f.Fatalf("messages of leg %v from %s to %s: %s", leg.ID, showTime(leg.From), showTime(leg.To), d)
	}
	return got
}

// sameKept checks that both stores hold the same legs and messages.
func (f *fixture) sameKept() {
	f.Helper()
	for k := range f.model.kept.legs {
		for _, l := range f.sameLegs(k.tenant, call.Cursor{Start: k.start, ID: k.row}) {
			f.sameMessages(l)
		}
	}
	for leg := range f.model.kept.messages {
		f.sameMessages(always(leg))
	}
}

// always is a leg whose messages may be of any day.
func always(id call.GUID) call.Leg {
	return call.Leg{ID: id, From: time.Time{}, To: time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)}
}

// trimMessages trims the messages of both stores.
func (f *fixture) trimMessages(before time.Time) {
	f.Helper()
	if err := f.store.TrimMessages(f.Context(), before); err != nil {
		f.Fatalf("trim messages before %s: %v", showTime(before), err)
	}
	_ = f.model.TrimMessages(f.Context(), before)
}

func allMessages(f *fixture, s call.MessageReader, leg call.Leg) (all []call.Message, err error) {
	for m, err := range s.Messages(f.Context(), leg) {
		if err != nil {
			return all, err
		}
		all = append(all, m.Clone())
	}
	return all, nil
}

func diffMessages(got, want []call.Message) string {
	for i := range min(len(got), len(want)) {
		g, w := &got[i], &want[i]
		if g.Leg != w.Leg || g.Compare(w) != 0 || g.At.Location() != time.UTC {
			return fmt.Sprintf("message %d of %d is\n\t%s\nwant\n\t%s", i, len(got), showMessage(g), showMessage(w))
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("%d messages, want %d", len(got), len(want))
	}
	return ""
}

func showMessage(m *call.Message) string {
	return fmt.Sprintf("%v %s %v %v %q %.60q (%d bytes)", m.Leg, showTime(m.At), m.Src, m.Dst, m.Transport, m.Raw, len(m.Raw))
}

// message returns a message of a leg. Times repeat, lie on both sides of borders of days, and at
// the ends of what a store can keep.
func (g *generator) message(leg call.GUID) call.Message {
	m := call.Message{Leg: leg, At: g.messageTime(), Transport: pick(g, "udp", "tcp", "tls", "ws", "", "sctp")}
	m.Src, m.Dst = g.address(), g.address()
	first := pick(g, "INVITE sip:+4930@x SIP/2.0", "SIP/2.0 200 OK", "SIP/2.0 100 Trying", "BYE sip:x SIP/2.0", "\x00\xff")
	m.Raw = fmt.Appendf(nil, "%s\r\nCSeq: %d INVITE\r\n\r\n", first, g.IntN(3))
	if g.oneIn(50) {
		m.Raw = append(m.Raw, strings.Repeat("x", g.IntN(call.MaxMessage-len(m.Raw)+1))...)
	}
	return m
}

func (g *generator) messageTime() time.Time {
	if at := g.time(); at.Year() > 1 || !at.IsZero() {
		return at
	}
	return noon()
}

func (g *generator) address() netip.AddrPort {
	port := pick(g, uint16(0), 5060, 5061, 65535)
	switch g.IntN(10) {
	case 0:
		return netip.AddrPort{}
	case 1:
		return netip.AddrPortFrom(netip.Addr{}, port)
	case 2:
		return netip.AddrPortFrom(netip.MustParseAddr("fe80::1%eth0"), port)
	case 3:
		return netip.AddrPortFrom(netip.MustParseAddr("::ffff:192.0.2.7"), port)
	case 4, 5:
		return netip.AddrPortFrom(netip.MustParseAddr("2001:db8::5"), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(g.IntN(3))}), port)
}

func legID(n int) call.GUID { return call.NameGUID("storetest", "leg", fmt.Sprint(n)) }

// randomMessages adds messages and legs to b.
func (f *fixture) randomMessages(g *generator, b *call.Batch, rows []call.Row) {
	for range g.IntN(pick(g, 1, 1, 4, 20)) {
		m := g.message(legID(g.IntN(6)))
		if all := f.model.kept.messages[m.Leg]; len(all) > 0 && g.oneIn(4) {
			m = all[g.IntN(len(all))].Clone() // once more
		}
		b.Messages = append(b.Messages, m)
	}
	for range g.IntN(3) {
		r := &rows[g.IntN(len(rows))]
		l := call.Leg{Tenant: r.Tenant, Row: r.Cursor(), ID: legID(g.IntN(6)), Main: g.oneIn(2), From: g.messageTime(), To: g.messageTime()}
		if l.To.Before(l.From) {
			l.From, l.To = l.To, l.From
		}
		b.Legs = append(b.Legs, l)
	}
}
