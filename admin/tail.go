package admin

import (
	"context"
	"encoding/binary"
	"iter"

	"github.com/trunklog/trunklog/call"
)

// An Update is news of one call.
type Update struct {
	Progress string   // how far the call has come: ringing, answered or ended
	Missed   int64    // updates that were left out before this one, because the command was slow
	Row      call.Row // what is known of the call; if it has not ended its place in the log is not settled
}

// Tail yields what becomes of the tenant's calls from now on; with open, of those in
// progress, too. It ends without an error when the node stops; behind an error nothing
// comes. The update is the receiver's.
func (c *Client) Tail(ctx context.Context, tenant call.GUID, open bool) iter.Seq2[*Update, error] {
	return stream(ctx, c, pathTail, appendFlag(append([]byte{}, tenant[:]...), open), valueOf((*parser).update))
}

func appendUpdate(b []byte, u *Update) []byte {
	b = binary.AppendVarint(appendText(b, u.Progress), u.Missed)
	return appendRow(b, &u.Row)
}

func (p *parser) update() *Update {
	u := &Update{Progress: p.text(), Missed: p.varint()}
	p.bad = p.bad || parseRow(&u.Row, p.s) != nil
	p.s = ""
	return u
}

func (h *handler) tail(ctx context.Context, p *parser, a *answer) error {
	tenant, open := p.guid(), p.flag()
	if err := p.end(); err != nil {
		return err
	}
	a.patience = 0 // the command may wait for a person, and holds up nobody
	a.flush()      // so that it knows that it is heard
	if h.node.Tail == nil {
		return nil
	}
	return h.node.Tail(ctx, open, func(u *Update) error {
		if u.Row.Tenant != tenant {
			return nil
		}
		a.value(func(b []byte) []byte { return appendUpdate(b, u) })
		a.flush()
		return a.err
	})
}
