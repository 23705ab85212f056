package admin

import (
	"context"
	"encoding/json"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A SourceStatus describes a source, the outcomes of its calls and its counts: a line of 'source
// list'.
type SourceStatus struct {
	Name          string        `json:"name"`
	Kind          string        `json:"kind"`
	Address       string        `json:"address"`
	Tenant        string        `json:"tenant,omitempty"`
	Trunk         string        `json:"trunk,omitempty"`
	Authenticated bool          `json:"authenticated"`
	Authority     string        `json:"authority"`          // for whose calls its senders speak, see below
	Refused       uint64        `json:"refused"`            // SIP messages of trunks for which their sender does not speak
	Seen          *time.Time    `json:"lastSeen,omitempty"` // nil if it has kept nothing since the start
	Calls         SourceCalls   `json:"calls"`
	Counts        []SourceCount `json:"counts"`
}

// For whose calls the senders of a source speak.
const (
	OfTenant = "tenant" // for those of the tenant to which the source is bound
	OfTrunk  = "trunk"  // for those of the trunk to which it is bound
	OfSender = "sender" // each for those that it has proved to be its own
	OfAny    = "any"    // for all, because there is one tenant alone
	OfNone   = "none"   // for none: what they tell is hearsay
)

// SourceCalls counts the outcomes of a source's records. It does not count calls heard by SIP:
// the node counts those when they have ended, for all sources together.
type SourceCalls struct {
	New      int64 `json:"new"`
	Changed  int64 `json:"changed"`
	Same     int64 `json:"same"`
	Rejected int64 `json:"rejected"`
}

// A SourceCount is one count, with the name that it has in the metrics.
type SourceCount struct {
	Name  string `json:"name"`
	Cause string `json:"cause,omitempty"`
	N     uint64 `json:"n"`
}

// CountsOf returns all counts of c.
func CountsOf(c call.Counter) (all []SourceCount) {
	c.Counts(func(name, cause string, n uint64) { all = append(all, SourceCount{name, cause, n}) })
	return all
}

// Sources returns the status of each source of the node.
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

// LastSeen returns a time as tables show it: RFC 3339 in UTC, or "never" if it is zero.
func LastSeen(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}
