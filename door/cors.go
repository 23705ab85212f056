package door

import (
	"net/http"
	"strings"
)

// The answers to preflights.
const (
	// corsMethods are all that a page may try. If next does not support one, next refuses it with a
	// text, and the browser does not refuse it without one.
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
	// corsExposed are the headers of answers that a page may read, besides those that it always
	// may.
	corsExposed = "Allow, Content-Range, ETag, Location, OData-Version, Preference-Applied, Retry-After, WWW-Authenticate, " +
		"client-request-id, request-id, x-ms-request-id"
	// corsAge is how many seconds a browser may remember the answer.
	corsAge = "3600"
)

// CORS lets web pages of any origin use next, and answers their preflights with 204 (CORS protocol
// of the Fetch standard, fetch.spec.whatwg.org). A page can also read refusals of next.
//
// It is for handlers that ask for a token in each request, or for nothing at all. The origin is
// "*", with which a browser sends no cookies and no certificate of its own, so a page can do
// nothing here that it could not do from elsewhere.
//
// Every answer names the origin, also those to requests that come from no page: a browser may cache
// them and give them to a page later.
func CORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		if r.Header.Get("Origin") == "" {
			next.ServeHTTP(w, r)
			return
		}
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			h.Set("Access-Control-Expose-Headers", corsExposed)
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", corsMethods)
		// "*" does not cover Authorization, so the answer repeats the names.
		if asked := r.Header.Values("Access-Control-Request-Headers"); len(asked) > 0 {
			h.Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
		}
		h.Set("Access-Control-Max-Age", corsAge)
		w.WriteHeader(http.StatusNoContent)
	})
}
