package csv

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A layout is a notation of a time: seconds since 1970 or parts of them, RFC 3339 and its
// relatives, or the directives of strftime.
type layout struct {
	unit  time.Duration // of a number since 1970; 0 for others
	steps []step        // of directives; none for RFC 3339
}

// A step is one directive, or one character that stands for itself.
type step struct {
	directive, literal byte // one of them is 0
}

var defaultLayout = layout{}

// namedLayouts are the layouts that have a name.
var namedLayouts = map[string]layout{
	"rfc3339": {},
	"unix":    {unit: time.Second},
	"unix-ms": {unit: time.Millisecond},
	"unix-us": {unit: time.Microsecond},
}

func parseLayout(s string) (layout, error) {
	if l, ok := namedLayouts[s]; ok {
		return l, nil
	}
	if !strings.Contains(s, "%") {
		return layout{}, fmt.Errorf("%w: layout %q is neither rfc3339, unix, unix-ms or unix-us, nor does it have directives such as %%Y-%%m-%%d %%H:%%M:%%S", call.ErrInvalid, s)
	}
	return parseDirectives(s)
}

// compound directives stand for others (POSIX, strftime).
var compound = map[byte]string{
	'F': "%Y-%m-%d", 'D': "%m/%d/%y", 'T': "%H:%M:%S", 'R': "%H:%M", 'r': "%I:%M:%S %p",
}

// same maps directives to others that read the same. The first ones are of glibc: trunklog reads
// numbers and names in any case and with any padding.
var same = map[byte]byte{
	'e': 'd', 'k': 'H', 'l': 'I', 'h': 'b', 'B': 'b', 'A': 'a', 'P': 'p',
}

// parseDirectives reads a layout made of those strftime directives (POSIX) that call records use;
// %f, a fraction of a second, is Python's.
func parseDirectives(s string) (layout, error) {
	bad := func(format string, args ...any) (layout, error) {
		return layout{}, fmt.Errorf("%w: layout %q: %s", call.ErrInvalid, s, fmt.Sprintf(format, args...))
	}
	var l layout
	// Each value has its own mark for a clock that is not synchronised.
	text := unmarked(s)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == 'Z':
			l.steps = append(l.steps, step{directive: 'z'})
			continue
		case c != '%':
			// Letters and digits in a layout show that it is in another language.
			if !strings.ContainsRune(" -/:.,;T@_()'[]*", rune(c)) {
				return bad("%q cannot stand between directives", c)
			}
			l.steps = append(l.steps, step{literal: c})
			continue
		}
		i++
		if i == len(text) {
			return bad("it ends with %%")
		}
		c = text[i]
		if long, ok := compound[c]; ok {
			more, err := parseDirectives(long)
			if err != nil {
				return layout{}, err
			}
			l.steps = append(l.steps, more.steps...)
			continue
		}
		if like, ok := same[c]; ok {
			c = like
		}
		switch {
		case strings.IndexByte("YymdHIMSfpbazZs", c) < 0:
			return bad("directive %%%c is not known", c)
		case c == 'f' && (i < 2 || text[i-2] != '.' && text[i-2] != ','):
			return bad("%%f stands behind a point or a comma only")
		}
		l.steps = append(l.steps, step{directive: c})
	}
	return l, nil
}

// unmarked removes the mark that Cisco IOS writes in front of a time while its clock is not set (*)
// or not synchronised (.).
func unmarked(s string) string {
	if s != "" && (s[0] == '*' || s[0] == '.') {
		return s[1:]
	}
	return s
}

// read reads a time text in the layout.
func (l layout) read(s string) (w reading, ok bool) {
	switch {
	case l.unit != 0:
		w.wall, ok = sinceEpoch(s, l.unit)
		w.zoned = true
	case len(l.steps) > 0:
		w, ok = readSteps(l.steps, unmarked(s))
	default:
		var err error
		w.wall, err = call.ParseTime(s)
		w.zoned, ok = namesZone(s), err == nil
	}
	return w, ok && w.wall.Year() >= 1 && w.wall.Year() <= 9999
}

// namesZone reports whether a date-time that ParseTime can read names its zone.
func namesZone(s string) bool {
	const beforeFraction = len("2019-11-01T00:00:25")
	return strings.HasPrefix(s, "/") || strings.ContainsAny(s[min(len(s), beforeFraction):], "Zz+-")
}

// sinceEpoch reads a number of units since 1970, which may have a fraction.
func sinceEpoch(s string, unit time.Duration) (time.Time, bool) {
	whole, fraction := s, ""
	if i := strings.IndexAny(s, ".,"); i >= 0 {
		whole, fraction = s[:i], s[i+1:]
	}
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
