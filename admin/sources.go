package admin

import (
	"context"
	"encoding/json"
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

// Sources returns what each source of the node says of itself.
func (c *Client) Sources(ctx context.Context) ([]SourceStatus, error) {
	all := []SourceStatus{}
	err := c.each(ctx, pathSources, nil, func(kind byte, payload []byte) error {
		var s SourceStatus
		if kind != frameValue || json.Unmarshal(payload, &s) != nil {
			return malformed()
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (h *handler) sources(_ context.Context, p *parser, a *answer) error {
	if err := p.end(); err != nil || h.node.Sources == nil {
		return err
	}
	for _, s := range h.node.Sources() {
		text, err := json.Marshal(s)
		if err != nil {
			return err
		}
		a.value(func(b []byte) []byte { return append(b, text...) })
	}
	return nil
}

// LastSeen returns a time in the words of tables.
func LastSeen(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}
