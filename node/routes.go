package node

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/door"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/refuse"
)

// responseTime is how long an answer may take to be sent. It is generous: what
// it stops are clients that read one byte now and then.
const responseTime = 2 * time.Minute

// formTime is how long the body of a request for a token may take to come. Who
// delivers calls has deadlines of its own.
const formTime = 10 * time.Second

// routes leads each request to the part that answers it. Whatever nobody else
// wants goes to the API, which refuses it in Graph's words.
func routes(api *graph.Handler, issuer http.Handler, sources map[string]http.Handler, prefix string, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it this way too
				panic(v)
			}
			// The value may hold anything of the request, so only where it
			// happened is logged.
			log.Error("bug: a handler panicked", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			api.Fail(w, r, graph.Caller{}, &refuse.Error{Status: http.StatusInternalServerError, Code: "UnknownError"})
		}()
		deadline := http.NewResponseController(w)
		_ = deadline.SetWriteDeadline(time.Now().Add(responseTime))
		_ = deadline.SetReadDeadline(time.Now().Add(time.Minute)) // while a page is made, too: then it ends the request
		if prefix != "" {
			r = withoutPrefix(r, prefix)
		}
		source := sources[r.URL.Path]
		switch {
		case source != nil:
			source.ServeHTTP(w, r)
			return
		case isIssuerPath(r.URL.Path):
			_ = deadline.SetReadDeadline(time.Now().Add(formTime))
			issuer.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// crossOrigin lets web pages use what h serves, refusals included, but for what
// delivers calls: no page has to do with that. The admin pages are served elsewhere.
func crossOrigin(h http.Handler, prefix string) http.Handler {
	open := door.CORS(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(strings.TrimPrefix(r.URL.Path, prefix), ingestPaths) {
			h.ServeHTTP(w, r)
			return
		}
		open.ServeHTTP(w, r)
	})
}

// ingestPaths are where calls are delivered.
const ingestPaths = "/ingest/"

// withoutPrefix returns r as if it had been sent without the prefix. A request
// that has none is left as it is: a proxy may have taken it off already.
func withoutPrefix(r *http.Request, prefix string) *http.Request {
	if !strings.HasPrefix(r.RequestURI, prefix+"/") {
		return r
	}
	u := *r.URL
	u.Path = strings.TrimPrefix(u.Path, prefix)
	u.RawPath = strings.TrimPrefix(u.RawPath, prefix)
	r2 := r.Clone(r.Context())
	r2.URL = &u
	r2.RequestURI = strings.TrimPrefix(r.RequestURI, prefix)
	return r2
}

// isIssuerPath reports whether a path is one of the token issuer's:
// /{tenant}/oauth2/…, /{tenant}/v2.0/… or /{tenant}/discovery/….
func isIssuerPath(path string) bool {
	parts := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 3)
	if len(parts) < 3 || strings.EqualFold(parts[0], "v1.0") || strings.EqualFold(parts[0], "beta") {
		return false
	}
	switch strings.ToLower(parts[1]) {
	case "oauth2", "v2.0", "discovery", ".well-known":
		return true
	}
	return false
}

// authorize asks auth who sends a request, for graph. The caller must have the given
// role. A request that has one is of use.
func authorize(a *auth.Authority, role string) func(r *http.Request) (graph.Caller, error) {
	return func(r *http.Request) (graph.Caller, error) {
		id, err := a.Verify(r.Context(), r, role)
		if err != nil {
			return graph.Caller{}, err
		}
		return callerOf(r, id)
	}
}

// callerOf returns who sends a request that has a good token.
func callerOf(r *http.Request, id auth.Identity) (graph.Caller, error) {
	tenant, err := call.ParseGUID(id.Tenant)
	if err != nil {
		return graph.Caller{}, graph.MalformedToken()
	}
	ofUse(r)
	return graph.Caller{Tenant: tenant, Client: id.Client}, nil
}
