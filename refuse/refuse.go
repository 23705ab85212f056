// Package refuse has the one error with which the server refuses a request. The part that
// refuses makes the error, in Graph's words where Graph has some. The part that answers writes
// it in the form that its clients know. No part in between has to translate it.
//
// Errors with a wire form of their own, such as the OAuth errors of package auth, are not of
// this type.
package refuse

import (
	"fmt"
	"time"
)

// An Error is a refusal. The server may send all of it to the client except Err.
type Error struct {
	Status  int    // of HTTP, 400 to 599
	Code    string // a word for programs, such as "BadRequest"
	Message string // for people; often empty, as in Graph
	// Hint says what the client may have overlooked, if Message does not; often empty. Message
	// keeps Graph's wording.
	Hint       string
	Details    []Detail      // if several things are wrong
	Challenge  string        // WWW-Authenticate; empty is none
	RetryAfter time.Duration // Retry-After, rounded up to whole seconds; 0 is none
	Allow      string        // Allow; empty is none
	// Tenant and Client own the token that does not grant the request (403). They are empty if
	// another issuer made the token.
	Tenant, Client string
	Err            error // the cause, for the log alone; nil if the client made the mistake
}

// A Detail is one of several things that are wrong (OData JSON Format 4.01,
// section 21.1).
type Detail struct {
	Code    string
	Target  string // what it is about, such as "line 3"
	Message string
}

// Error returns what the client reads, and the cause.
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

// Text returns the message and the hint, for people.
func (e *Error) Text() string {
	if e.Message == "" || e.Hint == "" {
		return e.Message + e.Hint
	}
	return e.Message + " " + e.Hint
}
