package graph

import (
	"net/http"

	"github.com/trunklog/trunklog/refuse"
)

// The answers to requests whose token is missing or no good, for
// [Config.Authorize].

// NoToken is the answer to a request without an access token. It tells of the
// trap that is nearly always the reason: outside of a list of hosts, SDKs send
// no token and do not say so.
func NoToken() *refuse.Error {
	e := badToken("Access token is empty. Microsoft's SDKs send no token to a host that they do not know: " +
		"add this server's host name, without a port, to the allowed hosts of the authentication provider.")
	e.Challenge = `Bearer realm=""`
	return e
}

// MalformedToken is the answer to an access token that cannot be read.
func MalformedToken() *refuse.Error {
	return badToken("CompactToken parsing failed with error code: 80049217")
}

// WrongAudience is the answer to an access token for another API.
func WrongAudience() *refuse.Error {
	return badToken("Access token validation failure. Invalid audience.")
}

// ExpiredToken is the answer to an access token whose time is over, or has not
// yet come.
func ExpiredToken() *refuse.Error {
	return badToken("Lifetime validation failed, the token is expired.")
}

// BadSignature is the answer to an access token that its issuer did not sign.
func BadSignature() *refuse.Error {
	return badToken("Access token validation failure. Invalid signature.")
}

// badToken returns an answer for a token that is no good. Its challenge has no
// "claims", for which SDKs would fetch a new token, over and over.
func badToken(message string) *refuse.Error {
	return &refuse.Error{
		Status:    http.StatusUnauthorized,
		Code:      "InvalidAuthenticationToken",
		Message:   message,
		Challenge: `Bearer realm="", error="invalid_token"`,
	}
}

// Forbidden is the answer to a good token that lacks the application role, or
// is a user's. Graph's own message is empty.
func Forbidden() *refuse.Error {
	return &refuse.Error{Status: http.StatusForbidden, Code: "Forbidden"}
}
