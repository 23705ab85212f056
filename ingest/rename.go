package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/trunklog/trunklog/call"
)

// A row of hearsay alone gives up its id when an authenticated row joins it: had it come later, it
// would have got the id of the authenticated row. Its own id becomes no alias, but a link of
// hearsay, by which later messages of the same sender still find the row. The row is renamed in a
// batch of its own, before the one that joins it, so that what an import has told, and an undo
// takes back, is what the import alone has said.

// An outranked row is to get the id of the authenticated row that joins it.
type outranked struct {
	row call.Row // as the pass has it, with what the batch has added
	to  call.GUID
}

// errRenamed says that rows are to be renamed, so that the batch must be linked once more.
var errRenamed = errors.New("rows of hearsay were renamed")

// outranks reports whether r, which joins c, gives the row its id. A row that authenticated rows
// have joined before keeps the id that these know.
func (p *pass) outranks(ctx context.Context, r *call.Row, c *candidate) (bool, error) {
	if r.ID == c.row.ID || !r.Proven() || c.row.Proven() || c.ahead {
		return false, nil
	}
	for entry := range slices.Chunk(c.links, linkSize) {
		if entry[0]&byHearsay == 0 && call.GUID(entry[1:]) != r.ID {
			return false, nil
		}
	}
	there, err := p.there(ctx, r) // the store may have r by an alias
	return !there, err
}

// rename notes that c gets the id of r.
func (p *pass) rename(c *candidate, r *call.Row) {
	p.renamed = append(p.renamed, outranked{c.row.Clone(), r.ID})
	c.row.ID, c.name, c.links = r.ID, "", nil
	p.known[rowKey{r.Tenant, r.ID}] = c
}

// renameAll renames the rows of the log in one batch, and changes the ids in b, which it does not
// write.
func (p *pass) renameAll(ctx context.Context, b *call.Batch) error {
	q := newPass(p.in, call.Batch{})
	ids := make(map[rowKey]call.GUID)
	for i := range p.renamed {
		n := &p.renamed[i]
		ids[rowKey{n.row.Tenant, n.row.ID}] = n.to
		was, err := p.in.store.Row(ctx, n.row.Tenant, n.row.ID)
		if errors.Is(err, call.ErrNotFound) {
			continue // it is a row of b
		}
		if err == nil {
			err = q.renameRow(ctx, was.Clone(), n.to)
		}
		if err != nil {
			return fmt.Errorf("rename row %v to %v: %w", n.row.ID, n.to, err)
		}
	}
	b.Rows, b.Legs = slices.Clone(b.Rows), slices.Clone(b.Legs)
	for i := range b.Rows {
		r := &b.Rows[i]
		if to, ok := ids[rowKey{r.Tenant, r.ID}]; ok && !r.Proven() {
			r.ID = to
		}
	}
	for i := range b.Legs {
		l := &b.Legs[i]
		if to, ok := ids[rowKey{l.Tenant, l.Row.ID}]; ok {
			l.Row.ID = to
		}
	}
	if len(q.b.Rows) == 0 {
		return nil
	}
	if _, err := p.in.store.Write(ctx, q.b); err != nil {
		return err
	}
	for tenant, value := range q.since {
		p.in.links.set(tenant, tenantLinks{value: value, read: p.in.now()})
	}
	return nil
}

// renameRow adds to the batch that a row of the log gets another id, with its legs, their messages
// and its links.
func (p *pass) renameRow(ctx context.Context, was call.Row, to call.GUID) error {
	now := was.Clone()
	now.ID = to
	old := &candidate{row: was}
	if err := p.load(ctx, old); err != nil {
		return err
	}
	name := linkedName(&now)
	have, err := call.Value(ctx, p.in.store, name)
	if err != nil {
		return err
	}
	p.b.If[name] = have
	if old.links != nil && old.name != name {
		p.b.State[old.name], p.b.If[old.name] = nil, old.links
	}
	p.note(&candidate{row: now, loaded: true, name: name, links: slices.Concat(have, old.links)}, &was)
	legs, err := p.in.store.Legs(ctx, was.Tenant, was.Cursor())
	if err != nil {
		return err
	}
	for _, leg := range legs {
		if err := keepMessages(ctx, p.in.store, leg, &p.b); err != nil {
			return err
		}
		leg.Row = now.Cursor()
		p.b.Legs = append(p.b.Legs, leg)
	}
	p.b.Replace = append(p.b.Replace, call.Replacement{Was: was, Gone: true})
	p.b.Rows = append(p.b.Rows, now)
	return nil
}

// keepMessages adds the messages of a leg to a batch that removes its row.
func keepMessages(ctx context.Context, store call.Log, leg call.Leg, b *call.Batch) error {
	for m, err := range store.Messages(ctx, leg) {
		if err != nil {
			return err
		}
		b.Messages = append(b.Messages, m.Clone())
	}
	return nil
}
