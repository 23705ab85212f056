package call

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// The compact form of rows, as on disks already. The first two have all fields of the first
// release.
const (
	goldenFull = "0148ffffff1f" + // version 1; seen: CDR and Graph; settled: all 26 fields
		"00" + "86868686868686868603" + "86868686868686868686868686868686" + // the witness of each
		goldenValues
	goldenUniform = "0148ffffff1f" +
		"04" + // one witness of all
		goldenValues
	goldenValues = "" +
		"deffff3f" + // known: all but id and start, and the claimed start
		"000102030405060708090a0b0c0d0e0f" + // correlationId
		"101112131415161718191a1b1c1d1e1f" + // userId
		"18726963686172642e6d616c6b40636f6e746f736f2e636f6d" + // userPrincipalName
		"0c52696368617264204d616c6b" + // userDisplayName
		"cf62" + // inviteDateTime: 3156 ms before
		"06" + // failureDateTime: 1 tick after
		"01" + // endDateTime: 1 tick before
		"0a" + // duration
		"0642796f74496e" + // callType
		"0c2b31323334353637382a2a2a" + // callerNumber
		"0c2b30313233343536372a2a2a" + // calleeNumber
		"0455535745" + // mediaPathLocation
		"0445554e4f" + // signalingLocation
		"01" + // finalSipCode
		"c0f541" + // callEndSubReason
		"03425945" + // finalSipCodePhrase
		"1b746c6c2d617564696f636f64657330312e61646174756d2e62697a" + // trunkFullyQualifiedDomainName
		"025553" + // userCountryCode
		"024445" + // otherPartyCountryCode
		"202122232425262728292a2b2c2d2e2f" + // transferorCorrelationId
		"02303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f" + // administrativeUnitInfos
		"505152535455565758595a5b5c5d5e5f" + // sharedCorrelationId
		"04" // claimed start
	goldenRaw = "0110" +
		"80808020" + "83" + // settled: callerNumberRaw, by the SBC's record
		"808080c001" + // known: callerNumberRaw, calleeNumberRaw
		"0a30333031323334353637" + "03323030"
	goldenSparse = "0100" +
		"40" + "82" + // settled: inviteDateTime, by RADIUS
		"c08420" + // known: inviteDateTime, duration, trunk
		"00" + "ffffffff0f" + "03736263"
	goldenEmpty = "0100000000"
)

// TestBodyGolden compares the compact form of rows with those bytes. If it fails, rowVersion must
// change, and ParseBody must go on reading the old form.
func TestBodyGolden(t *testing.T) {
	full := fullRow()
	full.CallerRaw, full.CalleeRaw = "", ""
	full.By[FieldCallerRaw], full.By[FieldCalleeRaw] = 0, 0
	uniform := full
	for f := range claimedBit {
		uniform.By[f] = SIP.Hearsay()
	}
	raw := Row{ID: full.ID, Start: full.Start, CallerRaw: "0301234567", CalleeRaw: "200", Seen: SIP.Set()}
	raw.By[FieldCallerRaw] = CDR.Witness()
	sparse := Row{ID: full.ID, Start: full.Start, Invite: full.Start, Duration: math.MinInt32, Trunk: "sbc"}
	sparse.By[FieldInvite] = RADIUS.Witness()
	for _, c := range []struct {
		name string
		row  Row
		want string
	}{
		{"full", full, goldenFull},
		{"uniform", uniform, goldenUniform},
		{"sparse", sparse, goldenSparse},
		{"raw numbers", raw, goldenRaw},
		{"empty", Row{ID: full.ID, Start: full.Start}, goldenEmpty},
	} {
		if got := hex.EncodeToString(c.row.AppendBody(nil)); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
		b, err := hex.DecodeString(c.want)
		if err != nil {
			t.Fatal(err)
		}
		var r Row
		if err := r.ParseBody(c.row.Tenant, c.row.Start, c.row.ID, string(b)); err != nil || !r.Equal(&c.row) {
			t.Errorf("%s: got %+v, %v", c.name, r, err)
		}
	}
}

