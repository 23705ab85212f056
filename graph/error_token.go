package graph

import (
	"net/http"

	"github.com/trunklog/trunklog/refuse"
)

// [Config.Authorize] returns these errors for requests whose token is missing or invalid.

// NoToken is the answer to a request without an access token. Its message names the usual reason:
// SDKs send no token to a host outside their list of allowed hosts, and do not say so.
func NoToken() *refuse.Error {
	e := badToken("Access token is empty. Microsoft's SDKs send no token to a host that they do not know: " +
		"add this server's host name, without a port, to the allowed hosts of the authentication provider.")
	e.Challenge = `Bearer realm=""`
	return e
}

// MalformedToken is the answer to an access token that the server cannot parse.
func MalformedToken() *refuse.Error {
	return badToken("CompactToken parsing failed with error code: 80049217")
}

// WrongAudience is the answer to an access token for another API.
func WrongAudience() *refuse.Error {
	return badToken("Access token validation failure. Invalid audience.")
}

// ExpiredToken is the answer to an access token that has expired or is not valid yet.
func ExpiredToken() *refuse.Error {
	return badToken("Lifetime validation failed, the token is expired.")
}

// BadSignature is the answer to an access token that its issuer did not sign.
func BadSignature() *refuse.Error {
	return badToken("Access token validation failure. Invalid signature.")
}

// badToken returns the answer to an invalid token. Its challenge has no "claims", because SDKs
// would fetch a new token for those, over and over.
func badToken(message string) *refuse.Error {
	return &refuse.Error{
		Status:    http.StatusUnauthorized,
		Code:      "InvalidAuthenticationToken",
		Message:   message,
		Challenge: `Bearer realm="", error="invalid_token"`,
	}
}

// Forbidden is the answer to a valid token that lacks the application role or is a user's. Its
// message is empty, as in Graph.
func Forbidden() *refuse.Error {
	return &refuse.Error{Status: http.StatusForbidden, Code: "Forbidden"}
}
