package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A sourceStatus is what a source says of itself, what became of its calls and what
// it has counted: a line of 'source list'.
type sourceStatus struct {
	Name          string        `json:"name"`
	Kind          string        `json:"kind"`
	Address       string        `json:"address"`
	Tenant        string        `json:"tenant,omitempty"`
	Trunk         string        `json:"trunk,omitempty"`
	Authenticated bool          `json:"authenticated"`
	Seen          *time.Time    `json:"lastSeen,omitempty"` // nil if nothing has come since the start
	Calls         sourceCalls   `json:"calls"`
	Counts        []sourceCount `json:"counts"`
}

// sourceCalls are what became of records; calls that are heard by SIP are counted when
// they have ended, for all sources together.
type sourceCalls struct {
	New      int64 `json:"new"`
	Changed  int64 `json:"changed"`
	Same     int64 `json:"same"`
	Rejected int64 `json:"rejected"`
}

// A sourceCount is a count by the names that metrics have.
type sourceCount struct {
	Name  string `json:"name"`
	Cause string `json:"cause,omitempty"`
	N     uint64 `json:"n"`
}

func (l *listening) status() sourceStatus {
	about, totals := l.About(), l.sink.Totals()
	s := sourceStatus{
		Name: l.name, Kind: about.Kind, Address: about.Address, Tenant: about.Tenant, Trunk: about.Trunk, Authenticated: about.Authenticated,
		Calls:  sourceCalls{totals.New, totals.Changed, totals.Same, totals.Rejected},
		Counts: countsOf(l),
	}
	if !about.Seen.IsZero() {
		s.Seen = &about.Seen
	}
	return s
}

func countsOf(c call.Counter) (all []sourceCount) {
	c.Counts(func(name, cause string, n uint64) { all = append(all, sourceCount{name, cause, n}) })
	return all
}

// sourcesPath is where monitoring and 'source list' ask for the sources.
const sourcesPath = "/sources"

// listSources answers with the sources, as JSON.
func (w *watch) listSources(rw http.ResponseWriter, _ *http.Request) {
	all := make([]sourceStatus, len(w.sources))
	for i, l := range w.sources {
		all[i] = l.status()
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(rw).Encode(all) // who asked may be gone
}

// health answers ok as long as it can answer at all. With ?verbose it says, a line
// each, which sources there are and when each was last seen.
func (w *watch) health(rw http.ResponseWriter, r *http.Request) {
	text := "ok"
	if r.URL.Query().Has("verbose") {
		var b strings.Builder
		for _, l := range w.sources {
			about := l.About()
			fmt.Fprintf(&b, "\nsource %s: %s at %s, last seen %s", l.name, about.Kind, about.Address, lastSeen(about.Seen))
		}
		text += b.String()
	}
	say(rw, http.StatusOK, text)
}

// lastSeen returns a time in the words of tables.
func lastSeen(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}
