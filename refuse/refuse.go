// Package refuse has the one error by which a request is refused. Who refuses it
// makes the error, in Graph's words where Graph has some; who answers writes it in
// the form that its clients know. So a refusal passes from one part of the server to
// another as it is.
//
// What has a wire form of its own, such as the errors of OAuth that package auth
// answers with, is not of this type.
package refuse

import (
	"fmt"
	"time"
)

// An Error is an answer other than the one that was asked for. All of it may be sent
// to the client, but not Err.
type Error struct {
	Status  int    // of HTTP, 400 to 599
	Code    string // a word for programs, such as "BadRequest"
	Message string // for people; empty is what Graph itself often says
	// Hint says what the client may have overlooked where Message, being Graph's,
	// does not; often empty.
	Hint       string
	Details    []Detail      // if several things are wrong
	Challenge  string        // WWW-Authenticate; empty is none
	RetryAfter time.Duration // Retry-After, rounded up to whole seconds; 0 is none
	Allow      string        // Allow; empty is none
	// Tenant and Client are whose the token is that does not grant what is needed
	// (403), if it was issued here; else empty.
	Tenant, Client string
	Err            error // the cause, for the log alone; nil if the request is to blame
}

// A Detail is one of several things that are wrong (OData JSON Format 4.01,
// section 21.1).
type Detail struct {
	Code    string
	Target  string // what it is about, such as "line 3"
	Message string
}

// Error says what the client is told, and the cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("%d %s", e.Status, e.Code)
	if text := e.Text(); text != "" {
		s += ": " + text
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Text returns what people are told: the message and the hint.
func (e *Error) Text() string {
	if e.Message == "" || e.Hint == "" {
		return e.Message + e.Hint
	}
	return e.Message + " " + e.Hint
}
