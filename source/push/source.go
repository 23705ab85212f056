package push

import (
	"context"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Kind is the scheme of the handler's URL in the table of sources.
const Kind = "push"

// About implements [call.Source]. The token of each request proves the sender, and says which
// tenant owns the calls.
func (h *Handler) About() call.About {
	a := call.About{Kind: Kind, Address: Path, Authenticated: true}
	if n := h.count.seen.Load(); n != 0 {
		a.Seen = time.Unix(0, n).UTC()
	}
	return a
}

// Path returns the path at which the caller mounts the handler.
func (h *Handler) Path() string { return Path }

// Listen does nothing: requests come through the server's own ports.
func (h *Handler) Listen(context.Context) error { return nil }

// Close refuses requests from now on, and waits for all others, and for the writes whose requests
// have stopped waiting for them.
func (h *Handler) Close() error {
	h.slots.close()
	return nil
}

// Run implements [call.Source]: until ctx is done it deletes the kept answers that are too old to
// be given again. It puts nothing: calls go to [Config.Sink].
func (h *Handler) Run(ctx context.Context, _ string, _ call.Sink) error {
	h.sweepKeys(ctx)
	return nil
}
