package csv

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

func TestLayouts(t *testing.T) {
	berlin, err := parseZone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		t.Helper()
		x, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, c := range []struct{ layout, in, want string }{
		{"rfc3339", "2026-07-01T10:00:00Z", "2026-07-01T10:00:00Z"},
		{"rfc3339", "2026-07-01T10:00:00.5+03:00", "2026-07-01T07:00:00.5Z"},
		{"rfc3339", "2026-07-01 10:00:00", "2026-07-01T08:00:00Z"}, // summer
		{"rfc3339", "2026-01-01 10:00:00", "2026-01-01T09:00:00Z"}, // winter
		{"rfc3339", "/Date(1572566425105)/", "2019-11-01T00:00:25.105Z"},
		{"unix", "1572566425", "2019-11-01T00:00:25Z"},
		{"unix", "1572566425.105", "2019-11-01T00:00:25.105Z"},
		{"unix-ms", "1572566425105", "2019-11-01T00:00:25.105Z"},
		{"unix-us", "1572566425105000", "2019-11-01T00:00:25.105Z"},
		{"%Y-%m-%d %H:%M:%S", "2026-07-01 10:00:00", "2026-07-01T08:00:00Z"},
		{"%Y-%m-%d %H:%M:%S", "2026-7-1 9:05:07", "2026-07-01T07:05:07Z"},
		{"%Y-%m-%d %H:%M:%S.%f", "2026-07-01 10:00:00.123456", "2026-07-01T08:00:00.123456Z"},
		{"%F %T", "2026-07-01 10:00:00", "2026-07-01T08:00:00Z"},
		{"%Y%m%d%H%M%S", "20260701100000", "2026-07-01T08:00:00Z"},
		{"%d/%b/%Y:%H:%M:%S %z", "01/Jul/2026:10:00:00 -0400", "2026-07-01T14:00:00Z"},
		{"%Y-%m-%dT%H:%M:%S%z", "2026-07-01T10:00:00-04:00", "2026-07-01T14:00:00Z"},
		{"%Y-%m-%dT%H:%M:%S%z", "2026-07-01T10:00:00Z", "2026-07-01T10:00:00Z"},
		{"%Y-%m-%dT%H:%M:%SZ", "2026-07-01T10:00:00Z", "2026-07-01T10:00:00Z"},
		{"%H:%M:%S %Z %a %b %d %Y", "10:00:00.950 UTC Wed Jul 01 2026", "2026-07-01T10:00:00.95Z"},
		{"%H:%M:%S %Z %a %b %d %Y", "10:00:00 CEST Wed Jul 01 2026", "2026-07-01T08:00:00Z"},
		{"%H:%M:%S %Z %a %b %d %Y", "10:00:00 PST Wed Jul 01 2026", ""},
		{"%m/%d/%Y %I:%M:%S %p", "7/1/2026 1:00:00 PM", "2026-07-01T11:00:00Z"},
		{"%d.%m.%y %H:%M", "01.07.26 10:00", "2026-07-01T08:00:00Z"},
		{"%e. %B %Y %T", " 1. July 2026 10:00:00", "2026-07-01T08:00:00Z"},
		{"rfc3339", "2026-07-01 10:00:00.105+02", "2026-07-01T08:00:00.105Z"},
		{"rfc3339", "2026-07-01 10:00:00-03", "2026-07-01T13:00:00Z"},
		{"rfc3339", "2026-07-01 10:00:00,105", "2026-07-01T08:00:00.105Z"},
		{"unix", "1572566425,105", "2019-11-01T00:00:25.105Z"},
		{"%s", "1572566425.105", "2019-11-01T00:00:25.105Z"},
		{"%D %R", "07/01/26 10:00", "2026-07-01T08:00:00Z"},
		{"%F %r", "2026-07-01 01:00:00 pm", "2026-07-01T11:00:00Z"},
		{"%F %k:%M", "2026-07-01  9:05", "2026-07-01T07:05:00Z"},
		{"%F %l:%M %P", "2026-07-01  9:05 am", "2026-07-01T07:05:00Z"},
		{"%d-%h-%Y %T", "01-JUL-2026 10:00:00", "2026-07-01T08:00:00Z"},
		{"%F %T", "2026-07-01 10:00:00,105", "2026-07-01T08:00:00.105Z"},
		{"%F %T.%f", "2026-07-01 10:00:00,105", "2026-07-01T08:00:00.105Z"},
		{"%F %T.%f", "2026-07-01 10:00:00", "2026-07-01T08:00:00Z"},
		{"%T,%d.%m.%Y", "10:00:00,01.07.2026", "2026-07-01T08:00:00Z"},
		{"%F %T%z", "2026-07-01 10:00:00-03", "2026-07-01T13:00:00Z"},
		{"%F %T %z", "2026-07-01 10:00:00 +5:30", "2026-07-01T04:30:00Z"},
		{"%F %T %Z", "2026-07-01 10:00:00 GMT+1", "2026-07-01T09:00:00Z"},
		{"%F %T %Z", "2026-07-01 10:00:00 UTC+02:00", "2026-07-01T08:00:00Z"},
		{"%F %T %Z", "2026-07-01 10:00:00 GMT-5", "2026-07-01T15:00:00Z"},
		{"%F %T %Z", "2026-07-01 10:00:00 utc", "2026-07-01T10:00:00Z"},
		{"%F %T %Z", "2026-07-01 10:00:00 -03", "2026-07-01T13:00:00Z"},
		{"%T %Z %F", "10:00:00 GMT+1 2026-07-01", "2026-07-01T09:00:00Z"},
		{"%F %T %Z", "2026-10-25 02:30:00 CET", "2026-10-25T01:30:00Z"},
		{"%F %T %Z", "2026-10-25 02:30:00 CEST", "2026-10-25T00:30:00Z"},
		{"%F %T %Z", "2026-07-01 10:00:00 GMT+25", ""},
		{"%F %T %Z", "2026-07-01 10:00:00", ""},
		{"%H:%M:%S.%f %Z %a %b %d %Y", "*10:00:00.105  UTC Wed Jul 1 2026", "2026-07-01T10:00:00.105Z"},
		{"%H:%M:%S.%f %Z %a %b %d %Y", ".10:00:00.105 UTC Wed Jul 1 2026", "2026-07-01T10:00:00.105Z"},
		{"*%H:%M:%S.%f %Z %a %b %d %Y", "10:00:00.105 UTC Wed Jul 1 2026", "2026-07-01T10:00:00.105Z"},
		{"*%H:%M:%S.%f %Z %a %b %d %Y", "*10:00:00.105 UTC Wed Jul 1 2026", "2026-07-01T10:00:00.105Z"},
		{"%F *%T", "2026-07-01 *10:00:00", "2026-07-01T08:00:00Z"},
		{"%m/%d/%Y %I:%M:%S %p", "7/1/2026 1:00:00 p.m.", "2026-07-01T11:00:00Z"},
		{"%m/%d/%Y %I:%M:%S %p", "7/1/2026 1:00:00\u202fPM", "2026-07-01T11:00:00Z"},
		{"%m/%d/%Y %I:%M:%S %p", "7/1/2026 1:00:00\u00a0p.\u00a0m.", "2026-07-01T11:00:00Z"},
		{"%m/%d/%Y %I:%M:%S %p", "7/1/2026 1:00:00PM", "2026-07-01T11:00:00Z"},
		{"%m/%d/%Y %I:%M %p", "\u200e7/\u200e1/\u200e2026 12:05 a.m.", "2026-06-30T22:05:00Z"},
		{"%m/%d/%Y %I:%M:%S %p", "7/1/2026 13:00:00 PM", ""},
		{"%m/%d/%Y %I:%M:%S %p", "7/1/2026 1:00:00 xm", ""},
		{"%F %T", "0001-01-01 00:00:00", "never"},
		{"%F %T", "1970-01-01 00:00:00", "never"},
		{"%F %T", "1970-01-01 01:00:00", "never"}, // by a clock in Berlin
		{"%F %T %z", "1969-12-31 19:00:00 -0500", "never"},
		{"rfc3339", "0001-01-01T00:00:00", "never"},
		{"rfc3339", "1970-01-01 00:00:00", "never"},
		{"unix", "0", "never"},
		{"unix-ms", "0.0", "never"},
		{"unix", "-1", "never"},
		{"%F %T", "0000-00-00 00:00:00", "never"},
		{"%F %T", "2026-03-29 02:30:00", ""}, // no clock in Berlin shows it
		{"%F %T", "2026-03-29 01:59:59", "2026-03-29T00:59:59Z"},
		{"%F %T", "2026-03-29 03:00:00", "2026-03-29T01:00:00Z"},
		{"%F %T", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z"}, // the first of two
		{"%F %T", "2026-10-25 03:00:00", "2026-10-25T02:00:00Z"},
		{"%F %T", "2026-02-30 10:00:00", ""},
		{"%F %T", "2026-07-01", ""},
		{"unix", "yesterday", ""},
		{"unix", "1e9", ""},
		{"unix", "99999999999999999999", ""},
		{"unix", "999999999999999", ""}, // beyond the year 9999
		{"unix", "5.x", ""},
		{"rfc3339", "01.07.2026", ""},
	} {
		l, err := parseLayout(c.layout)
		if err != nil {
			t.Errorf("layout %q: %v", c.layout, err)
			continue
		}
		b := binding{input: &input{tableMap: &tableMap{layouts: []layout{l}, zone: berlin}}}
		m, err := b.time(c.in)
		switch got := m.first; {
		case (err != nil) != (c.want == ""):
			t.Errorf("%q by %q: %v, want %q", c.in, c.layout, err, c.want)
		case err == nil && c.want == "never" && !got.IsZero(), err == nil && c.want != "never" && !got.Equal(at(c.want)):
			t.Errorf("%q by %q = %v, want %q", c.in, c.layout, got, c.want)
		}
	}
	for _, s := range []string{"", "%", "%Q", "%c", "2006-01-02", "%Y5", "%YJan", "%S%f", "yesterday"} {
		if _, err := parseLayout(s); err == nil {
			t.Errorf("layout %q is taken", s)
		}
	}
}

func TestNumbers(t *testing.T) {
	german := &numberRules{country: "49", national: "0", international: "00"}
	american := &numberRules{country: "1", international: "011"}
	for _, c := range []struct {
		rules    *numberRules
		in, want string
	}{
		{nil, " 030/1234 ", " 030/1234 "},
		{nil, "sip:+4930@x", "sip:+4930@x"},
		{&numberRules{}, "sip:+4930@x;user=phone", "+4930"},
		{&numberRules{}, "<sip:+4930;npdi@x:5061>", "+4930"},
		{&numberRules{}, "tel:+49-30-1234", "+49301234"},
		{&numberRules{}, "+4930@10.1.2.3", "+4930"},
		{&numberRules{}, "alice@contoso.com", "alice"},
		{&numberRules{}, "+49 (30) 1234-***", "+49301234***"},
		{&numberRules{}, "Internal Revenue Service", "Internal Revenue Service"},
		{&numberRules{}, "mailto:a", "mailto:a"},
		{&numberRules{}, "", ""},
		{german, "0301234", "+49301234"},
		{german, "00431234", "+431234"},
		{german, "+431234", "+431234"},
		{german, "110", "110"},
		{german, "0", "0"},
		{german, "00", "00"},
		{german, "0049", "0049"},
		{german, "0110", "0110"},
		{german, "000123456", "000123456"},
		{german, "0030123456789012345678", "0030123456789012345678"},
		{german, "030/12 34-0", "+493012340"},
		{german, "+49 (0)30 1234", "+49301234"},
		{german, "0049 (0) 30 1234", "+49301234"},
		{german, "(0)30 1234", "+49301234"},
		{german, `"Anna" <sip:0301234@10.1.2.3;user=phone>`, "+49301234"},
		{german, "sip:%2B49301234@10.1.2.3", "+49301234"},
		{german, "0301234***", "+49301234***"},
		{american, "+44 (0)20 7946 0000", "+442079460000"},
		{american, "01149301234", "+49301234"},
		{american, "2125551234", "2125551234"},
	} {
		if got, _ := c.rules.clean(c.in); got != c.want {
			t.Errorf("%+v: %q becomes %q, want %q", c.rules, c.in, got, c.want)
		}
	}
}

// Derived fields: rule 10 of the rows that trunklog makes, and the times of failed calls in Graph.
// Settle assumes a missing start.
func TestDerive(t *testing.T) {
	at := func(s int) time.Time {
		if s == 0 {
			return time.Time{}
		}
		return time.Date(2026, 11, 1, 0, 0, 0, s*100_000_000, time.UTC)
	}
	type times struct{ invite, start, failure, end int }
	const all = 1<<call.FieldInvite | 1<<call.FieldStart | 1<<call.FieldEnd
	for _, c := range []struct {
		what       string
		mapped     fieldSet // besides invite
		said       fieldSet
		in         times
		seconds    int32
		successful bool
		want       times
		duration   int32
		success    bool
	}{
		{"answered", all, all, times{10, 50, 0, 99}, 0, false, times{10, 50, 0, 99}, 4, true},
		{"not answered", all, all, times{10, 0, 0, 99}, 0, false, times{10, 0, 99, 0}, 0, false},
		{"not answered, one time", all, all, times{0, 0, 0, 99}, 0, false, times{0, 0, 99, 0}, 0, false},
		{"says failed", all, all | 1<<call.FieldSuccessful, times{10, 50, 0, 99}, 0, false, times{10, 50, 99, 0}, 0, false},
		{"says successful", all, all | 1<<call.FieldSuccessful, times{10, 50, 0, 99}, 0, true, times{10, 50, 0, 99}, 4, true},
		{"duration said", all | 1<<call.FieldDuration, all | 1<<call.FieldDuration, times{10, 50, 0, 99}, 7, false, times{10, 50, 0, 99}, 7, true},
		{"no end, but a duration", 1<<call.FieldStart | 1<<call.FieldDuration, 1<<call.FieldStart | 1<<call.FieldDuration, times{0, 50, 0, 0}, 7, false, times{0, 50, 0, 120}, 7, true},
		{"no start, but a duration", 1<<call.FieldEnd | 1<<call.FieldDuration, 1<<call.FieldEnd | 1<<call.FieldDuration, times{0, 0, 0, 99}, 7, false, times{0, 29, 0, 99}, 7, true},
		{"failure time", all | 1<<call.FieldFailure, all | 1<<call.FieldFailure, times{10, 50, 60, 0}, 0, false, times{10, 50, 60, 0}, 0, false},
		{"ends before it starts", all, all, times{10, 50, 0, 20}, 0, false, times{10, 50, 0, 20}, 0, true},
	} {
		b := &binding{input: &input{tableMap: &tableMap{}}}
		for f := range call.NumFields {
			b.mapped[f] = c.mapped.has(f)
		}
		r := call.Row{Invite: at(c.in.invite), Start: at(c.in.start), Failure: at(c.in.failure), End: at(c.in.end), Duration: c.seconds, Successful: c.successful}
		b.derive(&r, c.said)
		want := call.Row{Invite: at(c.want.invite), Start: at(c.want.start), Failure: at(c.want.failure), End: at(c.want.end), Duration: c.duration, Successful: c.success}
		if !r.Equal(&want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.what, r, want)
		}
	}
}

