package node

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/source/push"
)

// TestPushRefusal: who may not deliver is told how to; that nobody can tell who
// may is the server's trouble, and counted so.
func TestPushRefusal(t *testing.T) {
	var g *graph.Error
	if err := pushRefusal(&graph.Error{Status: http.StatusForbidden}); !errors.As(err, &g) || !strings.Contains(g.Message, auth.RoleIngest) {
		t.Errorf("forbidden: %v", err)
	}
	var p *push.Error
	err := pushRefusal(&graph.Error{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "later", RetryAfter: time.Second, Err: io.EOF})
	if !errors.As(err, &p) || p.Cause != push.Failed || p.RetryAfter != time.Second || !errors.Is(err, io.EOF) {
		t.Errorf("unavailable: %#v", err)
	}
	if err := pushRefusal(io.EOF); !errors.Is(err, io.EOF) {
		t.Errorf("another error: %v", err)
	}
}
