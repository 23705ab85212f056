package storetest

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// messageAt returns a message of a leg.
func messageAt(leg call.GUID, at time.Time, raw string) call.Message {
	return call.Message{
		Leg: leg, At: at, Transport: "tls", Raw: []byte(raw),
		Src: netip.MustParseAddrPort("52.114.76.76:5061"), Dst: netip.MustParseAddrPort("192.0.2.1:5061"),
	}
}

// legOf returns a leg of a row of the first tenant.
func legOf(row string, start time.Time, id call.GUID) call.Leg {
	return call.Leg{
		Tenant: Tenants()[0], Row: call.Cursor{Start: start, ID: call.NameGUID("storetest", row)},
		ID: id, From: start, To: start.Add(time.Minute),
	}
}

func messagesComeBackWhole(f *fixture) {
	g := newGenerator(31)
	var b call.Batch
	for i := range 300 {
		b.Messages = append(b.Messages, g.message(legID(i%5)))
	}
	whole := messageAt(legID(0), noon(), strings.Repeat("x", call.MaxMessage))
	zone := messageAt(legID(0), time.Date(2024, 3, 11, 0, 0, 0, 123_456_789, time.FixedZone("", 5*3600+1800)), "zone")
	b.Messages = append(b.Messages, whole, zone)
	f.write(b)
	for range 2 {
		if n := len(f.sameMessages(always(legID(0)))); n < 50 {
			f.Fatalf("%d messages of a leg", n)
		}
		f.sameAll()
		if n := len(f.sameMessages(always(call.GUID{7}))); n != 0 {
			f.Fatalf("%d messages of a leg that is not there", n)
		}
		f.reopen()
	}
}

// messagesOfOneMoment are in the order of their bytes.
func messagesOfOneMoment(f *fixture) {
	var b call.Batch
	for _, raw := range []string{"SIP/2.0 200 OK", "INVITE sip:b SIP/2.0", "SIP/2.0 100 Trying", "INVITE sip:a SIP/2.0"} {
		b.Messages = append(b.Messages, messageAt(legID(1), noon(), raw))
	}
	from := messageAt(legID(1), noon(), "SIP/2.0 200 OK")
	from.Src = netip.MustParseAddrPort("10.0.0.1:1")
	udp := from.Clone()
	udp.Transport = "udp"
	b.Messages = append(b.Messages, udp, from, messageAt(legID(1), noon().Add(-100), "z"), messageAt(legID(1), noon().Add(100), "a"))
	f.write(b)
	var got []string
	for _, m := range f.sameMessages(always(legID(1))) {
		got = append(got, string(m.Raw))
	}
	want := "z|INVITE sip:a SIP/2.0|INVITE sip:b SIP/2.0|SIP/2.0 100 Trying|SIP/2.0 200 OK|SIP/2.0 200 OK|SIP/2.0 200 OK|a"
	if strings.Join(got, "|") != want {
		f.Fatalf("messages %q, want %s", got, want)
	}
	// A receiver may stop at any message.
	n := 0
	for _, err := range f.store.Messages(f.Context(), always(legID(1))) {
		if n++; err != nil || n == 3 {
			break
		}
	}
	if n != 3 {
		f.Fatalf("%d messages until the receiver had enough", n)
	}
}

