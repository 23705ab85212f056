package node

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/source/push"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestCrossOrigin: a web page may call the API and read its refusals, whichever part refuses. It
// may not deliver calls, with a prefix or without.
func TestCrossOrigin(t *testing.T) {
	api := graph.New(graph.Config{
		Store: storetest.NewModel(), Key: make([]byte, 32),
		Authorize: func(r *http.Request) (graph.Caller, error) {
			switch r.Header.Get("Authorization") {
			case "":
				return graph.Caller{}, graph.NoToken()
			case "Bearer busy":
				return graph.Caller{}, graph.TooManyRequests(0)
			case "Bearer bug":
				panic(errors.New("a bug"))
			}
			return graph.Caller{}, nil
		},
	})
	pushed := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	const calls = "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=2026-11-05,toDateTime=2026-11-06)"
	for _, prefix := range []string{"", "/x"} {
		h := crossOrigin((&headLimit{}).limit(routes(api, pushed, map[string]http.Handler{push.Path: pushed}, prefix, slog.New(slog.DiscardHandler)), api), prefix)
		for _, c := range []struct {
			method, path, token, header string
			status                      int
			open                        bool
		}{
			{"OPTIONS", calls, "", "", 204, true},
			{"GET", calls, "Bearer good", "", 200, true},
			{"GET", calls, "", "", 401, true},
			{"GET", calls, "Bearer busy", "", 429, true},
			{"GET", calls, "Bearer bug", "", 500, true},
			{"GET", "/nothing", "Bearer good", "", 400, true},
			{"DELETE", calls, "Bearer good", "", 405, true},
			{"GET", calls, "Bearer good", strings.Repeat("x", maxHead), 431, true},
			{"OPTIONS", push.Path, "", "", 418, false},
			{"POST", push.Path, "Bearer good", "", 418, false},
			{"POST", push.Path, "Bearer good", strings.Repeat("x", maxHead), 431, false},
			{"GET", "/ingest/v2", "Bearer good", "", 400, false},
		} {
			r := httptest.NewRequestWithContext(t.Context(), c.method, prefix+c.path, nil)
			r.Header.Set("Origin", "https://app.contoso.com")
			r.Header.Set("Authorization", c.token)
			r.Header.Set("X-Long", c.header)
			if c.method == http.MethodOptions {
				r.Header.Set("Access-Control-Request-Method", "GET")
				r.Header.Set("Access-Control-Request-Headers", "authorization,sdkversion")
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			head := w.Header()
			if w.Code != c.status {
				t.Errorf("%s %s%s: status %d, want %d", c.method, prefix, c.path, w.Code, c.status)
			}
			if origin := head.Get("Access-Control-Allow-Origin"); origin == "*" != c.open || c.open != (len(head.Values("Access-Control-Allow-Origin")) == 1) {
				t.Errorf("%s %s%s, status %d: allowed are %q", c.method, prefix, c.path, w.Code, head.Values("Access-Control-Allow-Origin"))
			}
			switch {
			case !c.open:
			case c.method == http.MethodOptions:
				if head.Get("Access-Control-Allow-Headers") != "authorization,sdkversion" || !strings.Contains(head.Get("Access-Control-Allow-Methods"), "GET") {
					t.Errorf("preflight: %v", head)
				}
			default:
				for _, name := range []string{"Retry-After", "request-id", "client-request-id"} {
					if !strings.Contains(head.Get("Access-Control-Expose-Headers"), name) {
						t.Errorf("%s %s%s: a page cannot read %s", c.method, prefix, c.path, name)
					}
				}
			}
		}
	}
}
