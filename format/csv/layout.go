package csv

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A layout is a way to write a time: as seconds since 1970 or parts of them,
// as RFC 3339 and its relatives, or by the directives of strftime.
type layout struct {
	unit  time.Duration // of a number since 1970; 0 for others
	forms []string      // for time.Parse, to be tried in turn; none for RFC 3339
}

var defaultLayout = layout{}

func parseLayout(s string) (layout, error) {
	switch s {
	case "rfc3339":
		return layout{}, nil
	case "unix":
		return layout{unit: time.Second}, nil
	case "unix-ms":
		return layout{unit: time.Millisecond}, nil
	case "unix-us":
		return layout{unit: time.Microsecond}, nil
	}
	if !strings.Contains(s, "%") {
		return layout{}, fmt.Errorf("%w: layout %q is neither rfc3339, unix, unix-ms or unix-us, nor does it have directives such as %%Y-%%m-%%d %%H:%%M:%%S", call.ErrInvalid, s)
	}
	return parseDirectives(s)
}

// parseDirectives translates the directives of strftime (POSIX) with which
// records of calls are written; %f, a fraction of a second, is Python's.
// Unpadded numbers are understood, too.
func parseDirectives(s string) (layout, error) {
	bad := func(format string, args ...any) (layout, error) {
		return layout{}, fmt.Errorf("%w: layout %q: %s", call.ErrInvalid, s, fmt.Sprintf(format, args...))
	}
	var form strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == 'Z':
			form.WriteString(zoneForm)
			continue
		case c != '%':
			// Digits and some words would mean something to time.Parse.
			if !strings.ContainsRune(" -/:.,;T@_()'[]", rune(c)) {
				return bad("%q cannot stand between directives", c)
			}
			form.WriteByte(c)
			continue
		}
		i++
		if i == len(s) {
			return bad("it ends with %%")
		}
		word := directive(s[i])
		switch {
		case word == "":
			return bad("directive %%%c is not known", s[i])
		case s[i] == 'f' && (i < 2 || s[i-2] != '.' && s[i-2] != ','):
			return bad("%%f stands behind a point or a comma only")
		}
		form.WriteString(word)
	}
	forms := []string{form.String()}
	if strings.Contains(forms[0], zoneForm) {
		forms = append(forms, strings.ReplaceAll(forms[0], zoneForm, "Z07:00"))
	}
	return layout{forms: forms}, nil
}

// zoneForm stands for Z or a distance from UTC.
const zoneForm = "Z0700"

// directive returns what time.Parse calls a directive of strftime.
func directive(c byte) string {
	switch c {
	case 'Y':
		return "2006"
	case 'y':
		return "06"
	case 'm':
		return "1"
	case 'd':
		return "2"
	case 'e':
		return "_2"
	case 'H':
		return "15"
	case 'I':
		return "3"
	case 'M':
		return "4"
	case 'S':
		return "5"
	case 'f':
		return "999999999"
	case 'p':
		return "PM"
	case 'b':
		return "Jan"
	case 'B':
		return "January"
	case 'a':
		return "Mon"
	case 'A':
		return "Monday"
	case 'z':
		return zoneForm
	case 'Z':
		return "MST"
	case 'F':
		return "2006-1-2"
	case 'T':
		return "15:4:5"
	}
	return ""
}

// parse reads a time. One without a zone is in the given one.
func (l layout) parse(s string, zone *time.Location) (t time.Time, ok bool) {
	switch {
	case l.unit != 0:
		t, ok = sinceEpoch(s, l.unit)
	case len(l.forms) > 0:
		t, ok = parseForms(l.forms, s, zone)
	default:
		var err error
		t, err = call.ParseTime(s)
		if ok = err == nil; ok && !t.IsZero() && !namesZone(s) {
			t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
		}
	}
	if !ok {
		return time.Time{}, false
	}
	t = t.UTC()
	return t, t.Year() >= 1 && t.Year() <= 9999
}

func parseForms(forms []string, s string, zone *time.Location) (t time.Time, ok bool) {
	for _, form := range forms {
		t, err := time.ParseInLocation(form, s, zone)
		if err != nil {
			continue
		}
		// An abbreviation that is not the given zone's is taken for UTC by
		// time.Parse, whatever it is.
		name, offset := t.Zone()
		made := t.Location() != zone && t.Location() != time.UTC && offset == 0
		if made && name != "" && name != "UTC" && name != "GMT" {
			continue
		}
		return t, true
	}
	return t, false
}

// namesZone reports whether a date-time that ParseTime can read says in which
// zone it is.
func namesZone(s string) bool {
	const beforeFraction = len("2019-11-01T00:00:25")
	return strings.HasPrefix(s, "/") || strings.ContainsAny(s[min(len(s), beforeFraction):], "Zz+-")
}

// sinceEpoch reads a number of units since 1970, which may have a fraction.
func sinceEpoch(s string, unit time.Duration) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > math.MaxInt64/int64(unit) || n < math.MinInt64/int64(unit) {
		return time.Time{}, false
	}
	var part float64
	if fraction != "" {
		if part, err = strconv.ParseFloat("0."+fraction, 64); err != nil || strings.Trim(fraction, "0123456789") != "" {
			return time.Time{}, false
		}
	}
	per := int64(time.Second / unit)
	nanos := n % per * int64(unit)
	if part > 0 {
		nanos += int64(math.Round(part * float64(unit)))
	}
	return time.Unix(n/per, nanos).UTC(), true
}

// parseZone reads the name of a time zone, or its distance from UTC.
func parseZone(s string) (*time.Location, error) {
	if t, err := time.Parse("-07:00", s); err == nil {
		_, seconds := t.Zone()
		return time.FixedZone(s, seconds), nil
	}
	if s == "" || strings.EqualFold(s, "local") {
		return nil, fmt.Errorf("%w: the zone of the machine is not the zone of the records", call.ErrInvalid)
	}
	return time.LoadLocation(s)
}
