package leg

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

const (
	agent = "Microsoft.PSTNHub.SIPProxy v.2020.5.13.3 i.EUNO.7"
	user  = "db03c14b-06eb-4189-939b-7cbf3a20ba27"
)

// signalOf makes a message of 8 bytes, from so few values that messages share some.
func signalOf(b []byte) call.Signal {
	pick := func(i int, from ...string) string { return from[int(b[i])%len(from)] }
	addr := func(i int) netip.AddrPort {
		return netip.MustParseAddrPort(pick(i, "52.114.75.24:5061", "10.1.2.3:5061", "10.9.9.9:5060"))
	}
	s := call.Signal{
		At:  time.Date(2026, 11, 1, 8, 0, 0, int(b[0])*1_000_000, time.UTC),
		Src: addr(1), Dst: addr(2), CallID: "c", CSeq: uint32(b[3] % 4),
		CSeqMethod: pick(4, "INVITE", "INVITE", "BYE", "CANCEL", "UPDATE"),
		ToTag:      pick(5, "", "t"), FromTag: "f",
		UserAgent: pick(6, agent, "SBC", "Microsoft.PSTNHub.SIPProxy v.1 i.USWE2.3"),
		SessionID: pick(6, "", "a", "b"),
		Reason:    pick(7, "", `Q.850;text="`+user+`;x"`),
		From:      call.Address{User: pick(7, "+1", "+2", "")}, To: call.Address{User: pick(6, "+3", "+4")},
		URI:        call.Address{User: pick(5, "+3", "+4"), Host: pick(6, "sbc1.contoso.com", "sip.pstnhub.microsoft.com")},
		ReferredBy: pick(3, "", "<sip:x;x-ti="+user+">"), SessionExpires: int(b[7]) % 3 * 900,
	}
	s.Contact = call.Address{Host: pick(7, "sbc1.contoso.com", "api-du-a-uswe2.pstnhub.microsoft.com"), Params: pick(5, "", "x-i="+user+";x-c="+strings.ReplaceAll(user, "-", "")+"/d/8/x")}
	if b[4] >= 128 {
		s.Code, s.Phrase = []int{100, 180, 200, 202, 401, 404, 486, 487, 503, 603}[int(b[4])%10], pick(3, "a", "b")
		return s
	}
	s.Method = s.CSeqMethod
	return s
}

// heardIn returns a leg that has the messages, added in the given order.
func heardIn(signals []call.Signal) *Leg {
	l := &Leg{Source: "lab", CallID: "c", Told: call.SIP.Witness()}
	for i := range signals {
		l.Add(&signals[i])
	}
	return l
}

// rowOfLeg returns the row of a leg.
func rowOfLeg(l *Leg) call.Row {
	v := l.View(nil)
	r := l.Row(&v, "", func(s string) string { return s })
	r.ID = l.RowID(v.Outbound)
	return r
}

// folded returns a leg with the messages, added in the given order. Its hops and replies are
// sorted, so that legs can be compared.
func folded(signals []call.Signal) *Leg {
	l := heardIn(signals)
	slices.SortFunc(l.hops, func(a, b hop) int { return cmp.Or(a.a.Compare(b.a), a.b.Compare(b.b)) })
	for i := range l.hops {
		slices.SortFunc(l.hops[i].replies, func(a, b reply) int { return a.compareKeys(&b) })
	}
	return l
}

// FuzzFold: a leg and its row depend neither on the order of its messages nor on repeats, its row
// is valid, and the leg is read as it was written.
func FuzzFold(f *testing.F) {
	for i, word := range strings.Fields("answered busy cancelled challenged forwarded refused transferred again") {
		f.Add([]byte(strings.Repeat(fmt.Sprintf("%-8.8s", word), 1+i)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var signals []call.Signal
		for len(in) >= 8 && len(signals) < 64 {
			signals = append(signals, signalOf(in[:8]))
			in = in[8:]
		}
		if len(signals) == 0 {
			return
		}
		want := folded(signals)
		reversed := slices.Clone(signals)
		slices.Reverse(reversed)
		half := len(signals) / 2
		row := rowOfLeg(want)
		if err := errors.Join(row.Check(), row.Sound()); err != nil {
			t.Errorf("row: %v", err)
		}
		for name, order := range map[string][]call.Signal{
			"reversed": reversed, "doubled": append(slices.Clone(signals), signals...), "turned": append(slices.Clone(signals[half:]), signals[:half]...),
			"mixed": append(slices.Clone(reversed), signals[half:]...),
		} {
			if got := folded(order); !reflect.DeepEqual(got, want) {
				t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
			}
			if got := rowOfLeg(heardIn(order)); !got.Equal(&row) {
				t.Errorf("%s:\n got %+v\nwant %+v", name, got, row)
			}
		}
		kept, err := Decode(want.Encode(nil))
		if err != nil {
			t.Fatal(err)
		}
		if kept.ID = want.ID; !reflect.DeepEqual(kept, want) {
			t.Errorf("kept:\n got %+v\nwant %+v", kept, want)
		}
	})
}

// FuzzLeg: any bytes are an error, or a leg that is the same when it is written and read again.
func FuzzLeg(f *testing.F) {
	for _, one := range wild(f) {
		f.Add(folded(one).Encode(nil))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		l, err := Decode(in)
		if err != nil {
			return
		}
		again, err := Decode(l.Encode(nil))
		if err != nil || !bytes.Equal(again.Encode(nil), l.Encode(nil)) {
			t.Errorf("%v: %+v\n%+v", err, again, l)
		}
	})
}
