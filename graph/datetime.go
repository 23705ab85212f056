package graph

import (
	"fmt"
	"strings"
	"time"
)

// A dateFault is the error of a text that is no date and time. The client reads its message.
type dateFault struct {
	text string // what the client wrote
	why  string // which value is wrong; empty in strict mode
	edm  bool   // it was in quotes, which makes it a string in OData
}

// Error returns Microsoft's message, and after it the reason if there is one.
func (e *dateFault) Error() string {
	if e.edm {
		return "Expression of type 'Edm.String' cannot be converted to type 'Edm.DateTimeOffset'."
	}
	s := "The DateTimeOffset text '" + clip(e.text, 64) + "' should be in format 'yyyy-mm-ddThh:mm:ss('.'s+)?(zzzzzz)?' and each field value is within valid range."
	if e.why != "" {
		s += " " + e.why + " Write 2019-11-01 or 2019-11-01T00:00:00Z."
	}
	return s
}

// parseDateTime reads a date, or a date and time, as clients of Graph write it, and returns it in
// UTC. It rounds up to whole 100 ns. Calls start at whole 100 ns, so no call changes sides by that.
// It reads
//
//	2019-11-01                     the beginning of that day in UTC
//	2019-11-01T06:00:00Z           RFC 3339, any offset, 0 to 9 fraction digits
//	'2019-11-01'                   quoted: early SDKs of Java and .NET
//	2019-11-01 06:00:00+01:00      a space for the T: Python's str(datetime)
//	2019-11-01T06:00Z              no seconds: Java's toString
//	2019-11-01T06:00:00            no zone is UTC: Python without tzinfo
//	2023-1-5                       numbers without their zeros: JavaScript
//	2019-11-01T06:00:00 01:00      a plus that became a space in a query
func parseDateTime(text string) (time.Time, error) {
	p := dateParser{rest: strings.Trim(text, " ")}
	if n := len(p.rest); n >= 2 && p.rest[0] == '\'' && p.rest[n-1] == '\'' {
		p.rest = strings.Trim(p.rest[1:n-1], " ")
	}
	p.unlikely()
	t := p.dateTime()
	if p.why != "" {
		return time.Time{}, &dateFault{text: text, why: p.why}
	}
	return t, nil
}

// parseDateTimeStrict reads only what Microsoft reads: a date, or RFC 3339 with its zone and with
// or without seconds (OData ABNF 4.01, timeOfDayValue).
func parseDateTimeStrict(text string) (time.Time, error) {
	fault := &dateFault{text: text}
	if strings.HasPrefix(text, "'") {
		fault.edm = true
		return time.Time{}, fault
	}
	if !strictForm(text) {
		return time.Time{}, fault
	}
	t, err := parseDateTime(text)
	if err != nil {
		return time.Time{}, fault
	}
	return t, nil
}

// strictForm reports whether s has the form of a date or of an RFC 3339 time. It does not check the
// ranges of the numbers; parseDateTime does.
func strictForm(s string) bool {
	const day, minute, second = "0000-00-00", "0000-00-00T00:00", "0000-00-00T00:00:00"
	switch {
	case hasForm(s, second):
		s = s[len(second):]
		if strings.HasPrefix(s, ".") {
			digits := strings.TrimLeft(s[1:], "0123456789")
			if len(digits) == len(s)-1 {
				return false
			}
			s = digits
		}
	case hasForm(s, minute):
		s = s[len(minute):]
	default:
		return len(s) == len(day) && hasForm(s, day)
	}
	return s == "Z" || len(s) == 6 && (hasForm(s, "+00:00") || hasForm(s, "-00:00"))
}