// Durations as switches, spreadsheets and people write them.
func TestDurations(t *testing.T) {
	for _, c := range []struct {
		in, unit string
		want     int32 // -1 is an error
	}{
		{"490", "", 490},
		{"61.9", "", 61},
		{"61,9", "", 61},
		{"1,234", "", -1}, // of thousands, or of a second?
		{"490000", "ms", 490},
		{"490999.9", "ms", 490},
		{"490000000", "us", 490},
		{"1.5", "min", 90},
		{"2", "h", 7200},
		{"00:08:10", "", 490},
		{"0:08:10", "ms", 490},
		{"1:00:00.999", "", 3600},
		{"100:00:01", "", 360001},
		{"1.02:03:04", "", 93784},
		{"1 day, 2:03:04", "", 93784},
		{"2 days 00:00:01.5", "", 172801},
		{"8:10.5", "", 490},
		{"8:10", "", -1}, // minutes, or hours?
		{"8:10", "m:s", 490},
		{"75:00", "m:s", 4500},
		{"0:05", "h:m", 300},
		{"0:61:00", "", -1},
		{"0:00:61", "", -1},
		{"PT1H2M3S", "", 3723},
		{"PT0.5S", "", 0},
		{"P1DT1S", "", 86401},
		{"PT", "", -1},
		{"P", "", -1},
		{"P1Y", "", -1},
		{"1h 2m 3s", "", 3723},
		{"1h02m", "", 3720},
		{"1 hour, 2 min. 3 sec", "", 3723},
		{"90s", "", 90},
		{"250ms", "", 0},
		{"1500 ms", "", 1},
		{"5 parsecs", "", -1},
		{"-5", "", -1},
		{"-0:00:05", "", -1},
		{"1e3", "", 1000},
		{"99999999999", "", -1},
		{"99999999999d 99999999999d", "", -1},
		{"20000d 20000d", "", -1},
		{"99999.999999:00:00", "", -1},
		{"NaN", "", -1},
		{"long", "", -1},
	} {
		f := fieldMap{field: call.FieldDuration, unit: c.unit}
		got, err := f.number(c.in)
		if (err != nil) != (c.want < 0) || err == nil && got != c.want {
			t.Errorf("%q in %q = %d, %v; want %d", c.in, c.unit, got, err, c.want)
		}
	}
}

