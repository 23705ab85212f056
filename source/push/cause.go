package push

// A Cause is the reason why a request was refused, or a record in it was not taken.
type Cause uint8

// The causes for which requests are refused.
const (
	Unauthorized Cause = iota // no token, or one without the role
	Method                    // not POST
	MediaType                 // not JSON in UTF-8
	Encoding                  // packed, but not by gzip
	Query                     // unknown, repeated or wrong parameters
	Key                       // the Idempotency-Key is malformed
	KeyReused                 // the key belongs to another body
	KeyInUse                  // another request with the key is in progress
	TooLarge                  // the body is too large
	Dense                     // the body is too large for its packed size
	Broken                    // the body ends early, or its gzip is damaged
	Timeout                   // the body came too slowly
	Empty                     // no record in the body
	AllBad                    // no good record in the body
	TooManyBad                // so many bad records that the rest was not read
	Busy                      // too many requests at once
	Slow                      // the store took too long
	Full                      // the store has no room
	Failed                    // the store, or the check of tokens, does not answer

	// The causes for which records are not taken.

	Record  // a record that is unreadable
	TooLong // a line that is too long
	Event   // an event that is unreadable
	Refused // a readable record that the sink rejects

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

// OfRecords reports whether c is a cause of records rather than of requests.
func (c Cause) OfRecords() bool { return c >= Record && c < NumCauses }

// code is the word for programs by which an answer names a record's cause.
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
