package csv

import (
	"fmt"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// parseZone reads the name of a time zone, or its distance from UTC.
func parseZone(s string) (*time.Location, error) {
	var r reading
	if rest, ok := r.zone(s); ok && rest == "" && r.zoned {
		if r.offset == 0 {
			return time.UTC, nil
		}
		return time.FixedZone(s, int(r.offset/time.Second)), nil
	}
	if s == "" || strings.EqualFold(s, "local") {
		return nil, fmt.Errorf("%w: the zone of the machine is not the zone of the records", call.ErrInvalid)
	}
	return time.LoadLocation(s)
}

// zone reads the zone at the beginning of a text: Z, a distance such as +01, +0100 or +01:00, a
// distance behind UTC or GMT with the sign that people mean (GMT+1 is east of Greenwich, other than
// in POSIX), or an abbreviation, which only a zone explains.
func (r *reading) zone(s string) (rest string, ok bool) {
	i := 0
	for i < len(s) && 'A' <= s[i]&^0x20 && s[i]&^0x20 <= 'Z' {
		i++
	}
	name, rest := strings.ToUpper(s[:i]), s[i:]
	switch name {
	case "", "UTC", "GMT", "Z":
		r.zoned = true
		if name == "Z" || rest == "" || rest[0] != '+' && rest[0] != '-' {
			return rest, name != ""
		}
		return r.distance(rest)
	}
	r.name = s[:i]
	return rest, i >= 2
}

// distance reads a distance from UTC: +1, +01, +0100, +01:00, +5:30.
func (r *reading) distance(s string) (rest string, ok bool) {
	var hours, minutes int
	rest, ok = number(s[1:], 1, 2, 14, &hours)
	switch {
	case !ok:
		return rest, false
	case rest != "" && rest[0] == ':':
		rest, ok = number(rest[1:], 2, 2, 59, &minutes)
	case rest != "" && isDigit(rest[0]):
		rest, ok = number(rest, 2, 2, 59, &minutes)
	}
	r.offset = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		r.offset = -r.offset
	}
	return rest, ok
}

// A moment is the time at which a clock showed a record's reading. In the hour that comes twice in
// autumn there are two; otherwise second is zero.
type moment struct{ first, second time.Time }

// in returns the moment of a reading, which is in the given zone if it names no other. The zero
// moment means that the record has no time.
func (r *reading) in(zone *time.Location) (moment, error) {
	if call.IsNever(r.wall) {
		return moment{}, nil
	}
	at := func(t time.Time) (moment, error) {
		if call.IsNever(t) {
			return moment{}, nil
		}
		return moment{first: t}, nil
	}
	switch {
	case r.zoned:
		return at(r.wall.Add(-r.offset))
	case r.name != "":
		offset, ok := abbreviation(zone, r.name, r.wall)
		if !ok {
			return moment{}, fmt.Errorf("names the zone %q, which is not known in %s, the zone of the map", r.name, zone)
		}
		return at(r.wall.Add(-offset))
	}
	// No zone changes twice in two days, and none is a day from UTC.
	before, after := offsetAt(zone, r.wall.Add(-24*time.Hour)), offsetAt(zone, r.wall.Add(24*time.Hour))
	first, second := r.wall.Add(-before), r.wall.Add(-after)
	if before == after {
		return at(first)
	}
	switch early, late := offsetAt(zone, first) == before, offsetAt(zone, second) == after; {
	case early && late:
		return moment{first, second}, nil
	case early:
		return at(first)
	case late:
		return at(second)
	}
	return moment{}, fmt.Errorf("is a time that no clock in %s shows, because the hour is skipped in spring: if the records are in another zone, such as UTC, say so in the map", zone)
}

func offsetAt(zone *time.Location, t time.Time) time.Duration {
	_, seconds := t.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

// abbreviation returns the distance from UTC that an abbreviation such as CEST has in a zone, in
// the months around t.
func abbreviation(zone *time.Location, name string, t time.Time) (time.Duration, bool) {
	const half = 26 * 7 * 24 * time.Hour
	for _, d := range [...]time.Duration{0, -24 * time.Hour, 24 * time.Hour, -half, half} {
		abbr, seconds := t.Add(d).In(zone).Zone()
		if strings.EqualFold(abbr, name) {
			return time.Duration(seconds) * time.Second, true
		}
	}
	return 0, false
}
