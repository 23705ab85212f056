package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trunklog/trunklog/call"
)

// sampleRow returns the row of Microsoft's reference page.
func sampleRow(tb testing.TB) call.Row {
	tb.Helper()
	return call.Row{
		Tenant:            testTenant,
		ID:                guid(tb, "9e8bba57-dc14-533a-a7dd-f0da6575eed1"),
		CorrelationID:     guid(tb, "c98e1515-a937-4b81-b8a8-3992afde64e0"),
		UserID:            guid(tb, "db03c14b-06eb-4189-939b-7cbf3a20ba27"),
		UserPrincipalName: "richard.malk@contoso.com",
		UserDisplayName:   "Richard Malk",
		Start:             instant(tb, "2019-11-01T00:00:25.105Z"),
		Invite:            instant(tb, "2019-11-01T00:00:21.949Z"),
		End:               instant(tb, "2019-11-01T00:00:30.105Z"),
		Duration:          5,
		CallType:          "ByotIn",
		Successful:        true,
		Caller:            "+12345678***",
		Callee:            "+01234567***",
		MediaLocation:     "USWE",
		SignalLocation:    "EUNO",
		CallEndSubReason:  540000,
		FinalSIPPhrase:    "BYE",
		Trunk:             "tll-audiocodes01.adatum.biz",
	}
}

var testTenant = call.GUID{0: 0x11, 15: 0x11}

