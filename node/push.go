package node

import (
	"errors"
	"net/http"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format/graphjson"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/refuse"
	"github.com/trunklog/trunklog/source"
	"github.com/trunklog/trunklog/source/push"
)

// requests returns what sources need that are asked on the server's own ports: they
// take calls for the tenant of each token.
func requests(c *Config, st call.Store, authority *auth.Authority, api *graph.Handler) source.Requests {
	verify := authorize(authority, auth.RoleIngest)
	return source.Requests{
		Decode: graphjson.Decode,
		Authorize: func(r *http.Request) (push.Caller, error) {
			by, err := verify(r)
			return push.Caller{Tenant: by.Tenant, Client: by.Client}, pushRefusal(err)
		},
		Fail: func(w http.ResponseWriter, r *http.Request, by push.Caller, err error) {
			api.Fail(w, r, graph.Caller{Tenant: by.Tenant, Client: by.Client}, err)
		},
		State:   st,
		Timeout: c.PushTimeout,
		Turns:   processorTurns(),
	}
}

// pushRefusal tells who has a good token without the role how to get it. To
// clients of the API such a refusal says nothing, because Graph's does not.
func pushRefusal(err error) error {
	var e *refuse.Error
	if !errors.As(err, &e) || e.Status != http.StatusForbidden || e.Text() != "" {
		return err
	}
	told := *e
	told.Message = "The token does not grant the role " + auth.RoleIngest + ": give it to a client with 'trunklog client create NAME --role " + auth.RoleIngest + "', or to the application in Entra."
	return &told
}
