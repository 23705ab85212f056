package admin

import (
	"time"

	"github.com/trunklog/trunklog/call"
)

// A SourceStatus is what a source says of itself, what became of its calls and what
// it has counted: a line of 'source list'.
type SourceStatus struct {
	Name          string        `json:"name"`
	Kind          string        `json:"kind"`
	Address       string        `json:"address"`
	Tenant        string        `json:"tenant,omitempty"`
	Trunk         string        `json:"trunk,omitempty"`
	Authenticated bool          `json:"authenticated"`
	Seen          *time.Time    `json:"lastSeen,omitempty"` // nil if nothing has come since the start
	Calls         SourceCalls   `json:"calls"`
	Counts        []SourceCount `json:"counts"`
}

// SourceCalls are what became of records; calls that are heard by SIP are counted when
// they have ended, for all sources together.
type SourceCalls struct {
	New      int64 `json:"new"`
	Changed  int64 `json:"changed"`
	Same     int64 `json:"same"`
	Rejected int64 `json:"rejected"`
}

// A SourceCount is a count by the names that metrics have.
type SourceCount struct {
	Name  string `json:"name"`
	Cause string `json:"cause,omitempty"`
	N     uint64 `json:"n"`
}

func CountsOf(c call.Counter) (all []SourceCount) {
	c.Counts(func(name, cause string, n uint64) { all = append(all, SourceCount{name, cause, n}) })
	return all
}

// SourcesPath is where monitoring and 'source list' ask for the sources.
const SourcesPath = "/sources"

// LastSeen returns a time in the words of tables.
func LastSeen(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}
