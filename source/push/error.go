package push

import (
	"fmt"
	"net/http"
	"time"
)

// An Error is an answer to a request that was not taken, or not to its end.
// Calls that were accepted before stay: the message says so, and sending
// everything again changes nothing about them.
type Error struct {
	Status     int           // of HTTP, 400 to 599
	Code       string        // a word for programs, such as "BadRequest"
	Message    string        // for people
	Details    []Problem     // of a body in which no record was good
	RetryAfter time.Duration // Retry-After; 0 is none
	Allow      string        // Allow; empty is none
	Err        error         // what went wrong, for the log alone
	Cause      Cause         // as which it is counted
}

// Error says what the sender is told, and the cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns what went wrong.
func (e *Error) Unwrap() error { return e.Err }

const allowed = "POST, OPTIONS"

func methodNotAllowed() *Error {
	return &Error{Status: http.StatusMethodNotAllowed, Code: "MethodNotAllowed", Message: "Calls are delivered by POST.", Allow: allowed, Cause: Method}
}

func unsupported(message string) *Error {
	return &Error{Status: http.StatusUnsupportedMediaType, Code: "UnsupportedMediaType", Message: message, Cause: MediaType}
}

func badQuery(message string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: message, Cause: Query}
}

func badKey() *Error {
	return &Error{
		Status: http.StatusBadRequest, Code: "BadRequest",
		Message: fmt.Sprintf("An Idempotency-Key is one header of 1 to %d visible ASCII characters.", maxKey), Cause: Key,
	}
}

func reusedKey() *Error {
	return &Error{
		Status: http.StatusUnprocessableEntity, Code: "IdempotencyKeyReused",
		Message: "This Idempotency-Key was used for another body less than 24 hours ago. Nothing was taken: send this body with a key of its own.", Cause: KeyReused,
	}
}

func keyInUse() *Error {
	return &Error{
		Status: http.StatusConflict, Code: "IdempotencyKeyInUse",
		Message: "A request with this Idempotency-Key is still being worked on. Send it again later.", RetryAfter: time.Second, Cause: KeyInUse,
	}
}

func tooLarge(most int64) *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge",
		Message: fmt.Sprintf("The body has more than %d MiB, packed or unpacked. Send it in parts.", max(1, most>>20)), Cause: TooLarge,
	}
}

func tooDense() *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge",
		Message: fmt.Sprintf("The body has more than %d times as many bytes unpacked as packed. Send it unpacked, or in parts.", mostRatio), Cause: Dense,
	}
}

func brokenBody(message string, err error) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: message, Err: err, Cause: Broken}
}

func timedOut(err error) *Error {
	return &Error{
		Status: http.StatusRequestTimeout, Code: "RequestTimeout",
		Message: "The body took too long to arrive.", Err: err, Cause: Timeout,
	}
}

func noRecords() *Error {
	return &Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "There is no record in the body.", Cause: Empty}
}

func allBad(a *Answer) *Error {
	e := &Error{
		Status: http.StatusBadRequest, Code: "BadRequest",
		Message: fmt.Sprintf("None of the %d records can be taken; details say why.", a.Rejected), Details: a.Errors, Cause: AllBad,
	}
	if a.More > 0 {
		e.Message += fmt.Sprintf(" %d more are not shown.", a.More)
	}
	return e
}

func tooManyBad(a *Answer, line int64) *Error {
	return &Error{
		Status: http.StatusBadRequest, Code: "TooManyErrors",
		Message: fmt.Sprintf("%d records cannot be taken; behind line %d nothing was read any more.", a.Rejected, line), Details: a.Errors, Cause: TooManyBad,
	}
}

func busy() *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "serviceNotAvailable",
		Message: "Too many requests are being worked on. Please retry later.", RetryAfter: time.Second, Cause: Busy,
	}
}

func slow(err error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "serviceNotAvailable",
		Message: "The store is slow. Please retry later: sending a record twice is harmless.", RetryAfter: 5 * time.Second, Err: err, Cause: Slow,
	}
}

func full(err error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "serviceNotAvailable",
		Message: "The store has no space left. Please retry later.", RetryAfter: 30 * time.Second, Err: err, Cause: Full,
	}
}

func storeFailed(err error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "serviceNotAvailable",
		Message: "The store does not answer. Please retry later: sending a record twice is harmless.", RetryAfter: 5 * time.Second, Err: err, Cause: Failed,
	}
}

// soFar adds to an error what was accepted before.
func (e *Error) soFar(a *Answer) *Error {
	if a.Accepted > 0 {
		e.Message += fmt.Sprintf(" %d records of this body were accepted before and are kept; sending them again changes nothing.", a.Accepted)
	}
	return e
}
