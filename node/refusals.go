package node

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// The log tells of the refused calls of one sender and trunk once in tellRefusal, and remembers
// mostRefusals such pairs at most, because a sender may name any trunk.
const (
	tellRefusal   = time.Hour
	mostRefusals  = 1000
	shownInLog    = 100 // characters of a name
	refusalAdvice = "if it may speak for this trunk, say so: trunklog tenant set TENANT --sender-name NAME=TRUNK --yes"
)

// refusals tell the operator of senders whose certificate gives them no right to speak of a trunk's
// calls.
type refusals struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	last  map[[3]string]time.Time
	count map[string]uint64 // messages by source
}

func newRefusals(c *Config) *refusals {
	return &refusals{log: c.Log, now: c.Now, last: map[[3]string]time.Time{}, count: map[string]uint64{}}
}

// of returns how many messages to a source were refused since the start.
func (r *refusals) of(source string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count[source]
}

// tell counts a refused message, and logs it once an hour for each source, sender and trunk.
func (r *refusals) tell(source string, names []string, trunk string) {
	of := [3]string{source, strings.Join(names, ","), trunk}
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count[source]++
	if last, ok := r.last[of]; ok && now.Sub(last) < tellRefusal && now.Sub(last) >= 0 {
		return
	}
	if len(r.last) >= mostRefusals {
		for k, at := range r.last {
			if now.Sub(at) >= tellRefusal {
				delete(r.last, k)
			}
		}
		if len(r.last) >= mostRefusals {
			return
		}
	}
	r.last[of] = now
	sender := of[1]
	if sender == "" {
		sender = "a certificate without host names"
	}
	r.log.Warn("a sender's certificate does not bear the trunk's name: what it says of the trunk's calls is refused",
		"source", source, "sender", cut(sender), "trunk", cut(trunk), "do", refusalAdvice)
}

// cut shortens a text that a sender may have made long.
func cut(s string) string {
	if len(s) > shownInLog {
		return strings.ToValidUTF8(s[:shownInLog], "") + "…"
	}
	return s
}
