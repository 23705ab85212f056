package admin

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

func groupings() []call.Grouping {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return []call.Grouping{
		{},
		{Every: call.Hour, Zone: time.UTC},
		{Every: call.Day, Zone: berlin, By: []call.Dim{call.ByTrunk, call.ByUser}},
		{Every: 200, Zone: time.FixedZone("x", -2670), By: []call.Dim{200, call.ByTrunk}},
	}
}

// What is read is what was written, and all of it; zones are the same if their
// clocks are.
func TestGroupingRoundTrip(t *testing.T) {
	for _, by := range groupings() {
		b, err := appendGrouping(nil, by)
		if err != nil {
			t.Fatal(err)
		}
		p := parser{s: string(b)}
		got := p.grouping()
		if err := p.end(); err != nil || got.Every != by.Every || !slices.Equal(got.By, by.By) || (got.Zone == nil) != (by.Zone == nil) {
			t.Errorf("%+v, %v; want %+v", got, err, by)
		}
		for month := range 12 {
			if by.Zone == nil {
				break
			}
			when := at.AddDate(0, month, 0)
			if a, b := when.In(got.Zone).Format(time.DateTime), when.In(by.Zone).Format(time.DateTime); a != b {
				t.Errorf("%v at %v: %s, want %s", by.Zone, when, a, b)
			}
		}
		for n := range len(b) {
			p := parser{s: string(b[:n])}
			if got := p.grouping(); p.end() == nil {
				t.Errorf("%d of %d bytes: %+v", n, len(b), got)
			}
		}
	}
	for _, bad := range []string{"\x00\x07\x00", "\x00\x02\x05Local\x00", "\x00\x02\x00\x00", "\x00\x02\x08../../Z1\x00", "\x00\x01\xff\xff\xff\xff\x0f\x00"} {
		p := parser{s: bad}
		if got := p.grouping(); !errors.Is(p.end(), call.ErrInvalid) {
			t.Errorf("%q is %+v", bad, got)
		}
	}
}

func TestGroupRoundTrip(t *testing.T) {
	g := call.Group{
		At:  at.Truncate(time.Hour),
		Key: call.Key{Trunk: "sbc1", Inbound: true, CallType: "ByotIn", Code: -1, Subcode: 560486, Rang: true, User: call.GUID{5}},
	}
	for i, v := range g.Values() {
		*v = int64(i*1000 - 3)
	}
	for _, want := range []call.Group{{}, g} {
		b := appendGroup(nil, &want)
		p := parser{s: string(b)}
		if got := p.group(); p.end() != nil || !got.At.Equal(want.At) || got.At.IsZero() != want.At.IsZero() || got.Key != want.Key || got.Sums != want.Sums {
			t.Errorf("%+v, want %+v", got, want)
		}
		for n := range len(b) {
			p := parser{s: string(b[:n])}
			if p.group(); p.end() == nil {
				t.Errorf("%d of %d bytes are a group", n, len(b))
			}
		}
	}
}

// A zone that changes its clock by rules which the other process cannot know is
// refused.
func TestZoneWithoutAName(t *testing.T) {
	data := centralEurope()
	for _, name := range []string{"", "Local", "nowhere"} {
		zone, err := time.LoadLocationFromTZData(name, data)
		if err != nil {
			t.Fatal(err)
		}
		if _, summer := time.Date(2026, 7, 1, 0, 0, 0, 0, zone).Zone(); summer != 7200 {
			t.Errorf("%q is %d s ahead in July", name, summer)
		}
		if b, err := appendZone(nil, zone); !errors.Is(err, call.ErrInvalid) {
			t.Errorf("%q: %q, %v", name, b, err)
		}
	}
}

// centralEurope returns a zone that changes its clock by a rule, as files of zones have
// it (RFC 8536, section 3): twice a block with one type of local time, then the rule.
func centralEurope() []byte {
	head := slices.Concat([]byte("TZif2"), make([]byte, 15+4*4), []byte{0, 0, 0, 1, 0, 0, 0, 4}) // one type, four letters
	block := slices.Concat(head, []byte{0, 0, 0x0e, 0x10, 0, 0}, []byte("CET\x00"))
	return slices.Concat(block, block, []byte("\nCET-1CEST,M3.5.0,M10.5.0/3\n"))
}
