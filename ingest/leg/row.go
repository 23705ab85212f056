package leg

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// The subcodes of calls whose end the SBC brought about, to which the SIP code
// is added (learn.microsoft.com, "PSTN call end codes"): 540486, 560404.
const (
	subcodeInbound  = 540000
	subcodeOutbound = 560000
)

// Row returns the row of a leg that faces Microsoft, with the name of its trunk, see
// [Leg.TrunkOf], and with numbers as plan writes them. What no message has said,
// and was concluded because nothing came any more, has [call.Inferred] as its
// witness.
func (l *Leg) Row(v *View, trunk string, plan func(number string) string) call.Row {
	r := l.begin(v, plan)
	inferred := l.endRow(&r, v)
	r.Settle(l.Told, v.invite != nil)
	r.Source, r.Faces = l.Source, v.Facing == SurelyFacing
	for _, f := range outcomes {
		r.By[f] = l.Told // how a call went is told as a whole, what it did not come to as well
	}
	for _, f := range inferred {
		r.By[f] = Inference(l.Told)
	}
	if r.CallEndSubReason == 0 {
		r.By[call.FieldCallEndSubReason] = 0 // that is Microsoft's to say
	}
	if !r.MediaBypass {
		r.By[call.FieldMediaBypass] = 0
	}
	if v.invite == nil {
		// Who called is told by the INVITE, and else concluded from who asked for what.
		r.By[call.FieldCallType] = Inference(l.Told)
		if r.CallEndSubReason != 0 {
			r.By[call.FieldCallEndSubReason] = Inference(l.Told)
		}
	}
	if trunk != "" {
		r.Trunk, r.By[call.FieldTrunk] = clip(trunk), l.Told
	}
	return r
}

// OpenRow returns what is known of a call that has not ended.
func (l *Leg) OpenRow(v *View, plan func(number string) string) call.Row {
	r := l.begin(v, plan)
	r.Start = v.answer.Time()
	r.Settle(l.Told, false)
	return r
}

// begin returns a row with what does not depend on how the call went.
func (l *Leg) begin(v *View, plan func(number string) string) call.Row {
	r := call.Row{
		CorrelationID:  l.says.correlation.id,
		SignalLocation: l.says.region.s,
		MediaBypass:    l.says.mediaPath,
		CallType:       "ByotIn",
	}
	if r.CorrelationID.IsZero() {
		r.CorrelationID = l.says.reason.id
	}
	if v.Outbound {
		r.CallType = "ByotOut"
	}
	if v.invite != nil {
		askRow(&r, v.invite, v.Outbound)
	} else {
		r.Caller, r.Callee = l.numbers(v.Outbound)
	}
	r.Normalize(plan)
	return r
}

// numbers returns who called whom where no INVITE tells it.
func (l *Leg) numbers(outbound bool) (caller, callee string) {
	var p parties
	if l.parties != nil {
		p = *l.parties
	}
	caller, callee = p.there.s, p.here.s
	if outbound {
		caller, callee = callee, caller
	}
	if caller != "" && callee != "" {
		return caller, callee
	}
	// Whoever asked for an answer may have done so within the dialog.
	return first(l.from.s, caller), first(l.to.s, callee)
}

// Inference returns the witness for what is concluded of what w has said.
func Inference(w call.Witness) call.Witness {
	if w.Authenticated() {
		return call.Inferred.Witness()
	}
	return call.Inferred.Hearsay()
}

// endRow says how the call went, and returns the fields that no message has
// told.
func (l *Leg) endRow(r *call.Row, v *View) (inferred []call.Field) {
	switch {
	case !v.refused():
		return l.endCall(r, v)
	case v.final != nil:
		failRow(r, v.final.at.Time(), int(v.final.code), v.final.phrase)
	case !v.cancel.at.IsZero():
		failRow(r, v.cancel.at.Time(), 487, "Request Terminated")
		inferred = failed
	case v.stale != nil:
		failRow(r, v.stale.at.Time(), int(v.stale.code), v.stale.phrase)
	default:
		failRow(r, l.last.Time(), 408, "Request Timeout")
		inferred = failed
	}
	// The code came from the SBC if the SBC was called, or gave the call up.
	switch {
	case v.Outbound:
		r.CallEndSubReason = subcodeOutbound + r.FinalSIPCode
	case r.FinalSIPCode == 487 && !v.cancel.at.IsZero():
		r.CallEndSubReason = subcodeInbound + r.FinalSIPCode
	}
	return inferred
}

var (
	outcomes = []call.Field{call.FieldSuccessful, call.FieldFailure, call.FieldEnd, call.FieldDuration, call.FieldFinalSIPCode, call.FieldFinalSIPPhrase}

	failed = []call.Field{call.FieldSuccessful, call.FieldFailure, call.FieldEnd, call.FieldDuration, call.FieldFinalSIPCode, call.FieldFinalSIPPhrase, call.FieldCallEndSubReason}
	ended  = []call.Field{call.FieldFailure, call.FieldEnd, call.FieldDuration, call.FieldFinalSIPCode, call.FieldFinalSIPPhrase}
	begun  = []call.Field{call.FieldStart, call.FieldDuration}
)

func failRow(r *call.Row, at time.Time, code int, phrase string) {
	r.Failure, r.FinalSIPCode, r.FinalSIPPhrase = LastOf(at, r.Invite), int32(code), phrase // a clock may have been set back
	r.Start = r.Invite                                                                      // without one it is assumed
}

// endCall says how a call went that was established. A BYE without an answer
// means that there was one. A clock that was set back in between, or that an agent
// reads only when a message has left, puts nothing in front of what it follows.
func (l *Leg) endCall(r *call.Row, v *View) (inferred []call.Field) {
	r.Successful = true
	if r.Start = LastOf(v.answer.Time(), r.Invite); v.answer.IsZero() {
		if r.Start.IsZero() {
			r.Start = l.first.Time()
		}
		inferred = begun
	}
	if r.End = v.bye.at.Time(); r.End.IsZero() {
		r.End = l.last.Time()
		inferred = slices.Concat(inferred, ended)
	} else {
		r.FinalSIPPhrase = "BYE"
		r.CallEndSubReason = subcodeInbound
		if v.Outbound {
			r.CallEndSubReason = subcodeOutbound
		}
	}
	if r.End.Before(r.Start) {
		r.End = LastOf(r.Start, l.last.Time())
	}
	r.Duration = seconds(r.End.Sub(r.Start))
	return inferred
}

// seconds returns a duration as a row has it.
func seconds(d time.Duration) int32 { return int32(min(d/time.Second, math.MaxInt32)) }

// askRow takes from the INVITE who called whom.
func askRow(r *call.Row, v *invite, outbound bool) {
	r.Invite = v.at.Time()
	r.Caller, r.Callee = first(v.caller, v.asserted, v.callerName), first(v.callee, v.to)
	if !outbound {
		return
	}
	r.UserDisplayName = v.callerName
	if strings.ContainsFunc(v.asserted, isLetter) && v.assertedHost != "" {
		r.UserPrincipalName = v.asserted + "@" + v.assertedHost
	}
	switch user, transferor := referrer(v.referredBy); {
	case v.emergency:
		r.CallType = "dr_emergency_out" // Microsoft documents no other name, see [call.CallType]
	case v.referredBy != "":
		r.CallType, r.UserID, r.TransferorID = "ByotOutUserTransfer", user, transferor
	case v.forwarded:
		r.CallType = "ByotOutUserForwarding"
	}
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

func isLetter(c rune) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