func guid(tb testing.TB, s string) call.GUID {
	tb.Helper()
	g, err := call.ParseGUID(s)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func instant(tb testing.TB, s string) time.Time {
	tb.Helper()
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

const sampleJSON = `{"id":"9e8bba57-dc14-533a-a7dd-f0da6575eed1","correlationId":"c98e1515-a937-4b81-b8a8-3992afde64e0",` +
	`"userId":"db03c14b-06eb-4189-939b-7cbf3a20ba27","userPrincipalName":"richard.malk@contoso.com","userDisplayName":"Richard Malk",` +
	`"startDateTime":"2019-11-01T00:00:25.105Z","inviteDateTime":"2019-11-01T00:00:21.949Z","failureDateTime":"0001-01-01T00:00:00Z",` +
	`"endDateTime":"2019-11-01T00:00:30.105Z","duration":5,"callType":"ByotIn","successfulCall":true,"callerNumber":"+12345678***",` +
	`"calleeNumber":"+01234567***","mediaPathLocation":"USWE","signalingLocation":"EUNO","finalSipCode":0,"callEndSubReason":540000,` +
	`"finalSipCodePhrase":"BYE","trunkFullyQualifiedDomainName":"tll-audiocodes01.adatum.biz","mediaBypassEnabled":false}`

const unknownJSON = `{"id":null,"correlationId":null,"userId":null,"userPrincipalName":null,"userDisplayName":null,` +
	`"startDateTime":"0001-01-01T00:00:00Z","inviteDateTime":"0001-01-01T00:00:00Z","failureDateTime":"0001-01-01T00:00:00Z",` +
	`"endDateTime":"0001-01-01T00:00:00Z","duration":0,"callType":null,"successfulCall":false,"callerNumber":null,` +
	`"calleeNumber":null,"mediaPathLocation":null,"signalingLocation":null,"finalSipCode":0,"callEndSubReason":0,` +
	`"finalSipCodePhrase":null,"trunkFullyQualifiedDomainName":null,"mediaBypassEnabled":false}`

func TestAppendRow(t *testing.T) {
	sample := sampleRow(t)
	beta := sampleRow(t)
	beta.UserCountry, beta.OtherCountry = "US", "DE"
	beta.TransferorID = guid(t, "02d31a30-0000-4000-8000-000000000001")
	beta.AdministrativeUnits = []call.GUID{guid(t, "639b616c-0000-4000-8000-000000000001"), guid(t, "639b616c-0000-4000-8000-000000000002")}
	beta.SharedID = guid(t, "00000000-0000-4000-8000-00000000abcd")
	betaTail := `,"userCountryCode":"US","otherPartyCountryCode":"DE","transferorCorrelationId":"02d31a30-0000-4000-8000-000000000001",` +
		`"administrativeUnitInfos":[{"id":"639b616c-0000-4000-8000-000000000001"},{"id":"639b616c-0000-4000-8000-000000000002"}]}`
	for _, c := range []struct {
		name string
		row  call.Row
		o    RowOptions
		want string
	}{
		{"sample", sample, RowOptions{}, sampleJSON},
		{"beta fields stay out of v1.0", beta, RowOptions{}, sampleJSON},
		{"beta", beta, RowOptions{Beta: true}, strings.TrimSuffix(sampleJSON, "}") + betaTail},
		{"nothing known", call.Row{}, RowOptions{}, unknownJSON},
		{
			"nothing known in beta",
			call.Row{},
			RowOptions{Beta: true},
			strings.TrimSuffix(unknownJSON, "}") + `,"userCountryCode":null,"otherPartyCountryCode":null,"transferorCorrelationId":null,"administrativeUnitInfos":[]}`,
		},
		{"select one", sample, RowOptions{Select: FieldSet(call.FieldDuration)}, `{"duration":5}`},
		{
			"select in the order of the wire", sample,
			RowOptions{Select: FieldSet(call.FieldTrunk, call.FieldID)},
			`{"id":"9e8bba57-dc14-533a-a7dd-f0da6575eed1","trunkFullyQualifiedDomainName":"tll-audiocodes01.adatum.biz"}`,
		},
		{"select what v1.0 has not", beta, RowOptions{Select: FieldSet(call.FieldUserCountry)}, `{}`},
		{"select in beta", beta, RowOptions{Beta: true, Select: FieldSet(call.FieldUserCountry)}, `{"userCountryCode":"US"}`},
		{
			"types", sample,
			RowOptions{Types: true, Select: FieldSet(call.FieldStart, call.FieldDuration)},
			`{"@odata.type":"#microsoft.graph.callRecords.directRoutingLogRow","startDateTime@odata.type":"#DateTimeOffset","startDateTime":"2019-11-01T00:00:25.105Z","duration":5}`,
		},
		{
			"types of beta", beta,
			RowOptions{Beta: true, Types: true, Select: FieldSet(call.FieldInvite, call.FieldFailure, call.FieldEnd, call.FieldAdministrativeUnits)},
			`{"@odata.type":"#microsoft.graph.callRecords.directRoutingLogRow",` +
				`"inviteDateTime@odata.type":"#DateTimeOffset","inviteDateTime":"2019-11-01T00:00:21.949Z",` +
				`"failureDateTime@odata.type":"#DateTimeOffset","failureDateTime":"0001-01-01T00:00:00Z",` +
				`"endDateTime@odata.type":"#DateTimeOffset","endDateTime":"2019-11-01T00:00:30.105Z",` +
				`"administrativeUnitInfos@odata.type":"#Collection(microsoft.graph.administrativeUnitInfo)",` +
				`"administrativeUnitInfos":[{"id":"639b616c-0000-4000-8000-000000000001"},{"id":"639b616c-0000-4000-8000-000000000002"}]}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := string(AppendRow([]byte("before"), &c.row, c.o))
			if d := cmp.Diff("before"+c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// written returns the bytes that set writes.
func written(set func(b []byte, n int) int) []byte {
	b := make([]byte, rowRoom)
	return b[:set(b, 0)]
}

func TestAppendCallType(t *testing.T) {
	for in, want := range map[string]string{
		"ByotIn": `"ByotIn"`, "dr_in": `"ByotIn"`, "Dr_Out": `"ByotOut"`, "dr_in_bot": `"ByotInUcap"`, "user_out_transfer": `"ByotOutUserTransfer"`,
		"byotin": `"byotin"`, "dr_emergency_out": `"dr_emergency_out"`, "": "null", "Byo": `"Byo"`, `By"t`: `"By\"t"`,
	} {
		if got := string(written(func(b []byte, n int) int { return setText(b, n, graphType(in)) })); got != want {
			t.Errorf("%q is written %s, want %s", in, got, want)
		}
	}
}

func TestAppendTime(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	for _, c := range []struct {
		t    time.Time
		want string
	}{
		{time.Time{}, "0001-01-01T00:00:00Z"},
		{time.Date(1, 1, 1, 0, 0, 0, 99, time.UTC), "0001-01-01T00:00:00Z"},
		{time.Date(1, 1, 1, 0, 0, 0, 100, time.UTC), "0001-01-01T00:00:00.0000001Z"},
		{time.Date(2019, 11, 1, 0, 0, 25, 105_000_000, time.UTC), "2019-11-01T00:00:25.105Z"},
		{time.Date(2019, 11, 1, 0, 30, 0, 0, berlin), "2019-10-31T23:30:00Z"},
		{time.Date(2024, 2, 29, 23, 59, 59, 100_000_000, time.UTC), "2024-02-29T23:59:59.1Z"},
		{time.Date(2024, 12, 31, 12, 0, 8, 258_993_500, time.UTC), "2024-12-31T12:00:08.2589935Z"},
		{time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), "9999-12-31T23:59:59.9999999Z"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "0001-01-01T00:00:00Z"},
		{time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC), "0001-01-01T00:00:00Z"},
		{time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), "1969-12-31T23:59:59Z"},
	} {
		if got := string(written(func(b []byte, n int) int { return new(rowWriter).time(b, n, c.t) })); got != `"`+c.want+`"` {
			t.Errorf("%v is written %s, want %q", c.t, got, c.want)
		}
	}
}

// For every day from year 1 to year 9999 the encoder and package time agree.
func TestCivil(t *testing.T) {
	day := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := uint32(0); n <= lastDay; n++ {
		y, m, d := civil(n)
		if wy, wm, wd := day.Date(); int(y) != wy || int(m) != int(wm) || int(d) != wd {
			t.Fatalf("day %d is %d-%d-%d, want %v", n, y, m, d, day)
		}
		day = day.AddDate(0, 0, 1)
	}
	if day.Year() != 10000 {
		t.Errorf("the day after the last is %v", day)
	}
}

// The encoder writes the same as encoding/json for the same text.
func TestAppendTextIsJSON(t *testing.T) {
	alphabet := []string{
		"a", "Z", "0", " ", "~", "\x7f", "\"", "\\", "/", "<", ">", "&", "'", "\b", "\f", "\n", "\r", "\t", "\x00", "\x1f", "\x20",
		"ä", "Ł", "名", "😀", "\u2027", "\u2028", "\u2029", "\u202a", "\u202e", "\ufeff", "\ufffd", "\x80", "\xff", "\xc3", "\xed\xa0\x80", "abcdefgh",
	}
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 24).Draw(t, "parts"), "")
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(s); err != nil {
			t.Fatal(err)
		}
		if got := string(appendText(nil, s)); got != strings.TrimSuffix(want.String(), "\n") {
			t.Errorf("%q is written %s, want %s", s, got, want.String())
		}
		if got := string(written(func(b []byte, n int) int { return setText(b, n, s) })); s != "" && got != strings.TrimSuffix(want.String(), "\n") {
			t.Errorf("%q is written %s in a row, want %s", s, got, want.String())
		}
	})
}

// The encoder sees an odd byte at every place of a text of every length.
func TestOddBytes(t *testing.T) {
	for n := 1; n < 40; n++ {
		p := bytes.Repeat([]byte{'~'}, n)
		for i := range n {
			for c := range 256 {
				p[i] = byte(c)
				want := appendText(nil, string(p))
				if got := written(func(b []byte, n int) int { return setText(b, n, string(p)) }); !bytes.Equal(got, want) {
					t.Fatalf("%q is written %s, want %s", p, got, want)
				}
			}
			p[i] = '~'
		}
	}
}

// A row is the same after AppendRow writes it and encoding/json reads it.
func TestAppendRowReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r call.Row
		for f := range call.NumFields {
			switch f.Type() {
			case call.ID:
				if rapid.Bool().Draw(t, "known") {
					r.SetGUID(f, call.NameGUID(f.String(), rapid.String().Draw(t, "id")))
				}
			case call.Text:
				r.SetText(f, rapid.String().Draw(t, f.String()))
			case call.Time:
				r.SetTime(f, call.TimeOf(rapid.Uint64Range(0, 3155378975999999999).Draw(t, f.String())))
			case call.Number:
				r.SetNumber(f, rapid.Int32().Draw(t, f.String()))
			case call.Bool:
				r.SetBool(f, rapid.Bool().Draw(t, f.String()))
			}
		}
		var got map[string]any
		d := json.NewDecoder(bytes.NewReader(AppendRow(nil, &r, RowOptions{Beta: true})))
		d.UseNumber()
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		for f := range call.FieldAdministrativeUnits {
			compareField(t, &r, f, got[f.String()])
		}
		if len(got) != int(call.FieldSharedID) {
			t.Errorf("%d properties, want %d", len(got), call.FieldSharedID)
		}
	})
}

func compareField(t *rapid.T, r *call.Row, f call.Field, got any) {
	var want any
	switch f.Type() {
	case call.ID:
		if g := r.GUID(f); !g.IsZero() {
			want = g.String()
		}
	case call.Text:
		if s := r.Text(f); s != "" {
			want = s
		}
		if f == call.FieldCallType {
			want = any(nil)
			if s := string(call.CallType(r.CallType).Graph()); s != "" {
				want = s
			}
		}
	case call.Time:
		want = r.Time(f).Format("2006-01-02T15:04:05.9999999Z")
	case call.Number:
		b, _ := json.Marshal(r.Number(f))
		want = json.Number(b)
	case call.Bool:
		want = r.Bool(f)
	}
	if want != got {
		t.Errorf("%s is %v, want %v", f, got, want)
	}
}

func TestAppendRowDoesNotAllocate(t *testing.T) {
	r := sampleRow(t)
	r.UserDisplayName = "Zoë \"Z\"\u2028"
	b := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { b = AppendRow(b[:0], &r, RowOptions{Beta: true, Types: true}) }); n != 0 {
		t.Errorf("%v allocations a row, want none", n)
	}
}

// benchRows are rows as in practice: ids and numbers that do not repeat, a few hundred users, four
// trunks, and names of which some have an umlaut.
func benchRows(tb testing.TB, n int) []call.Row {
	tb.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	first, last := []string{"Ada", "Jürgen", "Maria", "Chidi", "Ingrid", "Tom", "Wei", "Fatima"}, []string{"Lovelace", "Groß", "Santos", "Okafor", "Berg", "Taylor", "Zhang", "Haddad"}
	rows := make([]call.Row, n)
	at := sampleRow(tb).Start
	for i := range rows {
		r := sampleRow(tb)
		for j := range 16 {
			v := rnd.Uint64()
			r.ID[j], r.CorrelationID[j] = byte(v), byte(v>>8)
		}
		user := rnd.IntN(300)
		r.UserID = call.NameGUID("user", strconv.Itoa(user))
		r.UserDisplayName = first[user%8] + " " + last[user/8%8]
		r.UserPrincipalName = "user" + strconv.Itoa(user) + "@contoso.com"
		r.Caller, r.Callee = fmt.Sprintf("+49%010d", rnd.IntN(1e10)), fmt.Sprintf("+4930123%04d", user)
		r.Trunk = fmt.Sprintf("sbc%d.berlin.contoso.com", rnd.IntN(4))
		at = at.Add(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		r.Start, r.Invite, r.Duration = at, at.Add(-time.Duration(rnd.IntN(9000))*time.Millisecond), int32(rnd.IntN(600))
		r.End = at.Add(time.Duration(r.Duration)*time.Second + time.Duration(rnd.IntN(1000))*time.Millisecond)
		rows[i] = r
	}
	return rows
}

func BenchmarkAppendRow(b *testing.B) {
	rows := benchRows(b, 1000)
	for _, c := range []struct {
		name string
		o    RowOptions
	}{{"v1.0", RowOptions{}}, {"beta", RowOptions{Beta: true}}, {"full", RowOptions{Types: true}}} {
		b.Run(c.name, func(b *testing.B) {
			buf := make([]byte, 0, 1<<21)
			b.ReportAllocs()
			for b.Loop() {
				buf = buf[:0]
				for i := range rows {
					buf = AppendRow(buf, &rows[i], c.o)
				}
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}
