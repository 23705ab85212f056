package csv

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// The decoder resolves a clock that goes back: random calls around the change, in local times and
// with their duration, come out with their true times. A call with all times in the hour that comes
// twice comes out in the first.
func TestClockGoesBack(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 4))
	for _, c := range []struct{ zone, change string }{
		{"Europe/Berlin", "2026-10-25T01:00:00Z"},
		{"America/New_York", "2026-11-01T06:00:00Z"},
		{"Australia/Lord_Howe", "2026-04-04T15:00:00Z"}, // by half an hour
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		change, err := time.Parse(time.RFC3339, c.change)
		if err != nil {
			t.Fatal(err)
		}
		back := offsetAt(zone, change.Add(-time.Hour)) - offsetAt(zone, change)
		d, err := Open([]byte("times: {layouts: ['%F %T'], zone: "+c.zone+"}\nfields: {inviteDateTime: a, startDateTime: b, endDateTime: c, duration: d}"), nil)
		if err != nil {
			t.Fatal(err)
		}
		for range scale(500) {
			invite := change.Add(time.Duration(rnd.IntN(4*3600)-2*3600) * time.Second)
			start := invite.Add(time.Duration(rnd.IntN(90)) * time.Second)
			seconds := 1 + rnd.IntN(2*3600)
			end := start.Add(time.Duration(seconds) * time.Second)
			local := func(at time.Time) string { return at.In(zone).Format(time.DateTime) }
			line := fmt.Sprintf("%s,%s,%s,%d", local(invite), local(start), local(end), seconds)
			twice := func(at time.Time) bool { return !at.Before(change.Add(-back)) && at.Before(change.Add(back)) }
			shift := time.Duration(0)
			if twice(invite) && twice(end) && !invite.Before(change) {
				shift = back
			}
			for e, err := range d(strings.NewReader("a,b,c,d\n" + line + "\n")) {
				r := &e.Row
				if err != nil || !r.Invite.Equal(invite.Add(-shift)) || !r.Start.Equal(start.Add(-shift)) || !r.End.Equal(end.Add(-shift)) {
					t.Fatalf("seed %d: %s, %s: %v %v %v, %v; want %v %v %v", seed, c.zone, line, r.Invite, r.Start, r.End, err, invite.Add(-shift), start.Add(-shift), end.Add(-shift))
				}
			}
		}
	}
}