// The hour that comes twice in autumn: the other times and the duration decide, or else the first
// moment stands. All times are of Berlin, on 2026-10-25.
func TestTheHourThatComesTwice(t *testing.T) {
	for _, c := range []struct {
		name string
		zone string
		in   string // invite, start, end, failure, duration
		want string // the same in UTC
	}{
		{"before it", "Europe/Berlin", "01:59:40 01:59:50 02:00:10", "23:59:40 23:59:50 00:00:10"},
		{"the clock goes back within the call", "Europe/Berlin", "02:59:40 02:59:50 02:00:10", "00:59:40 00:59:50 01:00:10"},
		{"nothing tells", "Europe/Berlin", "02:30:00 02:30:05 02:31:05", "00:30:00 00:30:05 00:31:05"},
		{"the duration tells an hour more", "Europe/Berlin", "02:10:00 02:10:00 02:20:00 - 4200", "00:10:00 00:10:00 01:20:00"},
		{"the duration tells the second", "Europe/Berlin", "02:20:00 02:20:10 03:10:10 - 3000", "01:20:00 01:20:10 02:10:10"},
		{"the duration tells the first", "Europe/Berlin", "02:20:00 02:20:10 03:10:10 - 6600", "00:20:00 00:20:10 02:10:10"},
		{"out of it, and nothing tells", "Europe/Berlin", "- 02:20:10 03:10:10", "- 00:20:10 02:10:10"},
		{"into it, with the duration", "Europe/Berlin", "01:50:00 01:50:00 02:30:00 - 6000", "23:50:00 23:50:00 01:30:00"},
		{"it rings while the clock goes back", "Europe/Berlin", "02:59:50 02:00:05 02:00:20", "00:59:50 01:00:05 01:00:20"},
		{"not answered", "Europe/Berlin", "02:59:50 - - 02:00:05", "00:59:50 - - 01:00:05"},
		{"not answered, and nothing tells", "Europe/Berlin", "02:10:00 - - 02:10:30", "00:10:00 - - 00:10:30"},
		{"America", "America/New_York", "01:59:40 01:59:50 01:00:10", "05:59:40 05:59:50 06:00:10"},
		{"half an hour", "Australia/Lord_Howe", "01:59:50 01:59:55 01:30:05", "14:59:50 14:59:55 15:00:05"},
	} {
		day := map[string]string{"America/New_York": "2026-11-01 ", "Australia/Lord_Howe": "2026-04-05 "}[c.zone]
		if day == "" {
			day = "2026-10-25 "
		}
		d, err := Open([]byte("times: {layouts: ['%F %T', '%F -'], zone: "+c.zone+"}\nfields: {inviteDateTime: a, startDateTime: b, endDateTime: c, failureDateTime: d, duration: e}"), nil)
		if err != nil {
			t.Fatal(err)
		}
		in := strings.Fields(c.in)
		for i := range in {
			if in[i] == "-" {
				in[i] = ""
			} else if i < 4 {
				in[i] = day + in[i]
			}
		}
		in = append(in, "", "", "")[:5]
		for e, err := range d(strings.NewReader("a,b,c,d,e\n" + strings.Join(in, ",") + "\n")) {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			for i, want := range strings.Fields(c.want) {
				f := []call.Field{call.FieldInvite, call.FieldStart, call.FieldEnd, call.FieldFailure}[i]
				if got := e.Row.Time(f); want != "-" && got.Format(time.TimeOnly) != want {
					t.Errorf("%s: %s is %s, want %s", c.name, f, got.Format(time.TimeOnly), want)
				}
			}
		}
	}
}

