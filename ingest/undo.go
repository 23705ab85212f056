package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// An Undone says what became of the rows that an import has told.
type Undone struct {
	Removed int64 // nobody else has told anything of them
	Changed int64 // what the import told of them was taken back
	Left    int64 // a later import of the same format has told of them, too: it is to be undone first
	Kept    int64 // nothing of what the import told stands any more
	Gone    int64 // they are not in the log any more
}

func (n *Undone) add(m Undone) {
	n.Removed, n.Changed, n.Left = n.Removed+m.Removed, n.Changed+m.Changed, n.Left+m.Left
	n.Kept, n.Gone = n.Kept+m.Kept, n.Gone+m.Gone
}

// An undoing takes an import back.
type undoing struct {
	store call.Store
	dry   bool
	later map[call.RowID]struct{} // rows of which later imports have told
	taken map[call.GUID]struct{}  // rows of which something was taken back
	left  func(call.RowID)
}

// Undo takes back what an import has told, batch by batch, the last one first: rows
// that it alone told are removed, of others its claims are taken back. Rows of which a
// later import of the same format has told are left, and told to left. What was left
// may be taken back by another Undo, once the later import is undone. With dry it
// only counts. It may be broken off and done again.
func Undo(ctx context.Context, store call.Store, id string, now time.Time, dry bool, left func(call.RowID)) (n Undone, err error) {
	all, err := Imports(ctx, store)
	if err != nil {
		return n, err
	}
	at := slices.IndexFunc(all, func(i Import) bool { return i.ID == id })
	switch {
	case at < 0:
		return n, fmt.Errorf("import %s: %w", id, call.ErrNotFound)
	case all[at].Forgotten:
		return n, fmt.Errorf("import %s: %w", id, errForgotten)
	}
	u := &undoing{store: store, dry: dry, later: make(map[call.RowID]struct{}), taken: make(map[call.GUID]struct{}), left: left}
	for i := at + 1; i < len(all); i++ {
		if all[i].Format == all[at].Format {
			if err := u.after(ctx, all[i].ID); err != nil {
				return n, err
			}
		}
	}
	names, err := pieces(ctx, store, id)
	if err != nil {
		return n, err
	}
	for _, name := range slices.Backward(names) {
		m, err := u.piece(ctx, name)
		if n.add(m); err != nil {
			return n, fmt.Errorf("undo import %s: %w", id, err)
		}
	}
	if dry {
		return n, nil
	}
	if err := u.forgetLegs(ctx, all[at].Format); err != nil {
		return n, fmt.Errorf("undo import %s: %w", id, err)
	}
	all[at].Undone, all[at].Left = now, n.Left
	return n, all[at].Save(ctx, store)
}

// after notes the rows of which a later import has told. One that was undone has told
// of none any more.
func (u *undoing) after(ctx context.Context, id string) error {
	for v, err := range u.store.State(ctx, importedPrefix+id+"/") {
		if err != nil {
			return fmt.Errorf("read what import %s told: %w", id, err)
		}
		tenant, all, err := told(v.Name, v.Value)
		if err != nil {
			return err
		}
		for _, t := range all {
			u.later[call.RowID{Tenant: tenant, ID: t.Row.ID}] = struct{}{}
		}
	}
	return nil
}

// piece takes back what one batch has told, in one batch.
func (u *undoing) piece(ctx context.Context, name string) (n Undone, err error) {
	const tries = 10
	for range tries {
		var value []byte
		if value, err = call.Value(ctx, u.store, name); err != nil || value == nil {
			return Undone{}, err
		}
		p := reversal{undoing: u, rows: make(map[call.RowID]int)}
		tenant, all, err := told(name, value)
		if err != nil {
			return Undone{}, err
		}
		for _, t := range slices.Backward(all) {
			if err := p.take(ctx, call.RowID{Tenant: tenant, ID: t.Row.ID}, &t); err != nil {
				return Undone{}, err
			}
		}
		n = p.counts()
		if !u.dry {
			p.b.State = map[string][]byte{name: p.rest(tenant)}
			p.b.If = map[string][]byte{name: value}
			_, err = u.store.Write(ctx, p.b)
		}
		if err == nil {
			for _, r := range p.b.Replace {
				u.taken[r.Was.ID] = struct{}{}
			}
			for _, t := range p.stay {
				u.left(call.RowID{Tenant: tenant, ID: t.Row.ID})
			}
			return n, nil
		}
		if !errors.Is(err, call.ErrConflict) { // else one of the rows has changed meanwhile
			return Undone{}, err
		}
	}
	return Undone{}, err
}

// forgetLegs forgets the calls of which a recording has told rows that were taken back:
// they are remembered for a while, and the same recording would make no rows of them.
func (u *undoing) forgetLegs(ctx context.Context, source string) error {
	b := call.Batch{State: make(map[string][]byte), If: make(map[string][]byte)}
	main := make(map[call.GUID]bool)
	for _, parts := range [...]bool{false, true} {
		for v, err := range u.store.State(ctx, openPrefix+source+"/") {
			if err != nil {
				return err
			}
			l, err := decodeLeg(v.Value)
			if err != nil {
				return fmt.Errorf("read %s: %w", v.Name, err)
			}
			if _, row := u.taken[l.life.row.ID]; row && !parts {
				main[l.id] = true
			}
			if main[l.id] || main[l.life.partOf] {
				b.State[v.Name], b.If[v.Name] = nil, v.Value
			}
		}
	}
	if len(b.State) == 0 {
		return nil
	}
	_, err := u.store.Write(ctx, b)
	return err
}

// A reversal is what takes back one batch.
type reversal struct {
	*undoing
	b    call.Batch
	rows map[call.RowID]int // which of b.Replace is about a row
	n    Undone
	stay []call.Told // what is left, the last first
}

// take takes back what was told of one row.
func (p *reversal) take(ctx context.Context, id call.RowID, t *call.Told) error {
	if _, ok := p.later[id]; ok {
		p.stay = append(p.stay, *t)
		return nil
	}
	if t.Fate == call.Same {
		return nil
	}
	i, ok := p.rows[id]
	if !ok {
		r, err := p.store.Row(ctx, id.Tenant, id.ID)
		if errors.Is(err, call.ErrNotFound) {
			p.n.Gone++
			return nil
		}
		if err != nil {
			return err
		}
		i = len(p.b.Replace)
		p.b.Replace = append(p.b.Replace, call.Replacement{Was: r, Now: r.Clone()})
		p.rows[id] = i
		p.rows[call.RowID{Tenant: r.Tenant, ID: r.ID}] = i // id may be an alias
	}
	if r := &p.b.Replace[i]; !r.Gone {
		_, left := r.Now.TakeBack(t)
		r.Gone = !left
	}
	return nil
}

// counts returns what becomes of the rows, and leaves out of the batch those that stay
// as they are.
func (p *reversal) counts() Undone {
	n := p.n
	n.Left = int64(len(p.stay))
	p.b.Replace = slices.DeleteFunc(p.b.Replace, func(r call.Replacement) bool {
		switch {
		case r.Gone:
			n.Removed++
		case r.Now.Equal(&r.Was):
			n.Kept++
			return true
		default:
			n.Changed++
		}
		return false
	})
	return n
}

// rest returns what is left of the piece, or nil if nothing is.
func (p *reversal) rest(tenant call.GUID) (b []byte) {
	for _, t := range slices.Backward(p.stay) {
		t.Row.Tenant, t.Was.Tenant = tenant, tenant
		b = call.AppendTold(b, &t)
	}
	return b
}
