package tenant

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A Period is a length of time in units of the calendar: days, weeks, months and years, or for
// ever. The zero Period is an unset one, which means for ever where there is no default.
type Period struct {
	n    int
	unit byte // 'd', 'w', 'm' or 'y'; 'f' is for ever
}

// ParsePeriod reads "30d", "8w", "6mo", "10y" or "forever"; "" is the zero Period. "6m" is six
// months too, because stores keep periods in that older form. Errors wrap [call.ErrInvalid].
func ParsePeriod(s string) (Period, error) {
	switch s {
	case "":
		return Period{}, nil
	case "forever":
		return Period{unit: 'f'}, nil
	}
	bad := fmt.Errorf("%w: period %q: give a number of days, weeks, months or years such as 150d, 8w, 6mo, 10y, or 'forever'", call.ErrInvalid, s)
	if months, found := strings.CutSuffix(s, "mo"); found {
		s = months + "m"
	}
	n, err := strconv.Atoi(s[:len(s)-1])
	p := Period{n, s[len(s)-1]}
	if err != nil || n <= 0 || n > 100_000 {
		return Period{}, bad
	}
	switch p.unit {
	case 'd', 'w', 'm', 'y':
		return p, nil
	}
	return Period{}, bad
}

// IsZero reports whether p is unset.
func (p Period) IsZero() bool { return p == Period{} }

// Forever reports whether p has no end.
func (p Period) Forever() bool { return p.n == 0 }

// Before returns the time that lies p before now; the zero time if p is for ever.
func (p Period) Before(now time.Time) time.Time {
	switch p.unit {
	case 'd':
		return now.AddDate(0, 0, -p.n)
	case 'w':
		return now.AddDate(0, 0, -7*p.n)
	case 'm':
		return now.AddDate(0, -p.n, 0)
	case 'y':
		return now.AddDate(-p.n, 0, 0)
	}
	return time.Time{}
}

// String returns p in the form for people, with "mo" for months.
func (p Period) String() string {
	if p.unit == 'm' {
		return p.text() + "o"
	}
	return p.text()
}

func (p Period) text() string {
	if p.Forever() {
		return "forever"
	}
	return strconv.Itoa(p.n) + string(p.unit)
}

// MarshalText implements [encoding.TextMarshaler]. A month is "m", which stores and JSON have
// always had.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.text()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Period) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePeriod(string(b))
	return err
}
