package node

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/refuse"
)

// TestPushRefusal: a client that may not deliver learns how to get the role, and any other refusal
// stays as it is.
func TestPushRefusal(t *testing.T) {
	const tenant, client = "c0471050-0000-4000-8000-000000000001", "c0471050-0000-4000-8000-000000000002"
	for _, roles := range [][]string{ingestRoles(call.CDR), ingestRoles(call.Graph)} {
		var e *refuse.Error
		forbidden := refuse.Error{Status: http.StatusForbidden, Challenge: "x"}
		if err := pushRefusal(&forbidden, roles); !errors.As(err, &e) || !strings.Contains(e.Message, roles[0]+": give it to the application in Entra") || e.Challenge != "x" {
			t.Errorf("forbidden, of Entra: %v", err)
		}
		forbidden.Tenant, forbidden.Client = tenant, client
		if err := pushRefusal(&forbidden, roles); !errors.As(err, &e) || !strings.Contains(e.Message, "'trunklog client set "+client+" --tenant "+tenant+" --role "+roles[0]+"'") {
			t.Errorf("forbidden, of ours: %v", err)
		}
	}
	for _, err := range []error{nil, io.EOF, &refuse.Error{Status: http.StatusForbidden, Message: "x"}, &refuse.Error{Status: http.StatusServiceUnavailable}} {
		if got := pushRefusal(err, ingestRoles(call.CDR)); got != err { //nolint:errorlint // the very same
			t.Errorf("%v became %v", err, got)
		}
	}
}
