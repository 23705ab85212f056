package door

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCORS compares all headers of answers: nothing may be allowed by accident.
func TestCORS(t *testing.T) {
	const page = "https://pages.example"
	h := CORS(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Next", r.Method)
		w.WriteHeader(http.StatusTeapot)
	}))
	open := func(names ...string) http.Header {
		out := http.Header{"Access-Control-Allow-Origin": {"*"}}
		for i := 0; i+1 < len(names); i += 2 {
			out.Set(names[i], names[i+1])
		}
		return out
	}
	methods := []string{"Access-Control-Allow-Methods", corsMethods, "Access-Control-Max-Age", corsAge}
	for _, x := range []struct {
		name, method string
		header       http.Header
		status       int
		want         http.Header
	}{
		{"no page", "GET", nil, 418, open("Next", "GET")},
		{"no page asks for options", "OPTIONS", nil, 418, open("Next", "OPTIONS")},
		{"no page, a method", "OPTIONS", http.Header{"Access-Control-Request-Method": {"GET"}}, 418, open("Next", "OPTIONS")},
		{"a page", "GET", http.Header{"Origin": {page}}, 418, open("Next", "GET", "Access-Control-Expose-Headers", corsExposed)},
		{"a page from a file", "POST", http.Header{"Origin": {"null"}}, 418, open("Next", "POST", "Access-Control-Expose-Headers", corsExposed)},
		{"options without a method", "OPTIONS", http.Header{"Origin": {page}}, 418, open("Next", "OPTIONS", "Access-Control-Expose-Headers", corsExposed)},
		{"a method that is none of a preflight", "GET", http.Header{"Origin": {page}, "Access-Control-Request-Method": {"GET"}}, 418, open("Next", "GET", "Access-Control-Expose-Headers", corsExposed)},
		{"a preflight", "OPTIONS", http.Header{"Origin": {page}, "Access-Control-Request-Method": {"GET"}}, 204, open(methods...)},
		{
			"a preflight with headers", "OPTIONS",
			http.Header{"Origin": {page}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"authorization,sdkversion", "x-more"}},
			204,
			open(append(methods, "Access-Control-Allow-Headers", "authorization,sdkversion, x-more")...),
		},
	} {
		r := httptest.NewRequest(x.method, "https://trunklog.example/v1.0/x", nil)
		r.Header = x.header
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != x.status {
			t.Errorf("%s: status %d, want %d", x.name, w.Code, x.status)
		}
		if diff := cmp.Diff(x.want, w.Header()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", x.name, diff)
		}
	}
}
