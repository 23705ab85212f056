package cli

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/tenant"
)

// days and clocks are the forms of a time, besides words and a distance from now. Between a day and
// a clock stands a T or a space; a zone may follow them.
var (
	days   = []string{time.DateOnly, "2006-01"}
	clocks = []string{"15:04:05", "15:04"} // Go reads fractions of seconds with the first
	zones  = []string{"Z07:00", "Z0700", "Z07"}
)

// timeHelp gives examples of all forms of a time.
const timeHelp = "2026-11-01, 2026-11, 2026-11-01T08:00Z, '2026-11-01 08:00', today, yesterday, now, -24h, -90min, -7d, -3mo"

// when reads a time: a date, a month, a date with a time, a word, or a distance before now such as
// "-24h", "-90min" or "-7d". Without a zone it is a time of the zone in, where a day also begins.
// It returns UTC, and for "" the zero time. Errors wrap [call.ErrInvalid].
func when(s string, now time.Time, in *time.Location) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	now = now.In(in)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, in)
	switch strings.ToLower(s) {
	case "now":
		return now.UTC(), nil
	case "today":
		return today.UTC(), nil
	case "yesterday":
		return today.AddDate(0, 0, -1).UTC(), nil
	}
	if back, found := strings.CutPrefix(s, "-"); found {
		if t, ok := before(back, now); ok {
			return t.UTC(), nil
		}
	}
	if t, ok := dated(s, in); ok {
		return t.UTC(), nil
	}
	hint := ""
	if _, ok := before(s, now); ok {
		hint = fmt.Sprintf(" (did you mean -%s?)", s)
	}
	return time.Time{}, fmt.Errorf("%w: time %q%s: give one such as %s", call.ErrInvalid, s, hint, timeHelp)
}

// before returns the time at the distance back before now. An "m" is a minute here, like "min"; see
// [sayM].
func before(back string, now time.Time) (time.Time, bool) {
	if back == "" || back[0] < '0' || back[0] > '9' {
		return time.Time{}, false
	}
	if d, err := time.ParseDuration(strings.ReplaceAll(back, "min", "m")); err == nil {
		return now.Add(-d), true
	}
	p, err := tenant.ParsePeriod(back)
	if err != nil || p.Forever() {
		return time.Time{}, false
	}
	return p.Before(now), true
}

// dated reads a date, with or without a time and a zone.
func dated(s string, in *time.Location) (time.Time, bool) {
	for _, day := range days {
		if t, err := time.ParseInLocation(day, s, in); err == nil {
			return t, true
		}
	}
	if i := strings.LastIndexByte(s, ' '); i > len("2006-01-02") {
		if named, err := location(s[i+1:]); err == nil {
			s, in = s[:i], named
		}
	}
	s = strings.ToUpper(strings.Replace(s, " ", "T", 1))
	for _, clock := range clocks {
		form := time.DateOnly + "T" + clock
		if t, err := time.ParseInLocation(form, s, in); err == nil {
			return t, true
		}
		for _, zone := range zones {
			if t, err := time.Parse(form+zone, s); err == nil {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

// bareM matches a number with an m alone. Commands read it as minutes in a time, and as months in a
// period.
var bareM = regexp.MustCompile(`^(-?[0-9]+)m$`)

// sayM warns that value has an m alone, and that meaning, "min" or "mo", is what it means here.
// Both meanings are older than these two names, and scripts rely on them.
func sayM(w io.Writer, flag, value, meaning string) {
	m := bareM.FindStringSubmatch(value)
	switch {
	case m == nil:
	case meaning == "min":
		fmt.Fprintf(w, "warning: %s %s: an m alone is a minute here, and a month where periods are given: write %[3]smin, or %[3]smo for months\n", flag, value, m[1])
	default:
		fmt.Fprintf(w, "warning: %s %s: an m alone is a month here, and a minute where times are given: write %smo\n", flag, value, m[1])
	}
}

// A zoneFlag is the zone in which a command shows times, and reads times without a zone.
type zoneFlag struct{ name string }

func (z *zoneFlag) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&z.name, "zone", "", "show times of tables in `ZONE`, such as Europe/Berlin, local or UTC, and read those without a zone so (default: local on a terminal, else UTC)")
}

// location returns the zone of the flag. Without the flag it is this machine's zone if stdout is a
// terminal, and UTC otherwise, so that programs read the same on every machine.
func (z *zoneFlag) location(stdout io.Writer) (*time.Location, error) {
	switch {
	case z.name != "":
		in, err := location(z.name)
		if err != nil {
			return nil, usage("--zone: %w", err)
		}
		return in, nil
	case isTerminal(stdout):
		return location("local")
	}
	return time.UTC, nil
}

// location returns the zone of a name: one of the IANA's, UTC, local, or an offset such as +01:00.
// Errors wrap [call.ErrInvalid].
func location(name string) (*time.Location, error) {
	switch {
	case strings.EqualFold(name, "local"):
		return named(time.Local), nil
	case strings.EqualFold(name, "utc"), strings.EqualFold(name, "z"):
		return time.UTC, nil
	case name != "":
		for _, form := range []string{"-07:00", "-0700", "-07"} {
			if t, err := time.Parse(form, name); err == nil {
				_, offset := t.Zone()
				return time.FixedZone(t.Format("-07:00"), offset), nil
			}
		}
		if in, err := time.LoadLocation(name); err == nil {
			return in, nil
		}
	}
	return nil, fmt.Errorf("%w: there is no time zone %q: Europe/Berlin, UTC, local and +01:00 are possible", call.ErrInvalid, name)
}

// named returns this machine's zone under its IANA name, if the machine knows that, else local.
func named(local *time.Location) *time.Location {
	name, set := os.LookupEnv("TZ") // as package time reads it: set and empty is UTC
	if !set {
		link, _ := os.Readlink("/etc/localtime") // a plain file does not tell the name
		_, name, _ = strings.Cut(link, "zoneinfo/")
		if name == "" {
			return local
		}
	}
	if in, err := time.LoadLocation(strings.TrimPrefix(name, ":")); err == nil {
		return in
	}
	return local
}
