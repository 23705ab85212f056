package graph

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/refuse"
)

// TestFailDetails: an error with several faults names each in details, and clients that do not know
// details find the rest where it always is.
func TestFailDetails(t *testing.T) {
	h := New(Config{Store: struct{ call.Reader }{}, Authorize: func(*http.Request) (Caller, error) { return Caller{}, nil }, Key: make([]byte, keySize)})
	for n, want := range []string{
		`{"error":{"code":"BadRequest","message":"m","innerError":{`,
		`{"error":{"code":"BadRequest","message":"m","details":[{"code":"c","target":"line 1","message":"a \"b\""}],"innerError":{`,
		`{"error":{"code":"BadRequest","message":"m","details":[{"code":"c","target":"line 1","message":"a \"b\""},{"code":"c","target":"line 2","message":""}],"innerError":{`,
	} {
		details := []refuse.Detail{{Code: "c", Target: "line 1", Message: `a "b"`}, {Code: "c", Target: "line 2"}}[:n]
		w := httptest.NewRecorder()
		h.Fail(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/x", nil), Caller{}, &refuse.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "m", Details: details})
		if !strings.HasPrefix(w.Body.String(), want) || !json.Valid(w.Body.Bytes()) || w.Code != http.StatusBadRequest {
			t.Errorf("status %d: %s\nwant %s", w.Code, w.Body, want)
		}
	}
}
