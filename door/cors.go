package door

import (
	"net/http"
	"strings"
)

// The answers to preflights.
const (
	// corsMethods are all that a page could want to use. A method that next does
	// not know is then refused by next, in words, and not by the browser.
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
	// corsExposed are the headers of answers that a page may read, beside those
	// that it always may.
	corsExposed = "Allow, Content-Range, ETag, Location, OData-Version, Preference-Applied, Retry-After, WWW-Authenticate, " +
		"client-request-id, request-id, x-ms-request-id"
	// corsAge is how many seconds a browser may remember the answer.
	corsAge = "3600"
)

// CORS lets web pages of any origin use next, and answers their preflights with
// 204 (CORS protocol of the Fetch standard, fetch.spec.whatwg.org). What next
// refuses can be read by the page, too.
//
// It is for what asks for a token in each request, or for nothing at all. The
// origin is "*", with which a browser sends no cookies and no certificate of its
// own, so a page can do nothing here that it could not do from elsewhere.
//
// The origin stands in each answer, also in those that no page has asked for: a
// browser may keep them and give them to a page later.
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
		// "*" would not stand for Authorization, so the names are repeated.
		if asked := r.Header.Values("Access-Control-Request-Headers"); len(asked) > 0 {
			h.Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
		}
		h.Set("Access-Control-Max-Age", corsAge)
		w.WriteHeader(http.StatusNoContent)
	})
}
