package csv

import (
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
		got, ok := l.parse(c.in, berlin)
		if ok != (c.want != "") || ok && !got.Equal(at(c.want)) {
			t.Errorf("%q by %q = %v, %v; want %q", c.in, c.layout, got, ok, c.want)
		}
	}
	for _, s := range []string{"", "%", "%Q", "2006-01-02", "%Y5", "%YJan", "%S%f", "yesterday"} {
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
		{german, "0", "+49"},
		{american, "01149301234", "+49301234"},
		{american, "2125551234", "2125551234"},
	} {
		if got := c.rules.clean(c.in); got != c.want {
			t.Errorf("%+v: %q becomes %q, want %q", c.rules, c.in, got, c.want)
		}
	}
}

// What follows from what: rule 10 of the rows that we make, and the times that
// Graph gives to calls that failed. A start that nobody tells is for Settle to assume.
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
		b := &binding{tableMap: &tableMap{}}
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
