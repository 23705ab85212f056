package sip

import "strconv"

// A Fault is what is wrong with a SIP message. The set is closed, so that each can have a counter.
// Its error text does not quote the message, which holds phone numbers.
type Fault uint8

// Faults that make bytes no message at all.
const (
	FaultEmpty     Fault = iota + 1 // nothing but line breaks: a keep-alive
	FaultFirstLine                  // neither a request nor a response
	FaultVersion                    // SIP, but not version 2.0
	FaultCut                        // breaks off in front of Call-ID and CSeq, or behind them
	FaultCallID                     // Call-ID missing, empty or endless
	FaultCSeq                       // CSeq missing, unreadable or another method's
)

// Faults of a message that is still usable. FaultCut can be one of these too.
const (
	FaultFrom   Fault = iota + FaultCSeq + 1 // From missing or unreadable
	FaultTo                                  // To missing or unreadable
	FaultTwice                               // Call-ID, CSeq, From or To came again, and the first counts
	FaultUnread                              // a less important part is unreadable

	numFaults
)

// NumFaults is the length of a table with a place for each fault. Place 0 is for none.
const NumFaults = int(numFaults)

// err returns f as an error, and nil if there is no fault.
func (f Fault) err() error {
	if f == 0 {
		return nil
	}
	return f
}

var faults = [...]struct{ name, text string }{
	FaultEmpty:     {"sip-empty", "the SIP message is empty"},
	FaultFirstLine: {"sip-first-line", "the first line is neither a SIP request's nor a response's"},
	FaultVersion:   {"sip-version", "not version 2.0 of SIP"},
	FaultCut:       {"sip-cut", "the SIP message breaks off within its headers"},
	FaultCallID:    {"sip-call-id", "the Call-ID is missing, empty or longer than 1,024 bytes"},
	FaultCSeq:      {"sip-cseq", "the CSeq is missing, not a number below 2^31 with a method, or not of the request's method"},
	FaultFrom:      {"sip-from", "the From is missing or holds no address"},
	FaultTo:        {"sip-to", "the To is missing or holds no address"},
	FaultTwice:     {"sip-twice", "the Call-ID, CSeq, From or To is there twice: the first counts"},
	FaultUnread:    {"sip-unread", "the Request-URI, Contact, P-Asserted-Identity, Session-ID or Session-Expires cannot be read"},
}

// String returns the fault's name, a word such as "sip-call-id".
func (f Fault) String() string {
	if f == 0 || int(f) >= len(faults) {
		return "sip-fault-" + strconv.Itoa(int(f))
	}
	return faults[f].name
}

// Error implements error.
func (f Fault) Error() string {
	if f == 0 || int(f) >= len(faults) {
		return f.String()
	}
	return faults[f].text
}
