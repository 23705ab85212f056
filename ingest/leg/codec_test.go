package leg

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// TestLegOfVersion1: a leg that an older version has kept can be read, and has its facts.
func TestLegOfVersion1(t *testing.T) {
	const kept = "" +
		"01848094a7e9839ef7f118036c61622062356464303365366164386135393862613566353862616431613133636239340001bfdbd8133c785a6ba9ca90314e48cd9500001073" +
		"6263312e636f6e746f736f2e636f6d0b2b343933303030303030310b2b343934303030303030310081a8d6b9070301b5dd03e6ad8a598ba5f58bad1a13cb9403010bced100bb" +
		"dd5d01b4caae27b732ff5b00000445554e4f000181a8d6b90700000000000001060a010203c5130634724b18c5130101060b2b343933303030303030310b4164656c65205661" +
		"6e6365197369702e7073746e6875622e6d6963726f736f66742e636f6d0b2b3439343030303030303110736263312e636f6e746f736f2e636f6d0b2b34393430303030303031" +
		"10736263312e636f6e746f736f2e636f6d246170692d64752d612d75737765322e7073746e6875622e6d6963726f736f66742e636f6d0000000101000101e603094275737920" +
		"4865726581a8d6b9070100000000"
	b, err := hex.DecodeString(kept)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	v, refused := l.View(nil), time.Date(2026, 11, 1, 8, 0, 2, 0, time.UTC)
	if l.CallID != "b5dd03e6ad8a598ba5f58bad1a13cb94" || l.says.region.s != "EUNO" || !v.Ended() || v.final == nil || !v.final.last.Time().Equal(refused) {
		t.Errorf("%+v", l)
	}
}

// TestLegsOfVersion3: testdata/version3.txt has legs as a release has kept them, each as a name and
// hexadecimal digits. They can be read, have the facts of their messages, and are written
// unchanged.
func TestLegsOfVersion3(t *testing.T) {
	all, err := os.ReadFile("testdata/version3.txt")
	if err != nil {
		t.Fatal(err)
	}
	calls := wild(t)
	lines := strings.Split(strings.TrimSpace(string(all)), "\n")
	for pair := range slices.Chunk(lines, 2) {
		name := pair[0]
		b, err := hex.DecodeString(pair[1])
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := &Leg{ID: got.ID, Source: "lab", CallID: calls[name][0].CallID, Trunk: "t", Tenant: call.NameGUID("tenant"), Told: call.SIP.Hearsay(), Life: got.Life}
		for i := range calls[name] {
			want.Add(&calls[name][i])
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
		if again := got.Encode(nil); !bytes.Equal(again, b) {
			t.Errorf("%s: is written as %x", name, again)
		}
	}
}

// TestLegCodec: a leg is read as it was written, and a part of its bytes is an error.
func TestLegCodec(t *testing.T) {
	for name, one := range wild(t) {
		l := &Leg{ID: IDOf("lab", one[0].CallID), Source: "lab", CallID: one[0].CallID, Trunk: "t", Tenant: call.NameGUID("tenant"), Told: call.SIP.Hearsay()}
		for i := range one {
			s := &one[i]
			s.SessionExpires, s.SessionID, s.Correlation = i, fmt.Sprint(i), fmt.Sprint(-i)
			s.Reason = `Q.850;cause=16;text="` + call.NameGUID(fmt.Sprint(i)).String() + `;phrase"`
			l.Add(s)
		}
		l.Life = Life{
			Opened: began.Add(-time.Hour), Heard: began, Closed: began.Add(time.Hour), Inferred: true, Changed: true, Recorded: true,
			Row: call.Cursor{Start: began, ID: l.ID}, RowTenant: l.Tenant, PartOf: call.NameGUID("main"),
		}
		b := l.Encode(nil)
		got, err := Decode(b)
		if err != nil || !reflect.DeepEqual(got, l) {
			t.Errorf("%s: %v\n%+v\nwant\n%+v", name, err, got, l)
		}
		for n := range b {
			if _, err := Decode(b[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes can be read", name, n, len(b))
			}
		}
	}
}