// A call does not end before it begins; in a table exact to the second, one may seem to.
func TestEndsBeforeItBegins(t *testing.T) {
	for _, c := range []struct{ start, end, want string }{
		{"2026-07-01 10:00:05", "2026-07-01 10:00:04", "is before startDateTime"},
		{"2026-07-01 10:00:05.7", "2026-07-01 10:00:05", "2026-07-01T08:00:05.7Z"},
		{"2026-07-01 10:00:05.7", "2026-07-01 10:00:05.6", "is before startDateTime"},
		{"2026-03-29 02:30:00", "2026-03-29 03:00:00", "the hour is skipped in spring"},
	} {
		d, err := Open([]byte("times: {layouts: ['%F %T'], zone: Europe/Berlin}\nfields: {startDateTime: a, endDateTime: b}"), nil)
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range d(strings.NewReader("a,b\n" + c.start + "," + c.end + "\n")) {
			got := e.Row.End.Format(time.RFC3339Nano)
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, c.want) || (err == nil) != strings.HasPrefix(c.want, "2026") {
				t.Errorf("%s to %s: %s, want %s", c.start, c.end, got, c.want)
			}
		}
	}
}

// What Go writes by its own layouts is read by directives, whatever the time.
func TestLikeGo(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 3))
	for _, c := range []struct{ layout, form string }{
		{"%Y-%m-%d %H:%M:%S.%f", "2006-01-02 15:04:05.000000"},
		{"%Y%m%d%H%M%S", "20060102150405"},
		{"%d/%b/%Y:%T %z", "02/Jan/2006:15:04:05 -0700"},
		{"%A, %e %B %y, %r", "Monday, _2 January 06, 03:04:05 PM"},
		{"%a %b %d %T %Z %Y", "Mon Jan  2 15:04:05 MST 2006"},
		{"%D %l:%M:%S %P %z", "01/02/06 3:04:05 pm Z07:00"},
		{"%FT%TZ", "2006-01-02T15:04:05.999999999Z07:00"},
	} {
		l, err := parseLayout(c.layout)
		if err != nil {
			t.Fatal(err)
		}
		for range scale(300) {
			want := time.Unix(rnd.Int64N(1_700_000_000), rnd.Int64N(1e9)).UTC()
			text := want.Format(c.form)
			// Go has lost what the form does not show.
			if want, err = time.Parse(c.form, text); err != nil {
				t.Fatal(err)
			}
			r, ok := l.read(text)
			m, err := r.in(time.UTC)
			if !ok || err != nil || !m.first.Equal(want) {
				t.Fatalf("seed %d: %q by %q = %v, %v; want %v", seed, text, c.layout, m.first, err, want)
			}
		}
	}
}
