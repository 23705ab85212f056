package cli

import (
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/door"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/share"
)

// door returns what all connections come in by.
func (s *serving) door(log *slog.Logger) (*door.Door, error) {
	proxies, err := door.ParseProxies(s.trustedProxies)
	if err != nil {
		return nil, usage("--trusted-proxy: %w", err)
	}
	files := door.Files()
	limits := door.ServerLimits(files, s.maxConnections)
	limits.Exempt = proxies.Trusted
	if s.maxConnections > limits.All || files > 0 && files < door.GoodFiles {
		log.Warn("few files may be open, so that there can be few connections: raise the limit (ulimit -n, LimitNOFILE=)",
			"files", files, "connections", limits.All, "good", door.GoodFiles)
	}
	return door.New(limits), nil
}

// proxies returns the proxies that are believed. That they can be read has been
// checked.
func (s *serving) proxies() door.Proxies {
	p, _ := door.ParseProxies(s.trustedProxies)
	return p
}

// maxHead is how long the headers of a request may be, before anybody has shown
// a token. What is twice as long is not read.
const maxHead = 32 << 10

// A headLimit refuses requests whose headers are too long, and counts answers
// that took too long: it stands before all that answers.
type headLimit struct{ refused, slow atomic.Uint64 }

func (l *headLimit) limit(h http.Handler, api *graph.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if headSize(r) > maxHead {
			l.refused.Add(1)
			w.Header().Set("Connection", "close")
			api.Fail(w, r, graph.Caller{}, &graph.Error{
				Status: http.StatusRequestHeaderFieldsTooLarge, Code: "RequestHeaderFieldsTooLarge",
				Message: "The headers of the request have more than 32 KiB.",
			})
			return
		}
		began := time.Now()
		h.ServeHTTP(w, r)
		// Who delivers calls has deadlines of its own, with counts.
		if time.Since(began) >= responseTime && !strings.HasPrefix(r.URL.Path, ingestPaths) {
			l.slow.Add(1)
		}
	})
}

// headSize returns how long the headers are, as they are written in HTTP/1.
func headSize(r *http.Request) int {
	n := 0
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// processorTurns are what tenants share while what they deliver is read. Pages have
// turns of their own, so that what a tenant delivers does not hold them up.
func processorTurns() *share.Turns[call.GUID] {
	return share.NewTurns[call.GUID](runtime.GOMAXPROCS(0))
}

// limitTime is the time in which the requests of a limit are counted.
const limitTime = 20 * time.Second

// limits are zero if none was asked for, which in strict mode stands for
// Microsoft's.
func (s *serving) limits() graph.Limits {
	var l graph.Limits
	if s.rateLimit > 0 {
		l.Client = graph.Limit{Requests: s.rateLimit, Per: limitTime}
	}
	if s.tenantRateLimit > 0 {
		l.Tenant = graph.Limit{Requests: s.tenantRateLimit, Per: limitTime}
	}
	return l
}
