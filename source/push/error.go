package push

import (
	"fmt"
	"net/http"
	"time"

	"github.com/trunklog/trunklog/refuse"
)

// A refusal is the answer to a request that was not taken, or not to its end, and the cause that
// counts it. Calls that were accepted before stay: the message says so, and sending them again
// changes nothing.
type refusal struct {
	cause Cause
	told  refuse.Error
}

// Error returns what the sender is told, and the error behind it.
func (r *refusal) Error() string { return r.told.Error() }

// Unwrap returns the [*refuse.Error] that Config.Fail writes.
func (r *refusal) Unwrap() error { return &r.told }

const allowed = "POST, OPTIONS"

func methodNotAllowed() *refusal {
	return &refusal{Method, refuse.Error{Status: http.StatusMethodNotAllowed, Code: "MethodNotAllowed", Message: "Calls are delivered by POST.", Allow: allowed}}
}

func unsupported(message string) *refusal {
	return &refusal{MediaType, refuse.Error{Status: http.StatusUnsupportedMediaType, Code: "UnsupportedMediaType", Message: message}}
}

func badEncoding() *refusal {
	return &refusal{Encoding, refuse.Error{
		Status: http.StatusUnsupportedMediaType, Code: "UnsupportedMediaType",
		Message: "This Content-Encoding is not supported: gzip and identity are possible.",
	}}
}

func badQuery(message string) *refusal {
	return &refusal{Query, refuse.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: message}}
}

func badKey() *refusal {
	return &refusal{Key, refuse.Error{
		Status: http.StatusBadRequest, Code: "BadRequest",
		Message: fmt.Sprintf("An Idempotency-Key is one header of 1 to %d visible ASCII characters.", maxKey),
	}}
}

func reusedKey() *refusal {
	return &refusal{KeyReused, refuse.Error{
		Status: http.StatusUnprocessableEntity, Code: "IdempotencyKeyReused",
		Message: "This Idempotency-Key was used for another body less than 24 hours ago. Nothing was taken: send this body with a key of its own.",
	}}
}

func keyInUse() *refusal {
	return &refusal{KeyInUse, refuse.Error{
		Status: http.StatusConflict, Code: "IdempotencyKeyInUse",
		Message: "A request with this Idempotency-Key is still being worked on. Send it again later.", RetryAfter: time.Second,
	}}
}

func tooLarge(most int64) *refusal {
	return &refusal{TooLarge, refuse.Error{
		Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge",
		Message: fmt.Sprintf("The body has more than %d MiB, packed or unpacked. Send it in parts.", max(1, most>>20)),
	}}
}

func tooDense() *refusal {
	return &refusal{Dense, refuse.Error{
		Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge",
		Message: fmt.Sprintf("The body has more than %d times as many bytes unpacked as packed. Send it unpacked, or in parts.", mostRatio),
	}}
}

func brokenBody(message string, err error) *refusal {
	return &refusal{Broken, refuse.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: message, Err: err}}
}

func timedOut(err error) *refusal {
	return &refusal{Timeout, refuse.Error{
		Status: http.StatusRequestTimeout, Code: "RequestTimeout",
		Message: "The body took too long to arrive.", Err: err,
	}}
}

func noRecords() *refusal {
	return &refusal{Empty, refuse.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "There is no record in the body."}}
}

func allBad(a *Answer) *refusal {
	r := &refusal{AllBad, refuse.Error{
		Status: http.StatusBadRequest, Code: "BadRequest",
		Message: fmt.Sprintf("None of the %d records can be taken; details say why.", a.Rejected), Details: details(a.Errors),
	}}
	if a.More > 0 {
		r.told.Message += fmt.Sprintf(" %d more are not shown.", a.More)
	}
	return r
}

func tooManyBad(a *Answer, line int64) *refusal {
	return &refusal{TooManyBad, refuse.Error{
		Status: http.StatusBadRequest, Code: "TooManyErrors",
		Message: fmt.Sprintf("%d records cannot be taken; behind line %d nothing was read any more.", a.Rejected, line), Details: details(a.Errors),
	}}
}

func busy() *refusal {
	return &refusal{Busy, refuse.Error{
		Status: http.StatusServiceUnavailable, Code: "serviceNotAvailable",
		Message: "Too many requests are being worked on. Please retry later.", RetryAfter: time.Second,
	}}
}

func slow(err error) *refusal {
	return &refusal{Slow, refuse.Error{
		Status: http.StatusServiceUnavailable, Code: "serviceNotAvailable",
		Message: "The store is slow. Please retry later: sending a record twice is harmless.", RetryAfter: 5 * time.Second, Err: err,
	}}
}

func full(err error) *refusal {
	return &refusal{Full, refuse.Error{
		Status: http.StatusServiceUnavailable, Code: "serviceNotAvailable",
		Message: "The store has no space left. Please retry later.", RetryAfter: 30 * time.Second, Err: err,
	}}
}

func storeFailed(err error) *refusal {
	return &refusal{Failed, refuse.Error{
		Status: http.StatusServiceUnavailable, Code: "serviceNotAvailable",
		Message: "The store does not answer. Please retry later: sending a record twice is harmless.", RetryAfter: 5 * time.Second, Err: err,
	}}
}

// notLetIn returns the refusal of a caller. A status of 500 or more means that the server could not
// check the caller, which is not the sender's fault.
func notLetIn(told refuse.Error) *refusal {
	if told.Status >= http.StatusInternalServerError {
		return &refusal{Failed, told}
	}
	return &refusal{Unauthorized, told}
}

// details returns the line and the reason of each record that was not taken.
func details(problems []Problem) (list []refuse.Detail) {
	for _, p := range problems {
		list = append(list, refuse.Detail{Code: p.Code, Target: fmt.Sprintf("line %d", p.Line), Message: p.Message})
	}
	return list
}

// soFar adds to the message how many records were accepted before.
func (r *refusal) soFar(a *Answer) *refusal {
	if a.Accepted > 0 {
		r.told.Message += fmt.Sprintf(" %d records of this body were accepted before and are kept; sending them again changes nothing.", a.Accepted)
	}
	return r
}
