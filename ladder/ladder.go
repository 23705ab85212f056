// Package ladder shows the SIP messages of one call: as a ladder for people, as JSON for programs,
// and as a capture for network tools.
//
// It reads messages through a [call.MessageReader], and of SIP the first line and a few headers. It
// does not know where messages come from, and writes only to the caller's writer.
package ladder

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A Call is the stored SIP of one call.
type Call struct {
	// Legs are the call's legs, the one that faces Microsoft first.
	Legs []call.Leg
	// Messages are those of all legs in the order of time.
	Messages []call.Message
}

// Read returns the stored SIP of a row's call. A call without any is no error, and has no messages.
// Errors are those of r.
func Read(ctx context.Context, r call.MessageReader, tenant call.GUID, row call.Cursor) (*Call, error) {
	legs, err := r.Legs(ctx, tenant, row)
	if err != nil {
		return nil, fmt.Errorf("legs of the call: %w", err)
	}
	c := &Call{Legs: legs}
	place := make(map[call.GUID]int, len(legs))
	for i, leg := range legs {
		place[leg.ID] = i
		for m, err := range r.Messages(ctx, leg) {
			if err != nil {
				return nil, fmt.Errorf("messages of the call: %w", err)
			}
			c.Messages = append(c.Messages, m.Clone())
		}
	}
	// At equal times the leg that faces Microsoft comes first, and within one leg the message that
	// must have come before the other.
	slices.SortStableFunc(c.Messages, func(a, b call.Message) int {
		if d := cmp.Or(a.At.Compare(b.At), cmp.Compare(place[a.Leg], place[b.Leg])); d != 0 {
			return d
		}
		v, w := readHead(a.Raw), readHead(b.Raw)
		return v.compareTurn(&w)
	})
	return c, nil
}

// A rung is one message of the ladder, with its head.
type rung struct {
	*call.Message
	head
	leg      int    // its number, from 1; 0 if no leg of the call has it
	ticks    uint64 // since the first message, in 100 ns
	from, to int    // the parties
}

// rungs reads the heads of all messages.
func (c *Call) rungs() []rung {
	rungs := make([]rung, len(c.Messages))
	for i := range c.Messages {
		m := &c.Messages[i]
		leg := 1 + slices.IndexFunc(c.Legs, func(l call.Leg) bool { return l.ID == m.Leg })
		rungs[i] = rung{Message: m, head: readHead(m.Raw), leg: leg, ticks: call.Ticks(m.At) - call.Ticks(c.Messages[0].At)}
	}
	return rungs
}

// ms returns the milliseconds since the first message.
func (r *rung) ms() float64 { return float64(r.ticks) / 10_000 }

// callIDs returns the Call-ID of each leg, which may be empty.
func (c *Call) callIDs(rungs []rung) []string {
	ids := make([]string, len(c.Legs))
	for _, r := range rungs {
		if r.leg > 0 {
			ids[r.leg-1] = cmp.Or(ids[r.leg-1], r.CallID)
		}
	}
	return ids
}

// stamp formats a time for JSON and the ladder's first line.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
