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
	Missed   int64    // updates that the node left out before this one, because the command was slow
	Row      call.Row // the call so far; its place in the log may change until it has ended
}

// Tail yields each update of the tenant's calls from now on. If open is set it also yields those
// of calls in progress. It ends without an error when the node stops, and after any error. The
// receiver owns the update.
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
	a.patience = 0 // the command may wait for a person, and delays no other
	a.flush()      // the headers tell the command that the tail has begun
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
