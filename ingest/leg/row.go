package leg

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// The subcodes of calls that the SBC has ended; the SIP code is added to them (learn.microsoft.com,
// "PSTN call end codes"): 540486, 560404.
const (
	subcodeInbound  = 540000
	subcodeOutbound = 560000
)

// Row returns the row of a leg that faces Microsoft. trunk is the name of its trunk, see
// [Leg.TrunkOf], and plan writes a number as the trunk's numbering plan has it. The witness of a
// field that no message has told, and that Row infers from what is missing, is that of [Inference].
func (l *Leg) Row(v *View, trunk string, plan func(number string) string) call.Row {
	r := l.begin(v, plan)
	inferred := l.endRow(&r, v)
	r.Settle(l.Told, v.invite != nil)
	r.Source, r.Faces = l.Source, v.Facing == SurelyFacing
	for _, f := range outcomes {
		r.By[f] = l.Told // the outcome is told as a whole, with the fields that it leaves empty
	}
	for _, f := range inferred {
		r.By[f] = Inference(l.Told)
	}
	if r.CallEndSubReason == 0 {
		r.By[call.FieldCallEndSubReason] = 0 // only Microsoft can tell it
	}
	if !r.MediaBypass {
		r.By[call.FieldMediaBypass] = 0
	}
	if v.invite == nil {
		// The INVITE tells the direction. Without it the direction is inferred from other messages.
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

// OpenRow returns the row, so far, of a call that has not ended.
func (l *Leg) OpenRow(v *View, plan func(number string) string) call.Row {
	r := l.begin(v, plan)
	r.Start = v.answer.Time()
	r.Settle(l.Told, false)
	return r
}

// begin returns a row with the fields that do not depend on how the call went.
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

// numbers returns the caller and the callee of a leg without an INVITE.
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
	// An answer may be to an INVITE within the dialog, from either side, so it counts last.
	return first(l.from.s, caller), first(l.to.s, callee)
}

// Inference returns the witness for what is inferred from w's messages.
func Inference(w call.Witness) call.Witness {
	if w.Authenticated() {
		return call.Inferred.Witness()
	}
	return call.Inferred.Hearsay()
}

// endRow sets how the call went, and returns the fields that no message has told.
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
	// The SBC sent the code if it was called, or caused it if it cancelled the call.
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
	r.Failure, r.FinalSIPCode, r.FinalSIPPhrase = LastOf(at, r.Invite), int32(code), phrase // not before the INVITE: a clock may have been set back
	r.Start = r.Invite                                                                      // without an INVITE, it is assumed
}

// endCall sets how an established call went, and returns the fields that no message has told. A BYE
// without an answer means that there was an answer. An end is never before its start, though a
// clock may have been set back, or an agent may read its clock only after it has sent a message.
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

// seconds returns a duration in whole seconds, as a row has it.
func seconds(d time.Duration) int32 { return int32(min(d/time.Second, math.MaxInt32)) }

// askRow sets the fields of a row that the INVITE tells.
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