// messagesByDays are those of the days of the leg, whole days in UTC.
func messagesByDays(f *fixture) {
	midnight := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	var b call.Batch
	for d := -3; d <= 3; d++ {
		for _, at := range []time.Duration{0, 100, 12 * time.Hour, 24*time.Hour - 100} {
			t := midnight.AddDate(0, 0, d).Add(at)
			b.Messages = append(b.Messages, messageAt(legID(1), t, t.String()), messageAt(legID(2), t, "of another leg"))
		}
	}
	// The first and the last moment that a store can keep.
	b.Messages = append(b.Messages, messageAt(legID(1), time.Time{}.Add(100), "first"),
		messageAt(legID(1), time.Date(9999, 12, 31, 23, 59, 59, 999_999_900, time.UTC), "last"))
	f.write(b)
	leg := func(from, to time.Time) call.Leg { return call.Leg{ID: legID(1), From: from, To: to} }
	for _, c := range []struct {
		from, to time.Time
		want     int
	}{
		{midnight, midnight, 4},
		{midnight.Add(23 * time.Hour), midnight.Add(25 * time.Hour), 8}, // over a border
		{midnight.Add(-1), midnight, 8},                                 // between two ticks
		{midnight.Add(-1), midnight.Add(-1), 4},
		{midnight.In(time.FixedZone("", 7200)), midnight.Add(time.Hour).In(time.FixedZone("", -7200)), 4},
		{midnight.AddDate(0, 0, -3), midnight.AddDate(0, 0, 3), 28},
		{midnight.AddDate(0, 0, -9), midnight.AddDate(0, 0, -4), 0},
		{midnight.AddDate(-90, 0, 0), midnight.AddDate(90, 0, 0), 28},
		{midnight.Add(time.Hour), midnight, 0}, // the wrong way round
		{midnight.AddDate(0, 0, 1), midnight, 0},
		{time.Time{}, time.Time{}, 1},
		{time.Time{}, always(call.GUID{}).To, 30},
		{time.Date(0, 5, 5, 0, 0, 0, 0, time.UTC), time.Date(0, 6, 6, 0, 0, 0, 0, time.UTC), 0},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10001, 1, 1, 0, 0, 0, 0, time.UTC), 0},
		{time.Date(9999, 12, 31, 1, 0, 0, 0, time.UTC), time.Date(10001, 1, 1, 0, 0, 0, 0, time.UTC), 1},
	} {
		if n := len(f.sameMessages(leg(c.from, c.to))); n != c.want {
			f.Fatalf("%d messages from %s to %s, want %d", n, showTime(c.from), showTime(c.to), c.want)
		}
	}
}

func sameMessageOnce(f *fixture) {
	m := messageAt(legID(1), noon(), "INVITE sip:a SIP/2.0")
	later, other := m.Clone(), m.Clone()
	later.At, other.Leg = m.At.Add(100), legID(2)
	within := m.Clone()
	within.At = m.At.Add(99) // the same tick
	f.write(call.Batch{Messages: []call.Message{m, m, within}})
	f.write(call.Batch{Messages: []call.Message{m, later, other}})
	for range 2 {
		if n := len(f.sameMessages(always(legID(1)))); n != 2 {
			f.Fatalf("%d messages, want 2", n)
		}
		f.sameAll()
		f.reopen()
	}
}

// legsTakeTheirPlace: a leg with the row and id of another replaces it.
func legsTakeTheirPlace(f *fixture) {
	a, b, c := legOf("row", noon(), legID(1)), legOf("row", noon(), legID(2)), legOf("row", noon(), legID(3))
	a.From = noon().Add(time.Second)
	c.Main, c.From = true, noon().Add(2*time.Second)
	f.write(call.Batch{Legs: []call.Leg{a, b}})
	order := func(want ...call.GUID) {
		f.Helper()
		legs := f.sameLegs(a.Tenant, a.Row)
		if len(legs) != len(want) {
			f.Fatalf("%d legs, want %d", len(legs), len(want))
		}
		for i := range legs {
			if legs[i].ID != want[i] {
				f.Fatalf("leg %d is %v, want %v", i, legs[i].ID, want[i])
			}
		}
	}
	order(b.ID, a.ID) // by the time of the first message
	f.write(call.Batch{Legs: []call.Leg{c, c}})
	order(c.ID, b.ID, a.ID) // the one that faces Microsoft first
	a2, a3 := a, a
	a2.To, a3.From, a3.To = noon().Add(24*time.Hour), noon().Add(-time.Second), noon().Add(25*time.Hour+99)
	f.write(call.Batch{Legs: []call.Leg{a2, a3}})
	var many []call.Leg
	for i := range 100 {
		l := a3
		l.Main, l.To = i%2 == 0, a3.To.Add(-time.Duration(i)*time.Second)
		many = append(many, l, legOf(fmt.Sprint("other ", i*37%100), noon(), legID(4)))
	}
	f.write(call.Batch{Legs: append(many, a3)}) // of many the last
	for range 2 {
		order(c.ID, a.ID, b.ID)
		if legs := f.sameLegs(a.Tenant, a.Row); !legs[1].To.Equal(noon().Add(25 * time.Hour)) {
			f.Fatalf("the leg is %+v, want the later one", legs[1])
		}
		f.reopen()
	}
}

