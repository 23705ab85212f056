package refuse

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

// TestError: the error says all that is known, without blanks for what is not, and
// its cause is found.
func TestError(t *testing.T) {
	for want, e := range map[string]*Error{
		"403 Forbidden":                         {Status: 403, Code: "Forbidden"},
		"400 BadRequest: m":                     {Status: 400, Code: "BadRequest", Message: "m"},
		"401 Token: h":                          {Status: 401, Code: "Token", Hint: "h"},
		"401 Token: m. h.":                      {Status: 401, Code: "Token", Message: "m.", Hint: "h."},
		"503 serviceNotAvailable: EOF":          {Status: 503, Code: "serviceNotAvailable", Err: io.EOF},
		"503 serviceNotAvailable: m. h.: EOF":   {Status: 503, Code: "serviceNotAvailable", Message: "m.", Hint: "h.", Err: io.EOF},
		"400 BadRequest: details are not there": {Status: 400, Code: "BadRequest", Message: "details are not there", Details: []Detail{{"c", "line 1", "x"}}},
	} {
		if e.Error() != want {
			t.Errorf("%q, want %q", e.Error(), want)
		}
		var found *Error
		if err := fmt.Errorf("serve: %w", e); !errors.As(err, &found) || found != e || errors.Is(err, io.EOF) != (e.Err != nil) {
			t.Errorf("%v is not found in %v", e, err)
		}
	}
}
