package auth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// The errors by which callers decide what to do. They are wrapped with what was
// being done.
var (
	// ErrInvalid is the caller's mistake; the text that wraps it says which.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound says that there is no such tenant, client or key.
	ErrNotFound = errors.New("not found")
	// ErrConflict is what [KV.Save] returns if its condition does not hold.
	ErrConflict = errors.New("changed meanwhile")
)

// An Error says why a request was not let in, in the words of Microsoft Graph.
// The texts of its fields may be sent to the client; Err may not.
type Error struct {
	Status    int    // 401, 403 or 503
	Code      string // Graph's error.code
	Message   string // Graph's error.message; it may be empty
	Challenge string // value of the WWW-Authenticate header; empty if there is none
	// Hint says what the client may have overlooked where Message, being
	// Graph's, does not; often empty.
	Hint string
	// RetryAfter is the value of the Retry-After header in whole seconds; 0 is
	// none.
	RetryAfter int
	Err        error // the cause, for the log; nil if the request is to blame
}

func (e *Error) Error() string {
	s := fmt.Sprintf("auth: %d %s", e.Status, e.Code)
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// The messages of Graph for a token that is no good. Clients print them and
// people search for them.
const (
	msgEmpty       = "Access token is empty."
	msgMalformed   = "CompactToken parsing failed with error code: 80049217"
	msgAudience    = "Access token validation failure. Invalid audience."
	msgIssuer      = "Access token validation failure. Invalid issuer."
	msgSignature   = "Access token validation failure. Invalid signature."
	msgClaims      = "Access token validation failure. Invalid claims."
	msgExpired     = "Lifetime validation failed, the token is expired."
	msgNotYet      = "Lifetime validation failed, the token is not yet valid."
	msgUnknownApp  = "Access token validation failure. The application is disabled or does not exist any more."
	msgRevoked     = "Access token validation failure. The token has been revoked."
	msgTenant      = "Access token validation failure. The tenant does not exist any more."
	hintNoToken    = "The request had no access token. SDKs leave it out without a word when the host is not among the allowed hosts of their authentication provider."
	hintNoBearer   = "The Authorization header has no token in it: it is 'Bearer', a space and the token."
	hintTwice      = "The word Bearer stands twice in the Authorization header."
	hintQuoted     = "What follows Bearer is not the token alone: it begins with a quote or a brace."
	hintNotAToken  = "What follows Bearer is no token: that has three parts with dots between them. Is the variable set that it comes from?"
	hintNotOurs    = "The token was not issued by this server: get one from its own /{tenant}/oauth2/v2.0/token, or let it know tokens of Entra with --entra-tenant."
	hintForGraph   = "The token is for Microsoft Graph, and nobody else can check such: ask Entra for one of the audience that --entra-audience names."
	challengeEmpty = `Bearer realm=""`
	challengeBad   = `Bearer realm="", error="invalid_token"`
	challengeRole  = `Bearer realm="", error="insufficient_scope"`
)

// No challenge may have a parameter whose name begins with "claims": the SDKs
// take it for a demand to fetch another token.

// unauthorized returns the error for a token that is no good.
func unauthorized(message string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "InvalidAuthenticationToken", Message: message, Challenge: challengeBad}
}

// noToken returns the error for a request without a token. RFC 6750, section 3
// wants no error code in the challenge then.
func noToken() *Error {
	e := unauthorized(msgEmpty)
	e.Challenge = challengeEmpty
	return e.hinted(hintNoToken)
}

// noBearer returns the error for a request whose Authorization header holds
// something else than a token.
func noBearer() *Error {
	return noToken().hinted(hintNoBearer)
}

// hinted returns e with a hint.
func (e *Error) hinted(hint string) *Error {
	e.Hint = hint
	return e
}

// malformed returns the error for a token that cannot be read. The hint says
// what scripts do wrong; it never shows what was sent.
func malformed(token string) *Error {
	e := unauthorized(msgMalformed)
	switch {
	case len(token) >= len("Bearer") && strings.EqualFold(token[:len("Bearer")], "Bearer"):
		return e.hinted(hintTwice)
	case token != "" && strings.Contains(`"'{[<`, token[:1]):
		return e.hinted(hintQuoted)
	case strings.Count(token, ".") != 2 || !strings.HasPrefix(token, "eyJ"): // {" in base64url
		return e.hinted(hintNotAToken)
	}
	return e
}

// forbidden returns the error for a good token without the role. Graph's
// message is empty here.
func forbidden() *Error {
	return &Error{Status: http.StatusForbidden, Code: "Forbidden", Challenge: challengeRole}
}

// unavailable returns the error for a request that could not be judged.
func unavailable(err error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: "serviceNotAvailable", Message: "The service cannot check access tokens now. Please retry later.", RetryAfter: 5, Err: err}
}
