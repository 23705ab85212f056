package node

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
	"github.com/trunklog/trunklog/refuse"
	"github.com/trunklog/trunklog/share"
)

// maxHead is the longest that the headers of a request may be, in bytes; it applies to callers
// without a token too. net/http stops to read at about twice as much.
const maxHead = 32 << 10

// A headLimit refuses requests whose headers are too long, and counts answers that took too long.
// It stands before the routes.
type headLimit struct{ refused, slow atomic.Uint64 }

func (l *headLimit) limit(h http.Handler, api *graph.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if headSize(r) > maxHead {
			l.refused.Add(1)
			w.Header().Set("Connection", "close")
			api.Fail(w, r, graph.Caller{}, &refuse.Error{
				Status: http.StatusRequestHeaderFieldsTooLarge, Code: "RequestHeaderFieldsTooLarge",
				Message: "The headers of the request have more than 32 KiB.",
			})
			return
		}
		began := time.Now()
		h.ServeHTTP(w, r)
		// Requests that deliver calls have deadlines of their own, with counts.
		if time.Since(began) >= responseTime && !strings.HasPrefix(r.URL.Path, ingestPaths) {
			l.slow.Add(1)
		}
	})
}

// headSize returns the length of the headers in bytes, as HTTP/1 writes them.
func headSize(r *http.Request) int {
	n := 0
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// processorTurns are the turns in which the node reads what tenants deliver. Pages have turns of
// their own, so that a tenant's deliveries do not hold them up.
func processorTurns() *share.Turns[call.GUID] {
	return share.NewTurns[call.GUID](runtime.GOMAXPROCS(0))
}

// injected returns the counts of faults by their names.
func injected(n graph.Injected) map[string]uint64 {
	return map[string]uint64{"429": n.Throttled, "503": n.Unavailable, "latency": n.Delayed, "cut": n.Cut}
}

// newDoor returns the door through which all connections come in.
func newDoor(most int, proxies door.Proxies, log *slog.Logger) *door.Door {
	files := door.Files()
	limits := door.ServerLimits(files, most)
	limits.Exempt = proxies.Trusted
	if most > limits.All || files > 0 && files < door.GoodFiles {
		log.Warn("few files may be open, so that there can be few connections: raise the limit (ulimit -n, LimitNOFILE=)",
			"files", files, "connections", limits.All, "good", door.GoodFiles)
	}
	return door.New(limits)
}
