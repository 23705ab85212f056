package xlsx

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// An epoch is the origin of day numbers: true is 1904, as on old Macs, false is 1900.
type epoch bool

// lastDay is the number of 31 December 9999, the last date.
const lastDay = 2958465

// time returns the time of a number of days, to the millisecond. The count from 1900 gives number
// 60 to a 29 February that 1900 did not have, so that earlier days are one day later than their
// number suggests.
func (e epoch) time(days float64) time.Time {
	first := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case bool(e):
		first = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case days < 60:
		first = first.AddDate(0, 0, 1)
	}
	whole, part := math.Modf(days)
	return first.AddDate(0, 0, int(whole)).Add(milliseconds(part))
}

// milliseconds returns a part of a day, to the millisecond.
func milliseconds(days float64) time.Duration {
	const day = 24 * 60 * 60 * 1000
	return time.Duration(math.Round(days*day)) * time.Millisecond
}

// text returns a cell's number as text.
func (s style) text(v string, e epoch) string {
	x, err := strconv.ParseFloat(v, 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		return v
	}
	switch {
	case s.kind == plain:
		return s.number(x)
	case x < 0, x > lastDay+1:
		return number(x)
	case s.kind == elapsed:
		d := milliseconds(x)
		return fmt.Sprintf("%d:%02d:%02d", d/time.Hour, d/time.Minute%60, d/time.Second%60) + fraction(d)
	case s.kind == clock && x < 1:
		d := milliseconds(x) % (24 * time.Hour)
		return fmt.Sprintf("%02d:%02d:%02d", d/time.Hour, d/time.Minute%60, d/time.Second%60) + fraction(d)
	}
	t := e.time(x)
	if s.kind == date && t.Equal(t.Truncate(24*time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02T15:04:05.999")
}

// fraction returns the decimals of a second, with their point.
func fraction(d time.Duration) string {
	if ms := d / time.Millisecond % 1000; ms != 0 {
		return strings.TrimRight(fmt.Sprintf(".%03d", ms), "0")
	}
	return ""
}

// number returns a number in its format, if that loses no digits.
func (s style) number(x float64) string {
	text := number(x)
	if x < 0 || x != math.Trunc(x) {
		return text
	}
	return s.prefix + strings.Repeat("0", max(0, s.digits-len(text))) + text
}

// number returns a number with all its digits: of whole numbers all, of others the fifteen that
// spreadsheets have.
func number(x float64) string {
	if x != math.Trunc(x) {
		if short, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 15, 64), 64); err == nil {
			x = short
		}
	}
	const large, small = 1e21, 1e-9
	if a := math.Abs(x); a >= large || a > 0 && a < small {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}
