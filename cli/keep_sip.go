package cli

import (
	"github.com/trunklog/trunklog/tenant"
)

// keepsSIP reports whether a value of --keep-sip keeps the SIP messages of calls.
func keepsSIP(period string) bool { return period != "" && period != "off" && period != "0" }

// sipPeriod returns how long --keep-sip keeps them. If it keeps none, the period is for ever, so
// that the server does not delete the messages that an import has stored.
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
