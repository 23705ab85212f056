package csv

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// units are the units of a duration, by their names in a map and behind a number. The two with a
// colon say how to read 5:30.
var units = map[string]time.Duration{
	"us": time.Microsecond, "µs": time.Microsecond, "μs": time.Microsecond,
	"ms": time.Millisecond, "msec": time.Millisecond,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
}

// unitNames are the units that a map may name.
var unitNames = []string{"us", "ms", "s", "min", "h", "m:s", "h:m"}

var (
	// clockForm is [D.|D day[s][,] ]H:MM[:SS[.fff]].
	clockForm = regexp.MustCompile(`^(?:([0-9]{1,5})(?:\.| days?,? ))?([0-9]{1,6}):([0-9]{2})(?::([0-9]{2}))?([.,][0-9]+)?$`)
	isoForm   = regexp.MustCompile(`^P(?:[0-9.,]+D)?(?:T(?:[0-9.,]+H)?(?:[0-9.,]+M)?(?:[0-9.,]+S)?)?$`)
	wordForm  = regexp.MustCompile(`^([0-9]+(?:[.,][0-9]+)?) ?([a-zµμ]+)\.?,? *`)
)

// parseDuration reads a duration: a number in the given unit, by default seconds; H:MM:SS, as
// people and spreadsheets write it; 1h 2m 3s; ISO 8601.
func parseDuration(s, unit string) (time.Duration, error) {
	if m := clockForm.FindStringSubmatch(s); m != nil {
		return clockDuration(m, unit)
	}
	if len(s) > 2 && isoForm.MatchString(s) && isDigit(s[len(s)-2]) {
		return wordDuration(strings.ToLower(strings.NewReplacer("P", "", "T", "").Replace(s)))
	}
	each := time.Second
	if u, ok := units[unit]; ok {
		each = u
	}
	if whole, part, comma := strings.Cut(s, ","); comma && len(part) == 3 && !strings.Contains(whole, ".") {
		return 0, fmt.Errorf("can be thousands, or a fraction of three digits: write it without the comma, or with a point")
	}
	if x, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64); err == nil {
		return scaled(x, each)
	}
	return wordDuration(strings.ToLower(s))
}

// clockDuration makes a duration of the parts of clockForm.
func clockDuration(m []string, unit string) (time.Duration, error) {
	var n [5]float64
	for i := 1; i <= 4; i++ {
		n[i], _ = strconv.ParseFloat(m[i], 64) // digits, or nothing
	}
	days, hours, minutes, seconds := n[1], n[2], n[3], n[4]
	if m[4] == "" { // two parts
		short := unit == "m:s" || unit == "" && m[5] != ""
		switch {
		case m[1] != "" || !short && unit != "h:m":
			return 0, fmt.Errorf("can be minutes and seconds or hours and minutes: say 'unit: m:s' or 'unit: h:m' in the map")
		case short:
			hours, minutes, seconds = 0, hours, minutes
		}
	}
	if seconds > 59 || m[4] != "" && minutes > 59 {
		return 0, fmt.Errorf("has more than 59 minutes or seconds behind a colon")
	}
	part := 0.0
	if m[5] != "" {
		part, _ = strconv.ParseFloat("0."+m[5][1:], 64) // digits
	}
	return scaled(((days*24+hours)*60+minutes)*60+seconds+part, time.Second)
}

// wordDuration reads a sequence of numbers with units.
func wordDuration(s string) (sum time.Duration, err error) {
	for s != "" {
		m := wordForm.FindStringSubmatch(s)
		if m == nil {
			return 0, errNoDuration
		}
		each, ok := units[m[2]]
		if !ok {
			return 0, errNoDuration
		}
		x, err := strconv.ParseFloat(strings.Replace(m[1], ",", ".", 1), 64)
		if err != nil {
			return 0, errNoDuration
		}
		d, err := scaled(x, each)
		if err != nil {
			return 0, err
		}
		if sum += d; sum > math.MaxInt32*time.Second {
			return 0, errTooLong
		}
		s = s[len(m[0]):]
	}
	return sum, nil
}

var (
	errNoDuration = errors.New("is no duration such as 490, 0:08:10, 8m 10s or PT8M10S")
	errTooLong    = errors.New("is longer than any call lasts")
)

// scaled returns x times a unit, if a call can last that long: 32 bits of seconds.
func scaled(x float64, each time.Duration) (time.Duration, error) {
	switch ns := x * float64(each); {
	case math.IsNaN(ns):
		return 0, errNoDuration
	case ns < 0:
		return 0, fmt.Errorf("is less than nothing")
	case ns > math.MaxInt32*float64(time.Second):
		return 0, errTooLong
	default:
		return time.Duration(ns), nil
	}
}
