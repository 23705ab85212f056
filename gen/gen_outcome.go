package gen

// An outcome is how a call ends.
type outcome struct {
	share   uint64 // of the failures of its direction; they need not add up to anything
	code    int32  // finalSipCode
	sub     int32  // callEndSubReason
	phrase  string // finalSipCodePhrase
	after   uint64 // the failure comes after so many milliseconds at the earliest
	before  uint64 // and before so many
	unknown bool   // the number belongs to no known user
	bots    bool   // only of calls to bots
}

// The codes of failures, their subcodes, and how often they occur. 540 and 560 in front of a
// subcode say that the SBC has made the SIP code that follows, on inbound and outbound calls.
// Source: learn.microsoft.com, "Microsoft and SIP response codes for Direct Routing", and the
// articles that it links to.
var inboundFailures = [...]outcome{
	{share: 420, code: 487, sub: 540487, phrase: "Request Terminated", after: 3_000, before: 45_000},
	{share: 170, code: 486, sub: 540486, phrase: "Busy Here", after: 300, before: 9_000},
	{share: 120, code: 480, sub: 540480, phrase: "Temporarily Unavailable", after: 15_000, before: 60_000},
	{share: 70, code: 480, sub: 10037, phrase: "No callee endpoints were found", after: 200, before: 900},
	{share: 60, code: 404, sub: 511404, phrase: "User lookup by number failed", after: 60, before: 400, unknown: true},
	{share: 30, code: 603, sub: 540603, phrase: "Decline", after: 1_500, before: 20_000},
	{share: 22, code: 403, sub: 510534, phrase: "The caller's number is blocked", after: 60, before: 300},
	{share: 20, code: 408, sub: 0, phrase: "Request Timeout", after: 30_000, before: 61_000},
	{share: 15, code: 408, sub: 1106, phrase: "No ACK was received for the 200 OK", after: 32_000, before: 33_000},
	{share: 15, code: 404, sub: 10202, phrase: "Call for Replaces was not found", after: 50, before: 300},
	{share: 12, code: 503, sub: 10320, phrase: "The bot cannot be reached", after: 100, before: 5_000, bots: true},
	{share: 10, code: 486, sub: 10321, phrase: "The bot is busy", after: 100, before: 2_000, bots: true},
	{share: 8, code: 500, sub: 510482, phrase: "Forwarding loop", after: 500, before: 4_000},
	{share: 6, code: 480, sub: 10191, phrase: "Voicemail is not allowed by policy", after: 20_000, before: 31_000},
	{share: 6, code: 500, sub: 540500, phrase: "Server Internal Error", after: 100, before: 2_000},
	{share: 5, code: 410, sub: 531004, phrase: "ICE connectivity checks failed", after: 4_000, before: 20_000},
}

var outboundFailures = [...]outcome{
	{share: 380, code: 487, sub: 560487, phrase: "Request Terminated", after: 2_000, before: 45_000},
	{share: 210, code: 486, sub: 560486, phrase: "Busy Here", after: 800, before: 9_000},
	{share: 130, code: 480, sub: 560480, phrase: "Temporarily Unavailable", after: 10_000, before: 60_000},
	{share: 110, code: 404, sub: 560404, phrase: "Not Found", after: 200, before: 3_000},
	{share: 35, code: 603, sub: 560603, phrase: "Decline", after: 1_500, before: 20_000},
	{share: 30, code: 484, sub: 560484, phrase: "Address Incomplete", after: 150, before: 1_500},
	{share: 30, code: 503, sub: 560503, phrase: "Service Unavailable", after: 100, before: 6_000},
	{share: 22, code: 403, sub: 560403, phrase: "Forbidden", after: 100, before: 1_200},
	{share: 20, code: 403, sub: 510403, phrase: "Forbidden", after: 60, before: 400},
	{share: 14, code: 408, sub: 560408, phrase: "Request Timeout", after: 9_000, before: 32_000},
	{share: 12, code: 408, sub: 500001, phrase: "The gateway did not answer in time", after: 10_000, before: 10_200},
	{share: 10, code: 403, sub: 510559, phrase: "No voice route matches the number", after: 50, before: 300},
	{share: 9, code: 404, sub: 511404, phrase: "User lookup by number failed", after: 60, before: 400},
	{share: 8, code: 500, sub: 560500, phrase: "Server Internal Error", after: 100, before: 2_000},
	{share: 6, code: 488, sub: 531000, phrase: "Not Acceptable Here", after: 200, before: 1_500},
	{share: 4, code: 504, sub: 569002, phrase: "Cannot connect to the gateway", after: 2_000, before: 10_100},
}

// The failures while a trunk is in trouble.
var (
	inboundTrouble  = outcome{code: 504, sub: 549002, phrase: "TLS is not connected", after: 2_000, before: 10_100}
	outboundTrouble = outcome{code: 503, sub: 560503, phrase: "Service Unavailable", after: 100, before: 6_000}
)

// The normal end: 0 and BYE, with or without a subcode.
var (
	inboundEnd  = outcome{sub: 540000, phrase: "BYE"}
	outboundEnd = outcome{sub: 560000, phrase: "BYE"}
	plainEnd    = outcome{phrase: "BYE"}
)

// outcomes are the outcomes of one direction.
type outcomes struct {
	failures []outcome
	total    uint64 // of their shares
	failing  uint64 // calls of 1,000 that fail
}

func newOutcomes(failures []outcome, failing uint64) outcomes {
	o := outcomes{failures: failures, failing: failing}
	for i := range failures {
		o.total += failures[i].share
	}
	return o
}

// failure picks a failure of a call to a bot or to a person.
func (o *outcomes) failure(r *rng, bot bool) *outcome {
	n := r.below(o.total)
	for i := range o.failures {
		f := &o.failures[i]
		if n < f.share {
			if f.bots && !bot || f.unknown && bot {
				break
			}
			return f
		}
		n -= f.share
	}
	return &o.failures[0]
}
