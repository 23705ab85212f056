package push

// A Cause is why a request was refused, or a record in one was not taken.
type Cause uint8

// The causes for which requests are refused.
const (
	Unauthorized Cause = iota // no token, or one without the role
	Method                    // not POST
	MediaType                 // not JSON in UTF-8
	Encoding                  // packed, but not by gzip
	Query                     // unknown parameters
	Key                       // the Idempotency-Key is none
	KeyReused                 // it belongs to another body
	KeyInUse                  // another request with it is being worked on
	TooLarge                  // the body
	Dense                     // the body, unpacked, for what it is packed
	Broken                    // the body ends early, or the gzip is damaged
	Timeout                   // the body came too slowly
	Empty                     // no record in the body
	AllBad                    // no good record in the body
	TooManyBad                // so many bad ones that the rest was not read
	Busy                      // too many requests at once
	Slow                      // the store took too long
	Full                      // the store has no room
	Failed                    // the store, or who knows whose token is good, does not answer

	// The causes for which records are not taken.

	Record  // cannot be read
	TooLong // the line
	Event   // an event that cannot be read
	Refused // can be read and not be kept

	NumCauses
)

var causes = [NumCauses]string{
	"unauthorized", "method", "media-type", "encoding", "query", "key", "key-reused", "key-in-use", "too-large", "dense", "broken", "timeout",
	"empty", "all-bad", "too-many-bad", "busy", "slow", "full", "failed", "record", "too-long", "event", "refused",
}

// String returns the cause's name, such as "too-large".
func (c Cause) String() string {
	if c >= NumCauses {
		return "unknown"
	}
	return causes[c]
}

// OfRecords reports whether records are not taken for this cause, rather than
// requests refused.
func (c Cause) OfRecords() bool { return c >= Record && c < NumCauses }

// code is the word for programs by which the answer names a record's cause.
func (c Cause) code() string {
	switch c {
	case TooLong:
		return "recordTooLong"
	case Event:
		return "invalidEvent"
	case Refused:
		return "recordRefused"
	}
	return "invalidRecord"
}
