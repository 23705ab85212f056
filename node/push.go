package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format/graphjson"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/refuse"
	"github.com/trunklog/trunklog/source"
	"github.com/trunklog/trunklog/source/push"
)

// requests returns what the node gives to sources on the server's own ports. Such a source takes
// calls for the tenant of each token.
func requests(c *Config, st call.Store, authority *auth.Authority, api *graph.Handler) source.Requests {
	return source.Requests{
		Decode:    graphjson.Decode,
		Authorize: func(r *http.Request, kind call.Kind) (push.Admission, error) { return admit(authority, r, kind) },
		Fail: func(w http.ResponseWriter, r *http.Request, by push.Caller, err error) {
			api.Fail(w, r, graph.Caller{Tenant: by.Tenant, Client: by.Client}, err)
		},
		State:   st,
		Timeout: c.PushTimeout,
		Turns:   processorTurns(),
	}
}

// ingestRoles returns the roles of which a client needs one to deliver records of a kind. Kind 0 is
// unknown and stands for every kind: then they are all roles with which a client may deliver any.
func ingestRoles(kind call.Kind) []string {
	switch kind {
	case 0:
		return []string{auth.RoleIngest, auth.RoleIngestGraph}
	case call.Graph:
		return []string{auth.RoleIngestGraph}
	}
	return []string{auth.RoleIngest}
}

// admit lets a caller in that may deliver records of that kind, for as long as it may.
func admit(a *auth.Authority, r *http.Request, kind call.Kind) (push.Admission, error) {
	roles := ingestRoles(kind)
	id, err := a.Verify(r.Context(), r, roles...)
	if err != nil {
		return push.Admission{}, pushRefusal(err, roles)
	}
	by, err := callerOf(r, id)
	return push.Admission{
		Caller: push.Caller{Tenant: by.Tenant, Client: by.Client},
		Still:  func(ctx context.Context) error { return pushRefusal(a.Still(ctx, id, roles...), roles) },
	}, err
}

// pushRefusal tells a client whose valid token has none of the roles how to get the first of them.
// For clients of the API such a refusal has no text, because Graph's has none.
func pushRefusal(err error, roles []string) error {
	var e *refuse.Error
	if !errors.As(err, &e) || e.Status != http.StatusForbidden || e.Text() != "" {
		return err
	}
	told := *e
	told.Message = fmt.Sprintf("The token does not grant the role %s: give it to the application in Entra.", roles[0])
	if e.Client != "" {
		told.Message = fmt.Sprintf("The token does not grant the role %[1]s: give it to the client with 'trunklog client set %[2]s --tenant %[3]s --role %[1]s', then get a new token.", roles[0], e.Client, e.Tenant)
	}
	return &told
}
