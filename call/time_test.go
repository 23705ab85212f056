package call

import (
	"errors"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	at := func(h, m, s, ns int) time.Time { return time.Date(2019, 11, 1, h, m, s, ns, time.UTC) }
	for _, c := range []struct {
		in   string
		want time.Time
	}{
		{"", time.Time{}},
		{"2019-11-01T00:00:25Z", at(0, 0, 25, 0)},
		{"2019-11-01T00:00:25.1Z", at(0, 0, 25, 100_000_000)},
		{"2019-11-01T00:00:25.105Z", at(0, 0, 25, 105_000_000)},
		{"2019-11-01T00:00:25.7950838Z", at(0, 0, 25, 795_083_800)},
		{"2019-11-01T00:00:25.123456789Z", at(0, 0, 25, 123_456_789)},
		{"2019-11-01T01:00:25.105+01:00", at(0, 0, 25, 105_000_000)},
		{"2019-10-31T18:30:25-0530", at(0, 0, 25, 0)},
		{"2019-11-01t00:00:25z", at(0, 0, 25, 0)},
		{"2019-11-01 00:00:25.105", at(0, 0, 25, 105_000_000)},
		{"2019-11-01T00:00:25", at(0, 0, 25, 0)},
		{"2019-11-01 01:00:25.105+01", at(0, 0, 25, 105_000_000)},
		{"2019-10-31 21:00:25-03", at(0, 0, 25, 0)},
		{"2019-11-01T00:00:25,105Z", at(0, 0, 25, 105_000_000)},
		{"/Date(1572566425105)/", at(0, 0, 25, 105_000_000)},
		{"/Date(1572566425105+0100)/", at(0, 0, 25, 105_000_000)},
		{"/Date(-1)/", time.Date(1969, 12, 31, 23, 59, 59, 999_000_000, time.UTC)},
		{"/Date(-62135596800000)/", time.Time{}},
		{"0001-01-01T00:00:00Z", time.Time{}},
		{"0001-01-01T00:00:00+14:00", time.Time{}},
		{"0001-01-01T00:00:00-08:00", time.Time{}},
		{"1970-01-01T00:00:00Z", time.Time{}},
		{"1970-01-01 00:00:00.000", time.Time{}},
		{"1970-01-01T01:00:00+01:00", time.Time{}},
		{"1970-01-01T00:00:00-05:00", time.Time{}},
		{"/Date(0)/", time.Time{}},
		{"1970-01-01T00:00:00.001Z", time.Date(1970, 1, 1, 0, 0, 0, 1_000_000, time.UTC)},
		{"0001-01-01T00:00:00.0000001Z", time.Date(1, 1, 1, 0, 0, 0, 100, time.UTC)},
		{"9999-12-31T23:59:59.9999999Z", time.Date(9999, 12, 31, 23, 59, 59, 999_999_900, time.UTC)},
		{"2024-02-29T23:59:59Z", time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC)},
	} {
		got, err := ParseTime(c.in)
		if err != nil || !got.Equal(c.want) || got.Location() != time.UTC {
			t.Errorf("ParseTime(%q) = %v, %v; want %v", c.in, got, err, c.want)
		}
	}
}

func TestParseTimeRefuses(t *testing.T) {
	for _, s := range []string{
		"2019-11-01", "2019-11-01T00:00", "2019-13-01T00:00:00Z", "2019-02-30T00:00:00Z", "2019-11-00T00:00:00Z",
		"2019-11-01T24:00:00Z", "2019-11-01T00:60:00Z", "2019-11-01T00:00:60Z", "2019-11-01T00:00:25.Z",
		"2019-11-01T00:00:25.1234567890Z", "2019-11-01T00:00:25+1:00", "2019-11-01T00:00:25+1", "2019-11-01T00:00:25+24", "2019-11-01T00:00:25,Z", "2019-11-01T00:00:25+24:00", "2019-11-01T00:00:25ZZ",
		"2019-11-01X00:00:25Z", "2019/11/01 00:00:25", "11/01/2019 00:00:25", "0000-01-01T00:00:00Z",
		"9999-12-31T23:59:59-01:00", "2o19-11-01T00:00:25Z", "/Date()/", "/Date(1)", "/Date(x)/", "/Date(1+99:99)/",
		"/Date(99999999999999999)/", " 2019-11-01T00:00:25Z",
	} {
		if got, err := ParseTime(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("ParseTime(%q) = %v, %v; want an error", s, got, err)
		}
	}
}

// What the standard library reads as RFC 3339 must come out the same.
func FuzzParseTime(f *testing.F) {
	f.Add("2019-11-01T00:00:25.105Z")
	f.Add("2019-11-01T00:00:25.7950838+05:30")
	f.Add("/Date(1572566425105)/")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseTime(s)
		if err == nil && !got.IsZero() && (got.Year() < 1 || got.Year() > 9999) {
			t.Fatalf("ParseTime(%q) is in the year %d", s, got.Year())
		}
		want, wantErr := time.Parse(time.RFC3339, s)
		if wantErr != nil || want.UTC().Year() < 1 || want.UTC().Year() > 9999 {
			return
		}
		// time.Parse takes more than 9 digits.
		if err == nil && !got.IsZero() && !got.Equal(want) {
			t.Fatalf("ParseTime(%q) = %v; time.Parse gives %v", s, got, want)
		}
	})
}

func BenchmarkParseTime(b *testing.B) {
	text := []byte("2019-11-01T00:00:25.105Z")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseTime(string(text)); err != nil {
			b.Fatal(err)
		}
	}
}
