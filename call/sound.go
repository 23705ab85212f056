package call

import (
	"fmt"
	"time"
)

// Sound returns an error that says which fields of r contradict each other, or nil. A row that
// trunklog makes, or folds from several witnesses, is sound whenever a reader can see it: it failed
// and has the time of that, or it was answered and has an end; invite <= start <= end, and the
// duration is the time between start and end. A row that Microsoft Graph alone has reported stands
// as Graph sent it.
func (r *Row) Sound() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("row %v: "+format, append([]any{r.ID}, args...)...)
	}
	switch {
	case !r.Invite.IsZero() && r.Start.Before(r.Invite):
		return wrong("it starts %v before its INVITE", r.Invite.Sub(r.Start))
	case r.Successful && !r.Failure.IsZero():
		return wrong("it was answered, and failed")
	case r.Successful && r.End.IsZero():
		return wrong("it was answered, and has no end")
	case r.Successful && r.End.Before(r.Start):
		return wrong("it ends %v before its start", r.Start.Sub(r.End))
	case r.Successful && r.FinalSIPCode >= 300:
		return wrong("it was answered, and its SIP code is %d", r.FinalSIPCode)
	case r.Successful && time.Duration(r.Duration)*time.Second != r.End.Sub(r.Start).Truncate(time.Second):
		return wrong("its duration is %d s, and its end is %v behind its start", r.Duration, r.End.Sub(r.Start))
	case r.Successful:
		return r.soundSubcode(0)
	case r.Failure.IsZero():
		return wrong("it was not answered, and has no time of its failure")
	case r.Failure.Before(r.Start):
		return wrong("it failed %v before its start", r.Start.Sub(r.Failure))
	case !r.End.IsZero():
		return wrong("it failed, and ended")
	case r.Duration != 0:
		return wrong("it failed, and took %d s", r.Duration)
	case r.FinalSIPCode < 300:
		return wrong("it failed, and its SIP code is %d", r.FinalSIPCode)
	}
	return r.soundSubcode(r.FinalSIPCode)
}

// soundSubcode checks a subcode that says that the SBC has set the final code.
func (r *Row) soundSubcode(code int32) error {
	if subcodeOfCode(r.CallEndSubReason, code) && subcodeOfType(r.CallEndSubReason, r.CallType) {
		return nil
	}
	return fmt.Errorf("row %v: its subcode is %d, its SIP code %d, and its type %s", r.ID, r.CallEndSubReason, code, r.CallType)
}

// The subcode of a call that the SBC ended is one of these plus the final code; which one depends
// on the direction (learn.microsoft.com, "PSTN call end codes").
const (
	subcodeInbound  = 540_000
	subcodeOutbound = 560_000
	subcodeFamily   = 1_000
)

func subcodeFamilyOf(subcode int32) int32 {
	switch family := subcode - subcode%subcodeFamily; family {
	case subcodeInbound, subcodeOutbound:
		return family
	}
	return 0
}

// subcodeOfCode reports whether a subcode fits a final SIP code.
func subcodeOfCode(subcode, code int32) bool {
	return subcodeFamilyOf(subcode) == 0 || subcode%subcodeFamily == code
}

// subcodeOfType reports whether a subcode fits a type of call, if the type is known.
func subcodeOfType(subcode int32, typ string) bool {
	family := subcodeFamilyOf(subcode)
	return family == 0 || typ == "" || (family == subcodeInbound) == CallType(typ).Inbound()
}