func legsBelongToTheirRow(f *fixture) {
	a := legOf("row", noon(), legID(1))
	var legs []call.Leg
	for i, change := range []func(*call.Leg){
		func(*call.Leg) {},
		func(l *call.Leg) { l.Tenant = Tenants()[1] },
		func(l *call.Leg) { l.Tenant = call.Unassigned },
		func(l *call.Leg) { l.Row.Start = l.Row.Start.Add(100) },
		func(l *call.Leg) { l.Row.Start = l.Row.Start.AddDate(0, 0, 1) },
		func(l *call.Leg) { l.Row.ID[15]++ },
	} {
		l := a
		l.ID, l.To = legID(i), l.From.Add(time.Duration(i)*time.Second)
		change(&l)
		legs = append(legs, l)
	}
	f.write(call.Batch{Legs: legs})
	for i, l := range legs {
		if got := f.sameLegs(l.Tenant, l.Row); len(got) != 1 || got[0] != l {
			f.Fatalf("leg %d: %+v, want only %+v", i, got, l)
		}
	}
	for _, row := range []call.Cursor{
		{},
		{Start: a.Row.Start.Add(-1), ID: a.Row.ID}, // between two ticks
		{Start: a.Row.Start.Add(1), ID: a.Row.ID},
		{Start: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), ID: a.Row.ID},
		{Start: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), ID: a.Row.ID},
	} {
		if got := f.sameLegs(a.Tenant, row); len(got) != 0 {
			f.Fatalf("legs of no row: %+v", got)
		}
	}
	zone := a.Row
	zone.Start = zone.Start.In(time.FixedZone("", -7200))
	if got := f.sameLegs(a.Tenant, zone); len(got) != 1 {
		f.Fatalf("legs of a row whose start is written in another zone: %+v", got)
	}
}

func badMessagesAreRefused(f *fixture) {
	f.write(call.Batch{Rows: []call.Row{rowAt("good", noon())}})
	with := func(change func(m *call.Message, l *call.Leg)) call.Batch {
		m, l := messageAt(legID(1), noon(), "x"), legOf("good", noon(), legID(1))
		change(&m, &l)
		return call.Batch{
			Rows:     []call.Row{rowAt("new", noon())},
			State:    map[string][]byte{"mark": []byte("must not be set")},
			Messages: []call.Message{messageAt(legID(1), noon(), "must not be seen"), m},
			Legs:     []call.Leg{legOf("good", noon(), legID(2)), l},
		}
	}
	for name, b := range map[string]call.Batch{
		"no leg":               with(func(m *call.Message, _ *call.Leg) { m.Leg = call.GUID{} }),
		"no time":              with(func(m *call.Message, _ *call.Leg) { m.At = time.Time{} }),
		"time of nothing":      with(func(m *call.Message, _ *call.Leg) { m.At = time.Time{}.Add(99) }),
		"year 10000":           with(func(m *call.Message, _ *call.Leg) { m.At = m.At.AddDate(8000, 0, 0) }),
		"year 0":               with(func(m *call.Message, _ *call.Leg) { m.At = time.Time{}.Add(-100) }),
		"no bytes":             with(func(m *call.Message, _ *call.Leg) { m.Raw = nil }),
		"many bytes":           with(func(m *call.Message, _ *call.Leg) { m.Raw = make([]byte, call.MaxMessage+1) }),
		"long transport":       with(func(m *call.Message, _ *call.Leg) { m.Transport = strings.Repeat("x", 100) }),
		"long zone":            with(func(m *call.Message, _ *call.Leg) { m.Src = longZone() }),
		"leg without a row":    with(func(_ *call.Message, l *call.Leg) { l.Row.ID = call.GUID{} }),
		"leg without a start":  with(func(_ *call.Message, l *call.Leg) { l.Row.Start = time.Time{} }),
		"leg without an id":    with(func(_ *call.Message, l *call.Leg) { l.ID = call.GUID{} }),
		"leg without times":    with(func(_ *call.Message, l *call.Leg) { l.From, l.To = time.Time{}, time.Time{} }),
		"leg of two centuries": with(func(_ *call.Message, l *call.Leg) { l.To = l.To.AddDate(9000, 0, 0) }),
		"leg that ends before": with(func(_ *call.Message, l *call.Leg) { l.From = l.To.Add(1) }),
	} {
		f.Logf("%s", name)
		f.refused(b, call.ErrInvalid)
		if n := len(f.sameMessages(always(legID(1)))) + len(f.sameLegs(Tenants()[0], legOf("good", noon(), legID(2)).Row)); n != 0 {
			f.Fatalf("%s: %d messages and legs of a batch that was refused", name, n)
		}
	}
	f.write(with(func(*call.Message, *call.Leg) {}))
	f.sameAll()
}