// hasForm reports whether s begins like form, in which 0 stands for any digit.
func hasForm(s, form string) bool {
	if len(s) < len(form) {
		return false
	}
	for i := range len(form) {
		if form[i] == '0' && !isDigit(s[i]) || form[i] != '0' && s[i] != form[i] {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// A dateParser reads a text piece by piece. Once it has found why the text is wrong, its methods
// return zeros.
type dateParser struct {
	rest string
	why  string
}

// unlikely finds texts that scripts send after an earlier mistake of theirs.
func (p *dateParser) unlikely() {
	switch s := p.rest; {
	case s == "":
		p.fail("There is nothing in it: a variable may be empty.")
	case strings.ContainsAny(s, "{}<>$"):
		p.fail("It looks like the name of a variable in the place of its value.")
	case strings.Contains(s, "%"):
		p.fail("It is escaped twice.")
	case strings.ContainsAny(s, "\"'`´‘’“”"):
		p.fail("Leave the quotes out.")
	}
}

func (p *dateParser) dateTime() time.Time {
	year := p.number("year", 4, 4, 1, 9999)
	p.expect("-", "the year")
	month := p.number("month", 1, 2, 1, 12)
	p.expect("-", "the month")
	day := p.number("day", 1, 2, 1, 31)
	if p.why == "" && day > daysIn(year, month) {
		p.fail("The month %d of the year %d has no day %d.", month, year, day)
	}
	var hour, minute, second, nano, offset int
	if p.rest != "" && p.why == "" {
		p.separator()
		hour = p.number("hour", 1, 2, 0, 23)
		p.expect(":", "the hour")
		minute = p.number("minute", 1, 2, 0, 59)
		if p.skip(":") {
			second = p.number("second", 1, 2, 0, 59)
			nano = p.fraction()
		}
		offset = p.zone()
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nano, time.UTC).Add(-time.Duration(offset) * time.Minute)
	if nano == int(time.Second) && t.Year() > 9999 {
		t = t.Add(-100) // rounding up has left the year 9999
	}
	if p.why == "" && (t.Year() < 1 || t.Year() > 9999) {
		p.fail("With its offset it is not in the years 1 to 9999.")
	}
	return t
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// separator reads the T or the spaces between date and time.
func (p *dateParser) separator() {
	switch p.rest[0] {
	case 'T', 't':
		p.rest = p.rest[1:]
	case ' ':
		p.rest = strings.TrimLeft(p.rest, " ")
	default:
		p.fail("Behind the date comes 'T' and the time, not '%s'.", clip(p.rest, 16))
	}
}

// fraction reads the digits after the second. It returns nanoseconds, rounded up to whole 100: up
// to a whole second.
func (p *dateParser) fraction() int {
	if !p.skip(".") {
		return 0
	}
	n, nano := 0, 0
	for n < len(p.rest) && isDigit(p.rest[n]) {
		if n < 9 {
			nano = 10*nano + int(p.rest[n]-'0')
		}
		n++
	}
	if n == 0 || n > 9 {
		p.fail("The second has %d fraction digits, and 1 to 9 are possible.", n)
		return 0
	}
	p.rest = p.rest[n:]
	for ; n < 9; n++ {
		nano *= 10
	}
	return (nano + 99) / 100 * 100
}

// zone reads the offset from UTC, in minutes. Without one it is UTC.
func (p *dateParser) zone() int {
	if p.why != "" || p.rest == "" || p.rest == "Z" || p.rest == "z" {
		return 0
	}
	sign := 1
	switch p.rest[0] {
	case '-':
		sign = -1
	case '+', ' ':
	default:
		p.fail("Behind the time comes 'Z' or an offset such as '+01:00', not '%s'.", clip(p.rest, 16))
		return 0
	}
	// The character may be a plus that became a space. A space may also stand before Z; before
	// another sign it does not tell which of the two counts.
	p.rest = p.rest[1:]
	if p.rest == "Z" || p.rest == "z" {
		return 0
	}
	if p.rest != "" && (p.rest[0] == '+' || p.rest[0] == '-') {
		p.fail("The offset is not clear.")
		return 0
	}
	if len(p.rest) == 4 && hasForm(p.rest, "0000") {
		p.rest = p.rest[:2] + ":" + p.rest[2:]
	}
	hours := p.number("offset's hour", 2, 2, 0, 14)
	minutes := 0
	if p.skip(":") {
		minutes = p.number("offset's minute", 2, 2, 0, 59)
	}
	if p.rest != "" {
		p.fail("Behind the offset comes nothing more, not '%s'.", clip(p.rest, 16))
	}
	if hours == 14 && minutes > 0 {
		p.fail("The offset is more than 14 hours.")
	}
	return sign * (60*hours + minutes)
}

// number reads a number of minDigits to maxDigits digits, from from to to.
func (p *dateParser) number(what string, minDigits, maxDigits, from, to int) int {
	if p.why != "" {
		return 0
	}
	n, v := 0, 0
	for n < len(p.rest) && isDigit(p.rest[n]) {
		if n < maxDigits {
			v = 10*v + int(p.rest[n]-'0')
		}
		n++
	}
	switch {
	case n < minDigits || n > maxDigits:
		digits := fmt.Sprint(minDigits)
		if minDigits != maxDigits {
			digits += " or " + fmt.Sprint(maxDigits)
		}
		p.fail("The %s has %s digits, not %d.", what, digits, n)
		return 0
	case v < from || v > to:
		p.fail("The %s is %d, and %d to %d are possible.", what, v, from, to)
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *dateParser) expect(mark, after string) {
	if p.why == "" && !p.skip(mark) {
		p.fail("Behind %s comes '%s'.", after, mark)
	}
}

func (p *dateParser) skip(mark string) bool {
	if p.why != "" || !strings.HasPrefix(p.rest, mark) {
		return false
	}
	p.rest = p.rest[len(mark):]
	return true
}

func (p *dateParser) fail(format string, args ...any) {
	if p.why == "" {
		p.why = fmt.Sprintf(format, args...)
	}
}

// clip shortens a client's text to most bytes, so that an error can quote it.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
