package node

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/refuse"
)

// TestPushRefusal: who may not deliver is told how to, and all other refusals stay as
// they are.
func TestPushRefusal(t *testing.T) {
	var e *refuse.Error
	if err := pushRefusal(&refuse.Error{Status: http.StatusForbidden}); !errors.As(err, &e) || !strings.Contains(e.Message, auth.RoleIngest) {
		t.Errorf("forbidden: %v", err)
	}
	for _, err := range []error{nil, io.EOF, &refuse.Error{Status: http.StatusForbidden, Message: "x"}, &refuse.Error{Status: http.StatusServiceUnavailable}} {
		if got := pushRefusal(err); got != err { //nolint:errorlint // the very same
			t.Errorf("%v became %v", err, got)
		}
	}
}
