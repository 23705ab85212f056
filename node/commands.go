package node

import (
	"context"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest"
)

// forCommands returns what the node offers to commands until ctx is done.
func (n *Node) forCommands(ctx context.Context) admin.Node {
	keeper, _ := n.store.(admin.Keeper)
	return admin.Node{
		Version: n.c.Version,
		Log:     &announcing{n.store, n.in, []func(string){n.authority.Changed, n.tenants.Changed}},
		Keeper:  keeper,
		Tail: func(asked context.Context, open bool, tell func(*admin.Update) error) error {
			watching, stop := context.WithCancel(asked)
			defer stop()
			defer context.AfterFunc(ctx, stop)()
			return n.in.Watch(watching, open, func(u ingest.Update) error {
				return tell(&admin.Update{Progress: u.Progress.String(), Missed: u.Missed, Row: u.Row})
			})
		},
		Sources: func() []admin.SourceStatus { return n.statuses(ctx) },
	}
}

// An announcing log writes the rows of commands through ingest, as all rows of the node. It tells
// the watchers of the rows, and the parts that cache state of the names that a command has changed.
type announcing struct {
	call.Log
	in      *ingest.Ingest
	changed []func(name string)
}

// Write implements [call.Writer]. After an error the caller does not know what the store has
// written.
func (a *announcing) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	res, err := a.in.Write(ctx, b)
	for name := range b.State {
		for _, changed := range a.changed {
			changed(name)
		}
	}
	a.in.Announce(ctx, b.Rows, res) // after an error res has no rows to announce
	return res, err
}
