package call

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// scale multiplies the length of the random tests.
func scale(t testing.TB, n int) int {
	if s := os.Getenv("TRUNKLOG_SCALE"); s != "" {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatalf("TRUNKLOG_SCALE: %v", err)
		}
		n = int(float64(n) * f)
	}
	if testing.Short() {
		n /= 10
	}
	return max(n, 1)
}

// newRand returns a source of chance whose seed the test prints.
func newRand(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

const (
	lastTick = 3_155_378_975_999_999_999 // 9999-12-31T23:59:59.9999999Z
	maxUnits = 256
)

func pick[T any](rnd *rand.Rand, from ...T) T { return from[rnd.IntN(len(from))] }

// randomTime returns a known time that the wire form can write.
func randomTime(rnd *rand.Rand) time.Time {
	ticks := 1 + rnd.Uint64N(lastTick)
	return TimeOf(pick(rnd, ticks, ticks/1000*1000+1000, ticks/10_000*10_000+10_000, ticks/ticksPerSecond*ticksPerSecond+ticksPerSecond, 1, lastTick))
}

// near returns a time that lies about start, as the times of a call do.
func near(rnd *rand.Rand, start time.Time) time.Time {
	t := start.Add(time.Duration(rnd.Int64N(int64(2*time.Hour)) - int64(time.Hour))).Truncate(pick(rnd, 100, 100*time.Microsecond, time.Millisecond, time.Second))
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return start
	}
	return t
}

func randomText(rnd *rand.Rand) string {
	return pick(rnd, "+4930123", "ByotIn", "dr_out", "+49301234***", "Zoë 東京 🙂", "'\"\\\n", "x", strings.Repeat("é", MaxText/2))
}

func randomGUID(rnd *rand.Rand) GUID {
	var g GUID
	for i := range g {
		g[i] = byte(rnd.Uint32())
	}
	g[15] |= 1 // known
	return g
}

// everyWitness returns all witnesses that can have settled a field.
func everyWitness() []Witness {
	var all []Witness
	for k := Inferred; k <= Graph; k++ {
		all = append(all, k.Hearsay(), k.Witness())
	}
	return all
}

// setRandom gives a field some known value.
func setRandom(rnd *rand.Rand, r *Row, f Field) {
	switch f.Type() {
	case ID:
		r.SetGUID(f, randomGUID(rnd))
	case Text:
		r.SetText(f, randomText(rnd))
	case Time:
		t := randomTime(rnd)
		if !r.Start.IsZero() && rnd.IntN(4) > 0 {
			t = near(rnd, r.Start)
		}
		r.SetTime(f, t)
	case Number:
		r.SetNumber(f, pick[int32](rnd, 1, -1, 486, 540000, math.MaxInt32, math.MinInt32))
	case Bool:
		r.SetBool(f, true)
	case List:
		r.AdministrativeUnits = make([]GUID, 1+rnd.IntN(4))
		for i := range r.AdministrativeUnits {
			r.AdministrativeUnits[i] = randomGUID(rnd)
		}
	}
}

// setOther gives a field another value than it has.
func setOther(rnd *rand.Rand, r *Row, f Field) {
	if f.Type() == Bool {
		r.SetBool(f, !r.Bool(f))
		return
	}
	for old := r.Clone(); r.same(&old, f); {
		setRandom(rnd, r, f)
	}
}

// randomRow returns a row that a store can keep, in which any field but its place may be unknown,
// settled by any witness.
func randomRow(rnd *rand.Rand) Row {
	r := Row{Tenant: randomGUID(rnd), ID: randomGUID(rnd), Start: randomTime(rnd)}
	density := rnd.IntN(5) // of 4: the known fields
	for f := range NumFields {
		if f != FieldID && f != FieldStart && rnd.IntN(4) < density {
			setRandom(rnd, &r, f)
		}
	}
	if rnd.IntN(4) == 0 {
		r.ClaimedStart = near(rnd, r.Start)
	}
	r.Source, r.Faces = pick(rnd, "", "", "hep", "push/sbc1"), rnd.IntN(4) == 0
	if rnd.IntN(4) == 0 {
		r.Rest = randomRest(rnd)
	}
	switch witnesses := everyWitness(); rnd.IntN(3) {
	case 0: // nobody
	case 1: // one, of some fields or all
		w := pick(rnd, witnesses...)
		for f := range r.By {
			if rnd.IntN(4) < density {
				r.By[f] = w
			}
		}
	case 2:
		for f := range r.By {
			r.By[f] = pick(rnd, append(witnesses, 0)...)
		}
	}
	for k := Inferred; k <= Graph; k++ {
		if rnd.IntN(3) == 0 {
			r.Seen |= k.Set()
		}
	}
	return r
}

// randomRest returns possible additions of a newer binary to a row.
func randomRest(rnd *rand.Rand) string {
	var b []byte
	for tag := uint64(firstRest); tag < 1000; tag += 1 + rnd.Uint64N(400) {
		b = appendExtension(b, tag, pick(rnd, "", "x", "123"))
	}
	return string(b)
}

// fullRow returns a row with every field known. It never changes.
func fullRow() Row {
	g := func(b byte) GUID {
		var g GUID
		for i := range g {
			g[i] = b + byte(i)
		}
		return g
	}
	at := func(ns int) time.Time { return time.Date(2019, 11, 1, 0, 0, 25, ns, time.UTC) }
	r := Row{
		Tenant: g(0xe0), ID: g(0xd0), CorrelationID: g(0x00), UserID: g(0x10),
		UserPrincipalName: "richard.malk@contoso.com", UserDisplayName: "Richard Malk",
		Start: at(105_000_000), Invite: at(105_000_000).Add(-3156 * time.Millisecond), Failure: at(105_000_100), End: at(104_999_900),
		Duration: 5, CallType: "ByotIn", Successful: true, Caller: "+12345678***", Callee: "+01234567***",
		MediaLocation: "USWE", SignalLocation: "EUNO", FinalSIPCode: -1, CallEndSubReason: 540000, FinalSIPPhrase: "BYE",
		Trunk: "tll-audiocodes01.adatum.biz", MediaBypass: true,
		UserCountry: "US", OtherCountry: "DE", TransferorID: g(0x20), AdministrativeUnits: []GUID{g(0x30), g(0x40)},
		SharedID: g(0x50), CallerRaw: "012345678***", CalleeRaw: "01234567***", ClaimedStart: at(106_000_000),
		Seen: Graph.Set() | CDR.Set(),
	}
	for f := range r.By {
		r.By[f] = Graph.Witness()
	}
	r.By[FieldDuration] = CDR.Hearsay()
	return r
}
