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

// responseTime is how long the server may take to send an answer. It is generous: it is against
// clients that read a byte now and then.
const responseTime = 2 * time.Minute

// formTime is how long the body of a request for a token may take to arrive. Deliveries of calls
// have deadlines of their own.
const formTime = 10 * time.Second

// routes hands each request to the part that answers it. A path that no part serves goes to the
// API, which refuses it in Graph's words.
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
			// The value may hold any part of the request, so the log has only its type and the
			// stack.
			log.Error("bug: a handler panicked", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			api.Fail(w, r, graph.Caller{}, &refuse.Error{Status: http.StatusInternalServerError, Code: "UnknownError"})
		}()
		deadline := http.NewResponseController(w)
		_ = deadline.SetWriteDeadline(time.Now().Add(responseTime))
		_ = deadline.SetReadDeadline(time.Now().Add(time.Minute)) // over HTTP/1 it also ends the request while the server answers
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

// crossOrigin lets web pages use what h serves, refusals included, except deliveries of calls,
// which no web page makes. The admin pages are on other listeners.
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

// ingestPaths is the beginning of the paths for deliveries of calls.
const ingestPaths = "/ingest/"

// withoutPrefix returns r as if the client had sent it without the prefix. It returns a request
// without the prefix unchanged, because a proxy may have removed it.
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

// authorize returns a [graph.Config.Authorize] that requires the given role.
func authorize(a *auth.Authority, role string) func(r *http.Request) (graph.Caller, error) {
	return func(r *http.Request) (graph.Caller, error) {
		id, err := a.Verify(r.Context(), r, role)
		if err != nil {
			return graph.Caller{}, err
		}
		return callerOf(r, id)
	}
}

// callerOf returns the caller of a request with a valid token, and notes that the request is of
// use.
func callerOf(r *http.Request, id auth.Identity) (graph.Caller, error) {
	tenant, err := call.ParseGUID(id.Tenant)
	if err != nil {
		return graph.Caller{}, graph.MalformedToken()
	}
	ofUse(r)
	return graph.Caller{Tenant: tenant, Client: id.Client}, nil
}