func longZone() netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone(strings.Repeat("z", 1000)), 5060)
}

// messagesGoWithTheBatch: all or nothing.
func messagesGoWithTheBatch(f *fixture) {
	b := call.Batch{
		Rows:     []call.Row{rowAt("row", noon())},
		Messages: []call.Message{messageAt(legID(1), noon(), "x")},
		Legs:     []call.Leg{legOf("row", noon(), legID(1))},
		If:       map[string][]byte{"is not": []byte("there")},
	}
	f.refused(b, call.ErrConflict)
	if n := len(f.sameMessages(always(legID(1)))) + len(f.sameLegs(b.Legs[0].Tenant, b.Legs[0].Row)); n != 0 {
		f.Fatalf("%d messages and legs of a batch that was refused", n)
	}
	b.If = nil
	f.write(b)
	f.reopen()
	legs := f.sameLegs(b.Legs[0].Tenant, b.Rows[0].Cursor())
	if len(legs) != 1 || len(f.sameMessages(legs[0])) != 1 {
		f.Fatalf("legs %+v", legs)
	}
	// The store must not keep the caller's memory.
	copy(b.Messages[0].Raw, "!")
	f.sameAll()
	if m := f.sameMessages(legs[0])[0]; string(m.Raw) != "x" {
		f.Fatalf("the message is %q now", m.Raw)
	}
	// Messages and legs alone are a batch.
	if res := f.write(call.Batch{Messages: b.Messages, Legs: b.Legs}); res != (call.Counts{}) {
		f.Fatalf("a batch without rows: %+v", res)
	}
	f.sameAll()
}

// trimTakesMessagesAlong: Trim deletes the legs of a row and their messages, on the days of each
// leg.
func trimTakesMessagesAlong(f *fixture) {
	var b call.Batch
	for i := range 40 {
		start := noon().Add(time.Duration(i) * 3 * time.Hour)
		name := fmt.Sprint("row ", i)
		b.Rows = append(b.Rows, rowAt(name, start))
		if i%5 == 0 {
			continue // without legs
		}
		for n := range i % 4 {
			l := legOf(name, start, legID(100*i+n))
			l.Main, l.To = n == 0, start.AddDate(0, 0, n)
			b.Legs = append(b.Legs, l)
			for d := range 4 {
				b.Messages = append(b.Messages, messageAt(l.ID, start.AddDate(0, 0, d), name))
			}
		}
	}
	// A leg of two rows, one without a row, and one of a row of another tenant with the same place
	// in the log.
	shared, lost, other := b.Legs[0], legOf("nobody", noon(), legID(1)), b.Legs[0]
	shared.Row, shared.To = b.Rows[30].Cursor(), b.Rows[30].Start
	other.Tenant, other.ID = Tenants()[1], legID(2)
	b.Legs = append(b.Legs, shared, lost, other)
	for i := range 5 { // several of one moment, between those of rows
		b.Legs = append(b.Legs, legOf(fmt.Sprint("nobody ", i), b.Rows[6].Start.Add(time.Minute), legID(3)))
	}
	b.Messages = append(b.Messages, messageAt(lost.ID, noon(), "lost"), messageAt(other.ID, b.Rows[1].Start, "another tenant's"))
	f.write(b)
	for _, step := range []time.Time{
		noon(), noon().Add(time.Minute), noon().Add(4 * time.Hour), noon().Add(12 * time.Hour), noon().Add(47 * time.Hour), noon().AddDate(0, 0, 3), noon().AddDate(1, 0, 0),
	} {
		f.trim(Tenants()[0], step)
		for _, l := range b.Legs {
			f.sameLegs(l.Tenant, l.Row)
		}
		for _, m := range b.Messages {
			f.sameMessages(always(m.Leg))
		}
		f.sameAll()
	}
	for _, l := range []call.Leg{lost, other} {
		if len(f.sameLegs(l.Tenant, l.Row)) != 1 || len(f.sameMessages(l)) != 1 {
			f.Fatalf("leg %v went with a row that it does not belong to", l.ID)
		}
	}
	f.reopen()
	f.sameAll()
}

