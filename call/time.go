package call

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseTime reads a date-time in any of the forms in which Graph, its clients and vendors write one
// into a record:
//
//	2019-11-01T00:00:25.105Z       RFC 3339 with 0 to 9 fraction digits
//	2019-11-01T00:00:25.105+01:00  with any offset; of hours only, as PostgreSQL
//	2019-11-01 00:00:25,105        a space for T, a comma for the point; no zone is UTC
//	/Date(1572566425105)/          milliseconds since 1970, as PowerShell 5.1
//
// The result is in UTC. Midnight of 0001-01-01 and of 1970-01-01, in any zone, is how .NET and Unix
// write "never": it gives the zero time, and so does the empty string. The error wraps [ErrInvalid]
// and names the text.
func ParseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, ok := parseRFC3339(s)
	if !ok {
		t, ok = parseDateCall(s)
	}
	if !ok || t.Year() < 1 || t.Year() > 9999 {
		// The clone keeps s from escaping, so that a caller with bytes can
		// call ParseTime(string(b)) without an allocation.
		return time.Time{}, fmt.Errorf("%w: %q is not a date-time such as 2019-11-01T00:00:25.105Z", ErrInvalid, strings.Clone(s[:min(len(s), 40)]))
	}
	if IsNever(t) {
		return time.Time{}, nil
	}
	return t, nil
}

// IsNever reports whether t is how .NET (midnight of 0001-01-01) or Unix (midnight of 1970-01-01)
// writes that there is no time. For a time with a zone, the caller also passes the clock's reading
// taken as UTC.
func IsNever(t time.Time) bool { return t.IsZero() || t.Unix() == 0 && t.Nanosecond() == 0 }

const dateTimeLen = len("2019-11-01T00:00:25")

// parseRFC3339 parses its forms by hand, because an import spends a good part of its time here and
// time.Parse takes four times as long.
func parseRFC3339(s string) (t time.Time, ok bool) {
	if len(s) < dateTimeLen || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' {
		return t, false
	}
	if s[10] != 'T' && s[10] != 't' && s[10] != ' ' {
		return t, false
	}
	year := digits(s[0:2])*100 + digits(s[2:4])
	month, day := digits(s[5:7]), digits(s[8:10])
	hour, minute, second := digits(s[11:13]), digits(s[14:16]), digits(s[17:19])
	if year < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return t, false
	}
	nanos, rest, ok := parseFraction(s[dateTimeLen:])
	if !ok {
		return t, false
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return t, false
	}
	t = time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if t.Day() != day {
		return time.Time{}, false // such as 30 February
	}
	if IsNever(t) {
		return time.Time{}, true
	}
	return t.Add(-offset), true
}

// digits returns the number that two digits stand for, or one far below zero.
func digits(s string) int {
	if !isDigit(s[0]) || !isDigit(s[1]) {
		return -100_000
	}
	return int(s[0]-'0')*10 + int(s[1]-'0')
}

// parseFraction reads "", or a point or comma and 1 to 9 digits, at the beginning of s.
func parseFraction(s string) (nanos int, rest string, ok bool) {
	if s == "" || s[0] != '.' && s[0] != ',' {
		return 0, s, true
	}
	unit := 100_000_000
	i := 1
	for ; i < len(s) && isDigit(s[i]); i++ {
		nanos += int(s[i]-'0') * unit
		unit /= 10
	}
	return nanos, s[i:], i > 1 && i <= 10
}

// parseOffset reads "", "Z" or a distance from UTC such as "+01:00", "+0100" or
// "+01".
func parseOffset(s string) (time.Duration, bool) {
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	switch {
	case len(s) == len("+01:00") && s[3] == ':':
		s = s[:3] + s[4:]
	case len(s) == len("+01"):
		s += "00"
	}
	if len(s) != len("+0100") || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	hours, minutes := digits(s[1:3]), digits(s[3:5])
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		d = -d
	}
	return d, true
}

// parseDateCall reads "/Date(1572566425105)/". An offset before the closing
// parenthesis says in which zone the time was shown, not another time.
func parseDateCall(s string) (t time.Time, ok bool) {
	s, ok = strings.CutPrefix(s, "/Date(")
	if !ok {
		return t, false
	}
	s, ok = strings.CutSuffix(s, ")/")
	if !ok {
		return t, false
	}
	if n := len(s) - len("+0100"); n > 0 && (s[n] == '+' || s[n] == '-') {
		if _, ok := parseOffset(s[n:]); !ok {
			return t, false
		}
		s = s[:n]
	}
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return t, false
	}
	return time.UnixMilli(ms).UTC(), true
}
