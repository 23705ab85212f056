package graph

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/refuse"
)

// asError returns the refusal with which the server answers an error of any kind.
func asError(err error) *refuse.Error {
	var e *refuse.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, call.ErrInvalid):
		return badRequest(strings.Replace(err.Error(), call.ErrInvalid.Error()+": ", "", 1))
	case errors.Is(err, call.ErrNotFound):
		return &refuse.Error{Status: http.StatusNotFound, Code: "NotFound", Err: err}
	case errors.Is(err, call.ErrClosed), errors.Is(err, call.ErrFull), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Unavailable(err)
	}
	return &refuse.Error{
		Status:  http.StatusInternalServerError,
		Code:    "UnknownError",
		Message: "The server could not answer. Its log says why under this request-id.",
		Err:     err,
	}
}

// TooManyRequests is the answer to a caller that must wait, a second at least.
func TooManyRequests(wait time.Duration) *refuse.Error {
	return &refuse.Error{
		Status:     http.StatusTooManyRequests,
		Code:       "TooManyRequests",
		Message:    "Please retry again later.",
		RetryAfter: max(wait, time.Second),
	}
}

// Unavailable is the answer while the server cannot serve. Microsoft's SDKs retry by themselves.
func Unavailable(cause error) *refuse.Error {
	return &refuse.Error{
		Status:     http.StatusServiceUnavailable,
		Code:       "serviceNotAvailable",
		Message:    "The service is temporarily not available. Please retry again later.",
		RetryAfter: 2 * time.Second,
		Err:        cause,
	}
}

func badRequest(message string) *refuse.Error {
	return &refuse.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: message}
}

func notFound(message string) *refuse.Error {
	return &refuse.Error{Status: http.StatusNotFound, Code: "NotFound", Message: message}
}

func notAcceptable(message string) *refuse.Error {
	return &refuse.Error{Status: http.StatusNotAcceptable, Code: "NotAcceptable", Message: message}
}

func uriTooLong() *refuse.Error {
	return &refuse.Error{Status: http.StatusRequestURITooLong, Code: "RequestUriTooLong", Message: "The path and the query of the URI have more than 8,192 bytes."}
}

// allowed lists the methods of every path but $batch.
const allowed = "GET, HEAD, OPTIONS"

func methodNotAllowed(allowed string) *refuse.Error {
	return &refuse.Error{
		Status:  http.StatusMethodNotAllowed,
		Code:    "MethodNotAllowed",
		Message: "Specified HTTP method is not allowed for the request target.",
		Allow:   allowed,
	}
}

// statusGone is the status in the log if the client did not wait for the answer, as in nginx.
const statusGone = 499

// fail answers the request with err.
func (x *exchange) fail(err error) {
	e := asError(err)
	x.err = e.Err
	x.rows = 0
	head := x.w.Header()
	head.Del("Preference-Applied")
	if e.Challenge != "" {
		head.Set("WWW-Authenticate", e.Challenge)
	}
	if e.RetryAfter > 0 {
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		head.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if e.Allow != "" {
		head.Set("Allow", e.Allow)
	}
	buf := x.h.body()
	defer x.h.keep(buf)
	*buf = x.appendError(*buf, e)
	// The context is done if the client is gone, and also if the server stops. In the second case
	// the client may still read the answer.
	x.send(e.Status, "application/json", *buf)
	if errors.Is(x.r.Context().Err(), context.Canceled) {
		x.status = statusGone
	}
}

// appendError appends Graph's error object. Its message is always there, and its date has no zone:
// SDKs rely on both.
func (x *exchange) appendError(b []byte, e *refuse.Error) []byte {
	b = appendText(append(b, `{"error":{"code":`...), e.Code)
	b = appendText(append(b, `,"message":`...), e.Text())
	b = appendDetails(b, e.Details)
	b = append(b, `,"innerError":{`...)
	throttled := e.Status == http.StatusTooManyRequests
	if throttled {
		b = append(b, `"code":"429",`...)
	}
	b = appendText(append(b, `"date":`...), x.begun.UTC().Format("2006-01-02T15:04:05"))
	if throttled {
		b = append(b, `,"message":"Please retry after"`...)
	}
	b = appendText(append(b, `,"request-id":`...), x.id)
	b = appendText(append(b, `,"client-request-id":`...), x.clientID)
	if throttled {
		b = append(b, `,"status":"429"`...)
	}
	return append(b, "}}}"...)
}

func appendDetails(b []byte, all []refuse.Detail) []byte {
	for i, d := range all {
		if i == 0 {
			b = append(b, `,"details":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendText(append(b, `{"code":`...), d.Code)
		b = appendText(append(b, `,"target":`...), d.Target)
		b = append(appendText(append(b, `,"message":`...), d.Message), '}')
	}
	if len(all) > 0 {
		b = append(b, ']')
	}
	return b
}
