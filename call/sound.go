package call

import (
	"fmt"
	"time"
)

// Sound reports what in r cannot be true at once, as an error, or nil. A row that
// we make, or mix of what several witnesses have said, is sound whenever it can be
// read: it failed and says when, or it was answered and says when it ended;
// invite <= start <= end, and the duration is what lies between start and end. A
// row that Microsoft Graph alone has told stands as it was told.
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

// soundSubcode checks a subcode that says that the SBC has made the final code:
// 540 or 560 and the code, by who called (learn.microsoft.com, "PSTN call end
// codes").
func (r *Row) soundSubcode(code int32) error {
	const inbound, outbound, each = 540, 560, 1000
	switch family := r.CallEndSubReason / each; {
	case family != inbound && family != outbound:
	case r.CallEndSubReason%each != code, (family == inbound) != r.Inbound() && r.CallType != "":
		return fmt.Errorf("row %v: its subcode is %d, its SIP code %d, and its type %s", r.ID, r.CallEndSubReason, code, r.CallType)
	}
	return nil
}