// messagesAreASnapshot: a walk does not see later writes.
func messagesAreASnapshot(f *fixture) {
	var b call.Batch
	for i := range 2000 {
		b.Messages = append(b.Messages, messageAt(legID(1), noon().Add(time.Duration(i)*time.Minute), fmt.Sprint("message ", i)))
	}
	f.write(b)
	want := f.sameMessages(always(legID(1)))
	var got []call.Message
	for m, err := range f.store.Messages(f.Context(), always(legID(1))) {
		if err != nil {
			f.Fatal(err)
		}
		if got = append(got, m.Clone()); len(got) == 1 {
			f.write(call.Batch{Messages: []call.Message{messageAt(legID(1), noon().AddDate(0, 0, 1), "written meanwhile")}})
			f.trimMessages(noon().AddDate(0, 0, 1))
		}
	}
	if d := diffMessages(got, want); d != "" {
		f.Fatal(d)
	}
	f.sameAll()
}

// messagesAreLent: the receiver may write to one without harm to the store.
func messagesAreLent(f *fixture) {
	var b call.Batch
	for i := range 20 {
		b.Messages = append(b.Messages, messageAt(legID(1), noon().Add(time.Duration(i/2)*time.Second), fmt.Sprint("message ", i)))
	}
	f.write(b)
	for m, err := range f.store.Messages(f.Context(), always(legID(1))) {
		if err != nil {
			f.Fatal(err)
		}
		if !bytes.HasPrefix(m.Raw, []byte("message ")) {
			f.Fatalf("message %q", m.Raw)
		}
		for i := range m.Raw {
			m.Raw[i] = '?'
		}
		m.Raw = append(m.Raw, "more"...)
		m.At, m.Leg = time.Time{}, call.GUID{}
	}
	f.sameAll()
}

func trimMessagesByDays(f *fixture) {
	midnight := time.Date(2024, 2, 28, 0, 0, 0, 0, time.UTC)
	var b call.Batch
	for d := range 4 {
		for _, at := range []time.Duration{0, 12 * time.Hour, 24*time.Hour - 100} {
			t := midnight.AddDate(0, 0, d).Add(at)
			name := t.String()
			b.Rows = append(b.Rows, rowAt(name, t))
			for i, tenant := range Tenants() {
				l := legOf(name, t, legID(i))
				l.Tenant = tenant
				l.To = t.Add(30 * time.Hour)
				b.Legs = append(b.Legs, l)
				b.Messages = append(b.Messages, messageAt(legID(i), t, name), messageAt(legID(i), t.Add(30*time.Hour), name))
			}
		}
	}
	f.write(b)
	legs := func() (n int) {
		f.Helper()
		for _, l := range b.Legs {
			n += len(f.sameLegs(l.Tenant, l.Row))
		}
		return n / len(Tenants())
	}
	for _, step := range []struct {
		before         time.Time
		messages, legs int
	}{
		{time.Time{}, 24, 12},
		{time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), 24, 12},
		{midnight.AddDate(0, 0, 1).Add(-1), 24, 12}, // the first day has not ended
		{midnight.AddDate(0, 0, 1), 21, 9},
		{midnight.AddDate(0, 0, 1), 21, 9},
		{midnight.AddDate(0, 0, 2).In(time.FixedZone("", 7200)), 16, 6},
		{midnight.AddDate(0, 0, 3).Add(-100), 16, 6},
		{midnight.AddDate(0, 0, 3).Add(23 * time.Hour), 10, 3},
		{midnight, 10, 3},
		{time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), 0, 0},
		{time.Date(11000, 12, 31, 0, 0, 0, 0, time.UTC), 0, 0},
	} {
		f.trimMessages(step.before)
		if n, k := len(f.sameMessages(always(legID(2)))), legs(); n != step.messages || k != step.legs {
			f.Fatalf("after a trim before %s: %d messages and %d legs, want %d and %d", showTime(step.before), n, k, step.messages, step.legs)
		}
		f.sameAll()
		f.reopen()
		f.sameAll()
	}
	if n := len(f.same(call.Query{Tenant: Tenants()[0]})); n != len(b.Rows) {
		f.Fatalf("%d rows, want all %d", n, len(b.Rows))
	}
	f.write(b) // they may come back
	f.sameAll()
}
