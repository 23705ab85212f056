package csv

import (
	"strings"
	"time"
)

// A reading is the contents of a time text: what a clock shows and, perhaps, in which zone it is.
type reading struct {
	wall   time.Time     // what the clock shows, as if it were UTC
	zoned  bool          // the text gives the distance from UTC
	offset time.Duration // east of UTC is more than 0
	name   string        // of a zone whose distance only the map's zone gives
}

// clockFields are the parts of a date and time during parsing.
type clockFields struct {
	year, month, day, hour, minute, second, nanos int

	pm, am bool
	epoch  bool // second is seconds since 1970
}

// readSteps reads a time by directives, as strptime does: numbers need no leading zeros, a space
// matches any number of them, and a fraction may follow the seconds whether the layout has one or
// not.
func readSteps(steps []step, s string) (r reading, ok bool) {
	c := clockFields{month: 1, day: 1}
	for i, st := range steps {
		switch {
		case st.literal == ' ':
			more := strings.TrimLeft(s, " ")
			before := i+1 < len(steps) && steps[i+1].directive == 'p' // 1:00PM
			if len(more) == len(s) && s != "" && !before {
				return r, false
			}
			s = more
		case st.literal != 0:
			if st.literal == '.' || st.literal == ',' {
				if i+1 < len(steps) && steps[i+1].directive == 'f' {
					continue // the fraction reads its own point or comma
				}
			}
			if s == "" || s[0] != st.literal {
				return r, false
			}
			s = s[1:]
		default:
			if s, ok = c.directive(&r, st.directive, s); !ok {
				return r, false
			}
			if (st.directive == 'S' || st.directive == 's') && !separated(steps[i+1:], s) {
				s = fraction(s, &c.nanos)
			}
		}
	}
	return c.reading(r, s)
}

// separated reports whether the point or comma at the beginning of s separates the seconds from the
// next field, and does not begin a fraction.
func separated(next []step, s string) bool {
	return s != "" && len(next) > 0 && next[0].literal == s[0] && (len(next) == 1 || next[1].directive != 'f')
}

// reading makes a time of the fields, if there is one; rest is the unread text.
func (c *clockFields) reading(r reading, rest string) (reading, bool) {
	if rest != "" {
		return r, false
	}
	if c.epoch {
		r.wall, r.zoned = time.Unix(int64(c.second), int64(c.nanos)).UTC(), true
		return r, true
	}
	switch {
	case c.pm && c.hour < 12:
		c.hour += 12
	case c.am && c.hour == 12:
		c.hour = 0
	}
	r.wall = time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, c.nanos, time.UTC)
	return r, r.wall.Day() == c.day && c.hour < 24 // not 30 February
}

// directive reads the text of one directive at the beginning of s.
func (c *clockFields) directive(r *reading, d byte, s string) (rest string, ok bool) {
	switch d {
	case 'Y':
		return number(s, 4, 4, 9999, &c.year)
	case 'y':
		rest, ok = number(s, 2, 2, 99, &c.year)
		if c.year += 1900; c.year < 1969 {
			c.year += 100
		}
		return rest, ok
	case 'm':
		rest, ok = number(s, 1, 2, 12, &c.month)
		return rest, ok && c.month > 0
	case 'd':
		return number(strings.TrimLeft(s, " "), 1, 2, 31, &c.day)
	case 'H':
		return number(s, 1, 2, 23, &c.hour)
	case 'I':
		return number(strings.TrimLeft(s, " "), 1, 2, 12, &c.hour)
	case 'M':
		return number(s, 1, 2, 59, &c.minute)
	case 'S':
		return number(s, 1, 2, 59, &c.second)
	case 'f':
		// The seconds have read the fraction already, if there was one.
		return fraction(s, &c.nanos), true
	case 's':
		c.epoch = true
		return number(s, 1, 12, 1e12-1, &c.second)
	case 'p':
		return c.half(s)
	case 'b':
		return name(s, months, &c.month)
	case 'a':
		var day int
		return name(s, days, &day)
	}
	return r.zone(s)
}

// number reads a number of least to most digits and of at most limit.
func number(s string, least, most, limit int, n *int) (rest string, ok bool) {
	i, v := 0, 0
	for ; i < len(s) && i < most && isDigit(s[i]); i++ {
		v = v*10 + int(s[i]-'0')
	}
	*n = v
	return s[i:], i >= least && v <= limit
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// fraction reads a point or comma and digits, if present. It drops digits below a nanosecond.
func fraction(s string, nanos *int) (rest string) {
	if len(s) < 2 || s[0] != '.' && s[0] != ',' || !isDigit(s[1]) {
		return s
	}
	*nanos = 0
	i, unit := 1, 100_000_000
	for ; i < len(s) && isDigit(s[i]); i++ {
		*nanos += int(s[i]-'0') * unit
		unit /= 10
	}
	return s[i:]
}

// half reads AM or PM in the spellings of several languages: am, a.m., a. m.
func (c *clockFields) half(s string) (rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	if s == "" {
		return s, false
	}
	switch s[0] | 0x20 {
	case 'a':
		c.am = true
	case 'p':
		c.pm = true
	default:
		return s, false
	}
	s = strings.TrimPrefix(strings.TrimPrefix(s[1:], "."), " ")
	if s == "" || s[0]|0x20 != 'm' {
		return s, false
	}
	return strings.TrimPrefix(s[1:], "."), true
}

var (
	months = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	days   = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
)

// name reads one of the names, or its first three letters, in any case. It sets n to its number,
// counted from 1.
func name(s string, names []string, n *int) (rest string, ok bool) {
	const short = 3
	for i, full := range names {
		if len(s) < short || !strings.EqualFold(s[:short], full[:short]) {
			continue
		}
		*n = i + 1
		if len(s) >= len(full) && strings.EqualFold(s[:len(full)], full) {
			return s[len(full):], true
		}
		return s[short:], true
	}
	return s, false
}