// TestFullRow makes sure that the row of the tests leaves nothing out.
func TestFullRow(t *testing.T) {
	r := fullRow()
	for f := range NumFields {
		if !r.Known(f) || r.By[f] == 0 {
			t.Errorf("%s is not known in fullRow", f)
		}
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
}

func TestBodyRoundTrip(t *testing.T) {
	rnd := newRand(t)
	var got Row // one for all: nothing of the row before may be left
	known := [NumFields]int{}
	for range scale(t, 20_000) {
		want := randomRow(rnd)
		if err := want.Check(); err != nil {
			t.Fatalf("%+v: %v", want, err)
		}
		prefix := []byte("key")
		b := want.AppendBody(prefix)
		if !bytes.HasPrefix(b, prefix) {
			t.Fatal("AppendBody did not append")
		}
		if err := got.ParseBody(want.Tenant, want.Start, want.ID, string(b[3:])); err != nil {
			t.Fatalf("%+v\n%x\n%v", want, b[3:], err)
		}
		if !got.Equal(&want) {
			t.Fatalf("%x\n got %+v\nwant %+v", b[3:], got, want)
		}
		for f := range NumFields {
			if f.Type() == Time && got.Time(f).Location() != time.UTC {
				t.Fatalf("%s is not in UTC", f)
			}
			if got.Known(f) {
				known[f]++
			}
		}
	}
	for f, n := range known {
		if n == 0 {
			t.Errorf("%s was never known", Field(f))
		}
	}
}

// TestBodyDamage cuts bodies at every byte, adds to them and flips their bits. ParseBody must
// refuse the result, or return a consistent row.
func TestBodyDamage(t *testing.T) {
	rnd := newRand(t)
	for i := range scale(t, 300) {
		r := randomRow(rnd)
		if i == 0 {
			r = fullRow()
		}
		b := r.AppendBody(nil)
		for n := range b {
			var got Row
			if err := got.ParseBody(r.Tenant, r.Start, r.ID, string(b[:n])); err == nil {
				t.Fatalf("%x: its first %d bytes were read as %+v", b, n, got)
			}
		}
		var got Row
		if err := got.ParseBody(r.Tenant, r.Start, r.ID, string(b)+"\x00"); err == nil {
			t.Fatalf("%x: it was read with a byte too much", b)
		}
		for range 200 {
			c := bytes.Clone(b)
			for range 1 + rnd.IntN(3) {
				c[rnd.IntN(len(c))] ^= 1 << rnd.IntN(8)
			}
			checkBody(t, r.Tenant, r.Start, r.ID, string(c))
		}
	}
}

// checkBody checks what holds for any bytes: ParseBody does not panic, and if the bytes are those
// of a valid row, the same row comes back from its own body. The place of the row is never in them.
func checkBody(t *testing.T, tenant GUID, start time.Time, id GUID, body string) {
	t.Helper()
	var r Row
	if err := r.ParseBody(tenant, start, id, body); err != nil {
		return
	}
	if r.Tenant != tenant || r.ID != id || !r.Start.Equal(start) {
		t.Fatalf("%x changed the place of the row", body)
	}
	claim := Row{ID: id, Start: firstTime(r.ClaimedStart, r.Start)}
	if r.Check() != nil || claim.Check() != nil {
		return
	}
	var again Row
	if err := again.ParseBody(tenant, start, id, string(r.AppendBody(nil))); err != nil || !again.Equal(&r) {
		t.Fatalf("%x was read as\n%+v\nand written, and then read as\n%+v, %v", body, r, again, err)
	}
}

func TestBodyRefuses(t *testing.T) {
	uvarints := func(head string, values ...uint64) string {
		b := []byte(head)
		for _, v := range values {
			b = binary.AppendUvarint(b, v)
		}
		return string(b)
	}
	start := time.Date(2019, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, body string
		newer      bool
	}{
		{"nothing", "", false},
		{"a newer version", "\x02" + strings.Repeat("\x00", 10), true},
		{"a field that is not known here", uvarints("\x01\x00\x00\x00", 1<<knownBits), true},
		{"a witness of a field that is not known here", uvarints("\x01\x00", 1<<NumFields, 0x86, 0), true},
		{"the id, which is in the key", uvarints("\x01\x00\x00\x00", 1<<FieldID) + strings.Repeat("x", 16), false},
		{"the start, which is in the key", uvarints("\x01\x00\x00\x00", 1<<FieldStart, 2), false},
		{"kinds that cannot be", uvarints("\x01", 1<<16, 0, 0, 0), false},
		{"a text longer than the rest", uvarints("\x01\x00\x00\x00", 1<<FieldCaller, math.MaxUint64), false},
		{"more units than bytes", uvarints("\x01\x00\x00\x00", 1<<FieldAdministrativeUnits, math.MaxUint64), false},
		{"a number of 33 bits", uvarints("\x01\x00\x00\x00", 1<<FieldDuration, (math.MaxInt32+1)*2), false},
		{"a negative number of 33 bits", uvarints("\x01\x00\x00\x00", 1<<FieldDuration, (math.MaxInt32+1)*2+1), false},
		{"a varint of 65 bits", "\x01\x00\x00\x00\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", false},
		{"a varint of 11 bytes", "\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00\x00\x00\x00", false},
		{"a varint without end", "\x01\x80", false},
	} {
		var r Row
		err := r.ParseBody(GUID{}, start, GUID{1}, c.body)
		if err == nil || errors.Is(err, ErrNewer) != c.newer {
			t.Errorf("%s: got %v", c.name, err)
		}
		if err != nil && !strings.Contains(err.Error(), (GUID{1}).String()) {
			t.Errorf("%s: the error does not name the row: %v", c.name, err)
		}
	}
}

func TestBodyAllocations(t *testing.T) {
	full := fullRow()
	body := string(full.AppendBody(nil))
	b := make([]byte, 0, 2*len(body))
	var r Row
	if err := r.ParseBody(full.Tenant, full.Start, full.ID, body); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := r.ParseBody(full.Tenant, full.Start, full.ID, body); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("ParseBody made %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { b = r.AppendBody(b[:0]) }); n != 0 {
		t.Errorf("AppendBody made %v allocations", n)
	}
	if string(b) != body {
		t.Error("what was read is written otherwise")
	}
}

// TestTicks goes through the whole range of times.
func TestTicks(t *testing.T) {
	for _, c := range []struct {
		time  time.Time
		ticks uint64
	}{
		{time.Time{}, 0},
		{time.Date(1, 1, 1, 0, 0, 0, 100, time.UTC), 1},
		{time.Date(1, 1, 1, 0, 0, 0, 199, time.UTC), 1},
		{time.Date(0, 12, 31, 23, 59, 59, 999_999_999, time.UTC), 0},
		{time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), 0},
		{time.Unix(0, 0), 621_355_968_000_000_000},
		{time.Unix(0, -100), 621_355_967_999_999_999},
		{time.Date(2019, 11, 1, 2, 0, 25, 105_000_000, time.FixedZone("", 7200)), 637_081_632_251_050_000},
		{time.Date(9999, 12, 31, 23, 59, 59, 999_999_900, time.UTC), lastTick},
	} {
		if got := Ticks(c.time); got != c.ticks {
			t.Errorf("Ticks(%v) = %d, want %d", c.time, got, c.ticks)
		}
	}
	if !TimeOf(0).IsZero() || TimeOf(0) != (time.Time{}) {
		t.Error("TimeOf(0) is not the zero time")
	}
	rnd := newRand(t)
	before, last := time.Time{}, uint64(0)
	all := []uint64{0, 1, lastTick}
	for range scale(t, 20_000) {
		all = append(all, rnd.Uint64N(lastTick+1))
	}
	slices.Sort(all)
	for _, ticks := range all {
		got := TimeOf(ticks)
		if Ticks(got) != ticks || got.Location() != time.UTC || got.Year() < 1 || got.Year() > 9999 || got.Nanosecond()%100 != 0 {
			t.Fatalf("TimeOf(%d) = %v, of which Ticks is %d", ticks, got, Ticks(got))
		}
		if ticks > last && !got.After(before) {
			t.Fatalf("%d ticks are %v, but %d are %v", last, before, ticks, got)
		}
		before, last = got, ticks
	}
}

func FuzzParseBody(f *testing.F) {
	full := fullRow()
	f.Add(full.AppendBody(nil), Ticks(full.Start))
	f.Add((&Row{}).AppendBody(nil), uint64(1))
	f.Add([]byte{}, uint64(lastTick))
	f.Fuzz(func(t *testing.T, body []byte, start uint64) {
		checkBody(t, full.Tenant, TimeOf(1+start%lastTick), full.ID, string(body))
	})
}

func BenchmarkParseBody(b *testing.B) {
	full := fullRow()
	body := string(full.AppendBody(nil))
	var r Row
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := r.ParseBody(full.Tenant, full.Start, full.ID, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBody(b *testing.B) {
	full := fullRow()
	body := full.AppendBody(nil)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		body = full.AppendBody(body[:0])
	}
}
