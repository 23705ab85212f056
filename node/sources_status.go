package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/trunklog/trunklog/admin"
)

func (l *listening) status() admin.SourceStatus {
	about, totals := l.About(), l.sink.Totals()
	s := admin.SourceStatus{
		Name: l.name, Kind: about.Kind, Address: about.Address, Tenant: about.Tenant, Trunk: about.Trunk, Authenticated: about.Authenticated,
		Calls:  admin.SourceCalls{New: totals.New, Changed: totals.Changed, Same: totals.Same, Rejected: totals.Rejected},
		Counts: admin.CountsOf(l),
	}
	if !about.Seen.IsZero() {
		s.Seen = &about.Seen
	}
	return s
}

// statuses returns what each source says of itself.
func statuses(sources []*listening) []admin.SourceStatus {
	all := make([]admin.SourceStatus, len(sources))
	for i, l := range sources {
		all[i] = l.status()
	}
	return all
}

// listSources answers with the sources, as JSON.
func (w *watch) listSources(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(rw).Encode(statuses(w.sources)) // who asked may be gone
}

// health answers ok as long as it can answer at all. With ?verbose it says, a line
// each, which sources there are and when each was last seen.
func (w *watch) health(rw http.ResponseWriter, r *http.Request) {
	text := "ok"
	if r.URL.Query().Has("verbose") {
		var b strings.Builder
		for _, l := range w.sources {
			about := l.About()
			fmt.Fprintf(&b, "\nsource %s: %s at %s, last seen %s", l.name, about.Kind, about.Address, admin.LastSeen(about.Seen))
		}
		text += b.String()
	}
	say(rw, http.StatusOK, text)
}
