package cli

import (
	"github.com/trunklog/trunklog/tenant"
)

// keepsSIP reports whether the SIP messages of calls are kept, by --keep-sip.
func keepsSIP(period string) bool { return period != "" && period != "off" && period != "0" }

// sipPeriod returns for how long they are. It is for ever, so that nothing is
// deleted, if none are kept: what is there was put there by an import.
func sipPeriod(period string) (tenant.Period, error) {
	if !keepsSIP(period) {
		return tenant.Period{}, nil
	}
	p, err := tenant.ParsePeriod(period)
	if err != nil {
		return p, usage("--keep-sip: %w, or 'off'", err)
	}
	return p, nil
}
