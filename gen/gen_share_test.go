package gen_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/gen"
)

// A census counts what is seen in 200,000 rows of four weeks.
type census struct {
	rows, failed, inbound, inboundFailed   int
	fine, masked, named, short             int
	weekend, noon, peak, night             int
	late, disorder, legs, outsiders, units int
	bots, foreign, apostrophes             int
	types, trunks, codes, countries        map[string]int
	numbers                                map[string]int
	users                                  map[call.GUID]int
}

func (c *census) count(r *call.Row, latest time.Time) {
	c.rows++
	if r.Inbound() {
		c.inbound++
	}
	if !r.Successful {
		c.failed++
		if r.Inbound() {
			c.inboundFailed++
		}
		c.codes[strings.TrimSpace(r.FinalSIPPhrase)]++
	}
	if r.Start.Nanosecond()%1e6 != 0 {
		c.fine++
	}
	if strings.HasSuffix(r.Caller+r.Callee, "***") || strings.HasSuffix(r.Caller, "***") {
		c.masked++
	}
	switch {
	case !strings.HasPrefix(r.Caller, "+"):
		c.named++
	case len(r.Caller) == 5:
		c.short++
	}
	switch day := r.Start.Weekday(); {
	case day == time.Saturday || day == time.Sunday:
		c.weekend++
	case r.Start.Hour() < 4:
		c.night++
	case r.Start.Hour() == 12:
		c.noon++
	case r.Start.Hour() == 9 || r.Start.Hour() == 14:
		c.peak++
	}
	if r.Start.Before(latest) {
		c.disorder++
	}
	if latest.Sub(r.Start) > 13*time.Hour {
		c.late++
	}
	if strings.HasSuffix(r.CallType, "Ucap") {
		c.bots++
	}
	if strings.IndexFunc(r.UserDisplayName, func(r rune) bool { return r > unicode.MaxLatin1 }) >= 0 {
		c.foreign++
	}
	if strings.Contains(r.UserDisplayName, "'") {
		c.apostrophes++
	}
	c.units += len(r.AdministrativeUnits)
	c.types[r.CallType]++
	c.trunks[strings.Clone(r.Trunk)]++
	c.countries[r.OtherCountry]++
	c.users[r.UserID]++
	number := r.Callee
	if r.Inbound() {
		number = r.Caller
	}
	c.numbers[strings.Clone(number)]++
}

// The rows look like those of a company. The bounds are wide: a reasonable change of a share needs
// no change here.
func TestShares(t *testing.T) {
	c := census{
		types: map[string]int{}, trunks: map[string]int{}, codes: map[string]int{}, countries: map[string]int{},
		numbers: map[string]int{}, users: map[call.GUID]int{},
	}
	var latest time.Time
	first := map[call.GUID]string{} // type of the first leg by correlation id
	starts := map[call.GUID]time.Time{}
	second := map[call.GUID]call.Row{}
	for r := range gen.Rows(gen.Config{Rows: 200_000, Seed: 11}) {
		c.count(r, latest)
		if r.Start.After(latest) {
			latest = r.Start
		}
		switch r.CallType {
		case "ByotOutUserForwarding", "ByotOutUserTransfer":
			second[r.CorrelationID] = r.Clone()
		default:
			first[r.CorrelationID], starts[r.CorrelationID] = r.CallType, r.Start
		}
	}
	for id, r := range second {
		switch {
		case first[id] == "ByotIn" && !r.Start.Before(starts[id]):
			c.legs++
		case first[id] != "":
			t.Errorf("a leg of a %s call", first[id])
		default:
			c.outsiders++
		}
		if (r.CallType == "ByotOutUserTransfer") != (r.TransferorID == id) {
			t.Errorf("the transferor of a %s leg is %v", r.CallType, r.TransferorID)
		}
	}
	share := func(what string, n, of int, lo, hi float64) {
		t.Helper()
		if s := float64(n) / float64(of); s < lo || s > hi {
			t.Errorf("%s: %d of %d, %.4f; want %v to %v", what, n, of, s, lo, hi)
		}
	}
	share("failed", c.failed, c.rows, 0.10, 0.25)
	share("inbound", c.inbound, c.rows, 0.5, 0.75)
	share("inbound failed", c.inboundFailed, c.inbound, 0.10, 0.25)
	share("outbound failed", c.failed-c.inboundFailed, c.rows-c.inbound, 0.10, 0.25)
	share("with 7 digits", c.fine, c.rows, 0.08, 0.16)
	share("masked", c.masked, c.rows, 0.02, 0.15)
	share("with a name for a number", c.named, c.rows, 0.005, 0.05)
	share("with a short number", c.short, c.rows, 0.001, 0.02)
	share("at weekends", c.weekend, c.rows, 0.01, 0.08)
	share("at night", c.night, c.rows, 0.001, 0.02)
	share("at noon", c.noon, c.peak/2, 0.3, 0.7)
	share("at the peaks", c.peak/2, c.rows, 0.09, 0.18)
	share("out of order", c.disorder, c.rows, 0.3, 0.8)
	share("late", c.late, c.rows, 0.008, 0.03)
	share("second legs", c.legs, c.rows, 0.02, 0.06)
	share("second legs alone", c.outsiders, c.rows, 0, 0)
	share("bots", c.bots, c.rows, 0.1, 0.3)
	share("not in Latin letters", c.foreign, c.rows, 0.03, 0.2)
	share("with an apostrophe", c.apostrophes, c.rows, 0.01, 0.1)
	share("administrative units", c.units, c.rows, 0.5, 1.5)
	share("numbers", len(c.numbers), c.rows, 0.4, 0.7)
	share("users", len(c.users)-1, 500, 0.99, 1)
	for _, m := range []struct {
		what string
		n    int
		kind map[string]int
	}{{"types", 7, c.types}, {"trunks", 3, c.trunks}, {"phrases", 24, c.codes}, {"countries", 12, c.countries}} {
		if len(m.kind) < m.n {
			t.Errorf("%d %s, want %d: %v", len(m.kind), m.what, m.n, m.kind)
		}
	}
}
