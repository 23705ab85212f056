package push

import (
	"context"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Kind is the scheme of the URL that stands for the handler in the table of sources.
const Kind = "push"

// About says what the handler is. Whose calls are delivered each token says, and it
// proves who sends them.
func (h *Handler) About() call.About {
	a := call.About{Kind: Kind, Address: Path, Authenticated: true}
	if n := h.count.seen.Load(); n != 0 {
		a.Seen = time.Unix(0, n).UTC()
	}
	return a
}

// Path returns where the handler expects to be mounted.
func (h *Handler) Path() string { return Path }

// Listen does nothing: requests come by the server's own ports.
func (h *Handler) Listen(context.Context) error { return nil }

// Close waits for the writes that requests have not waited for. Requests that
// come later are refused.
func (h *Handler) Close() error {
	h.slots.close()
	return nil
}

// Run implements [call.Source]: until ctx is done it deletes the answers that are not
// given again any more. Calls do not wait for it, and go where [Config.Sink] says.
func (h *Handler) Run(ctx context.Context, _ string, _ call.Sink) error {
	h.sweepKeys(ctx)
	return nil
}
