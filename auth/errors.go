package auth

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/trunklog/trunklog/refuse"
)

// Errors that callers distinguish. The text around them says which operation failed.
var (
	// ErrInvalid is a mistake of the caller; the error around it describes the mistake.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound means that there is no such tenant, client or key.
	ErrNotFound = errors.New("not found")
	// ErrConflict is the error of [KV.Save] if its condition does not hold.
	ErrConflict = errors.New("changed meanwhile")
)

// Graph's messages for a token that is not valid, which clients print and operators search for, and
// our own hints.
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

// The server refuses a request in the words of Microsoft Graph, with status 401, 403 or 503. No
// challenge may have a parameter whose name begins with "claims", because the SDKs would fetch
// another token.

// unauthorized returns the error for a token that is not valid.
func unauthorized(message string) *refuse.Error {
	return &refuse.Error{Status: http.StatusUnauthorized, Code: "InvalidAuthenticationToken", Message: message, Challenge: challengeBad}
}

// noToken returns the error for a request without a token. Its challenge has no error code (RFC
// 6750, section 3).
func noToken() *refuse.Error {
	e := unauthorized(msgEmpty)
	e.Challenge = challengeEmpty
	return hinted(e, hintNoToken)
}

// noBearer returns the error for a request whose Authorization header holds no bearer token.
func noBearer() *refuse.Error {
	return hinted(noToken(), hintNoBearer)
}

// hinted returns e with a hint.
func hinted(e *refuse.Error, hint string) *refuse.Error {
	e.Hint = hint
	return e
}

// malformed returns the error for a token that the server cannot parse. The hint names the usual
// mistake in a script, and never shows what the client sent.
func malformed(token string) *refuse.Error {
	e := unauthorized(msgMalformed)
	switch {
	case len(token) >= len("Bearer") && strings.EqualFold(token[:len("Bearer")], "Bearer"):
		return hinted(e, hintTwice)
	case token != "" && strings.Contains(`"'{[<`, token[:1]):
		return hinted(e, hintQuoted)
	case strings.Count(token, ".") != 2 || !strings.HasPrefix(token, "eyJ"): // {" in base64url
		return hinted(e, hintNotAToken)
	}
	return e
}

// forbidden returns the error for a valid token that lacks the role or belongs to a user. Graph's
// message is empty here.
func forbidden() *refuse.Error {
	return &refuse.Error{Status: http.StatusForbidden, Code: "Forbidden", Challenge: challengeRole}
}

// unavailable returns the error for a request that the server cannot judge now.
func unavailable(err error) *refuse.Error {
	return &refuse.Error{Status: http.StatusServiceUnavailable, Code: "serviceNotAvailable", Message: "The service cannot check access tokens now. Please retry later.", RetryAfter: 5 * time.Second, Err: err}
}
