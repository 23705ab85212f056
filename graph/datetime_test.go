package graph

import (
	"strings"
	"testing"
	"time"
)

const graphWords = "should be in format 'yyyy-mm-ddThh:mm:ss('.'s+)?(zzzzzz)?' and each field value is within valid range."

func TestParseDateTime(t *testing.T) {
	for _, c := range []struct {
		in     string
		want   string // RFC 3339, or the end of the error
		strict bool   // strict mode reads it too, as Microsoft does
	}{
		// Texts of the reference page, of scripts and of people.
		{"2019-11-01", "2019-11-01T00:00:00Z", true},
		{"2022-01-18T06:00:00Z", "2022-01-18T06:00:00Z", true},
		{"2022-01-18T06:00:00.123Z", "2022-01-18T06:00:00.123Z", true},
		{"2022-01-18T06:00:48.7950838Z", "2022-01-18T06:00:48.7950838Z", true},
		{"2022-01-18T06:00:07.07Z", "2022-01-18T06:00:07.07Z", true},
		{"2023-1-5", "2023-01-05T00:00:00Z", false},
		{"2023-1-15T6:5:4Z", "2023-01-15T06:05:04Z", false},
		// Go: RFC 3339 in the caller's zone.
		{"2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05Z", true},
		{"2024-01-02T03:04:05-09:30", "2024-01-02T12:34:05Z", true},
		// .NET: seven digits and a numeric offset.
		{"2024-01-02T03:04:05.6789000+00:00", "2024-01-02T03:04:05.6789Z", true},
		// Java: 0 to 9 digits; seconds left out by toString.
		{"2024-01-02T03:04:05.678912345Z", "2024-01-02T03:04:05.6789124Z", true},
		{"2024-01-02T03:04:05.67891230Z", "2024-01-02T03:04:05.6789123Z", true},
		{"2024-01-02T03:04:59.99999991Z", "2024-01-02T03:05:00Z", true},
		{"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.9999999Z", true},
		{"2022-08-01T00:00Z", "2022-08-01T00:00:00Z", true},
		{"2022-08-01T10:30+02:00", "2022-08-01T08:30:00Z", true},
		{"2022-08-01T10:30-00:30", "2022-08-01T11:00:00Z", true},
		{"2022-08-01T10:30 02:00", "2022-08-01T08:30:00Z", false},
		// Python: isoformat, and str(datetime) of early versions.
		{"2024-01-02T03:04:05.678900+02:00", "2024-01-02T01:04:05.6789Z", true},
		{"2024-01-02 03:04:05.678900+02:00", "2024-01-02T01:04:05.6789Z", false},
		{"2024-01-02 03:04:05", "2024-01-02T03:04:05Z", false},
		// TypeScript.
		{"2024-01-02T03:04:05.678Z", "2024-01-02T03:04:05.678Z", true},
		// Quoted, no zone, a plus that became a space.
		{"'2019-11-01'", "2019-11-01T00:00:00Z", false},
		{"'2019-11-01T00:00:00+01:00'", "2019-10-31T23:00:00Z", false},
		{"2026-07-01T00:00:00", "2026-07-01T00:00:00Z", false},
		{"2026-07-01T00:00", "2026-07-01T00:00:00Z", false},
		{"2026-07-01T00:00:00 02:00", "2026-06-30T22:00:00Z", false},
		{"2026-07-01T00:00:00 Z", "2026-07-01T00:00:00Z", false},
		{"2026-07-01t00:00:00z", "2026-07-01T00:00:00Z", false},
		{"2026-07-01T00:00:00+0200", "2026-06-30T22:00:00Z", false},
		{"2026-07-01T00:00:00-02", "2026-07-01T02:00:00Z", false},
		{" 2026-07-01 ", "2026-07-01T00:00:00Z", false},
		// The ends.
		{"0001-01-01", "0001-01-01T00:00:00Z", true},
		{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", true},
		{"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.9999999Z", true},
		{"2024-02-29", "2024-02-29T00:00:00Z", true},
		{"2024-01-01T00:00:00+14:00", "2023-12-31T10:00:00Z", true},
		{"2024-01-01T00:00:00-00:00", "2024-01-01T00:00:00Z", true},

		// Texts that are no time at all.
		{"2016-12-31T23:59:60Z", "The second is 60, and 0 to 59 are possible.", false},
		{"2023-13-01", "The month is 13, and 1 to 12 are possible.", false},
		{"2023-00-01", "The month is 0, and 1 to 12 are possible.", false},
		{"2023-01-00", "The day is 0, and 1 to 31 are possible.", false},
		{"2023-02-29", "The month 2 of the year 2023 has no day 29.", false},
		{"2023-01-01T24:00:00Z", "The hour is 24, and 0 to 23 are possible.", false},
		{"2023-01-01T00:60:00Z", "The minute is 60, and 0 to 59 are possible.", false},
		{"0000-01-01", "The year is 0, and 1 to 9999 are possible.", false},
		{"10000-01-01", "The year has 4 digits, not 5.", false},
		{"-2019-11-01", "The year has 4 digits, not 0.", false},
		{"19-11-01", "The year has 4 digits, not 2.", false},
		{"0001-01-01T00:00:00+01:00", "With its offset it is not in the years 1 to 9999.", false},
		{"9999-12-31T23:59:59-01:00", "With its offset it is not in the years 1 to 9999.", false},
		{"2024-01-01T00:00:00+15:00", "The offset's hour is 15, and 0 to 14 are possible.", false},
		{"2024-01-01T00:00:00+14:01", "The offset is more than 14 hours.", false},
		{"2024-01-01T00:00:00+2", "The offset's hour has 2 digits, not 1.", false},
		{"2024-01-01T00:00:00+02:", "The offset's minute has 2 digits, not 0.", false},
		{"2024-01-01T00:00:00+02:60", "The offset's minute is 60, and 0 to 59 are possible.", false},
		{"2024-01-01T00:00:00+020", "The offset's hour has 2 digits, not 3.", false},
		{"2024-01-01T00:00:00 +02:00", "The offset is not clear.", false},
		{"2024-01-01T00:00:00+02:00x", "Behind the offset comes nothing more, not 'x'.", false},
		{"2024-01-01T00:00:00.Z", "The second has 0 fraction digits, and 1 to 9 are possible.", false},
		{"2024-01-01T00:00:00.1234567890Z", "The second has 10 fraction digits, and 1 to 9 are possible.", false},
		{"2024-01-01T00:00.5Z", "Behind the time comes 'Z' or an offset such as '+01:00', not '.5Z'.", false},
		{"2024-01-01T00:00:00,5Z", "Behind the time comes 'Z' or an offset such as '+01:00', not ',5Z'.", false},
		{"2024-01-01T", "The hour has 1 or 2 digits, not 0.", false},
		{"2024-01-01TZ", "The hour has 1 or 2 digits, not 0.", false},
		{"2024-01-01T10", "Behind the hour comes ':'.", false},
		{"2024-01-01Z", "Behind the date comes 'T' and the time, not 'Z'.", false},
		{"2024-01", "Behind the month comes '-'.", false},
		{"20240101", "The year has 4 digits, not 8.", false},
		{"01/11/2019", "The year has 4 digits, not 2.", false},
		{"yesterday", "The year has 4 digits, not 0.", false},
		{"{fromDateTime}", "It looks like the name of a variable in the place of its value.", false},
		{"$from", "It looks like the name of a variable in the place of its value.", false},
		{"<start>", "It looks like the name of a variable in the place of its value.", false},
		{"2019-11-01T00%3A00", "It is escaped twice.", false},
		{"'2019-11-01", "Leave the quotes out.", false},
		{"\"2019-11-01\"", "Leave the quotes out.", false},
		{"’2019-11-01’", "Leave the quotes out.", false},
		{"''", "There is nothing in it: a variable may be empty.", false},
		{"２０１９-11-01", "The year has 4 digits, not 0.", false},
		{"2019-11-01\x00", "Behind the date comes 'T' and the time, not '\x00'.", false},
	} {
		got, err := parseDateTime(c.in)
		switch {
		case strings.HasSuffix(c.want, "."):
			want := "The DateTimeOffset text '" + c.in + "' " + graphWords + " " + c.want + " Write 2019-11-01 or 2019-11-01T00:00:00Z."
			if err == nil || err.Error() != want {
				t.Errorf("%q: %v, error %v, want %s", c.in, got, err, want)
			}
		case err != nil:
			t.Errorf("%q: %v", c.in, err)
		case got.Format(time.RFC3339Nano) != c.want:
			t.Errorf("%q is %s, want %s", c.in, got.Format(time.RFC3339Nano), c.want)
		}
		strict, err := parseDateTimeStrict(c.in)
		if c.strict {
			if err != nil || !strict.Equal(got) {
				t.Errorf("%q in strict mode: %v, error %v", c.in, strict, err)
			}
			continue
		}
		want := "The DateTimeOffset text '" + c.in + "' " + graphWords
		if strings.HasPrefix(c.in, "'") {
			want = "Expression of type 'Edm.String' cannot be converted to type 'Edm.DateTimeOffset'."
		}
		if err == nil || err.Error() != want {
			t.Errorf("%q in strict mode: %v, error %v, want %s", c.in, strict, err, want)
		}
	}
}

func TestDateFaultIsShort(t *testing.T) {
	_, err := parseDateTime(strings.Repeat("ä", 5000))
	if err == nil || len(err.Error()) > 400 {
		t.Errorf("%v", err)
	}
}

// FuzzParseDateTime: a time survives being written and parsed again, and parseDateTime reads every
// text that strict mode reads.
func FuzzParseDateTime(f *testing.F) {
	for _, s := range []string{"2019-11-01", "'2023-1-5'", "2024-01-02 03:04:05.678900+02:00", "2022-08-01T00:00Z", "2016-12-31T23:59:60Z", "10000-01-01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseDateTime(s)
		strict, strictErr := parseDateTimeStrict(s)
		if err != nil {
			if strictErr == nil {
				t.Fatalf("%q is only read in strict mode", s)
			}
			return
		}
		if strictErr == nil && !strict.Equal(got) {
			t.Fatalf("%q is %v, in strict mode %v", s, got, strict)
		}
		if y := got.Year(); y < 1 || y > 9999 || got.Nanosecond()%100 != 0 || got.Location() != time.UTC {
			t.Fatalf("%q is %v", s, got)
		}
		again, err := parseDateTimeStrict(got.Format("2006-01-02T15:04:05.9999999Z07:00"))
		if err != nil || !again.Equal(got) {
			t.Fatalf("%q is %v, written and read again %v, error %v", s, got, again, err)
		}
	})
}
