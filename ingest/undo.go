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

// became is what becomes of a row; what stands later here is said of it, if one batch
// of the import has it so and another so.
type became uint8

const (
	gone became = iota
	kept
	left
	changed
	removed
)

// An undoing takes an import back.
type undoing struct {
	store call.Store
	dry   bool
	later map[call.RowID]struct{} // rows of which later imports have told
	rows  map[call.RowID]became
	// With dry, how rows would be by now that several batches have told.
	twice map[call.RowID]bool
	would map[call.RowID]call.Replacement
}

func (u *undoing) note(id call.RowID, b became) {
	if was, ok := u.rows[id]; !ok || b > was {
		u.rows[id] = b
	}
}

// counts counts the rows by what became of them, and tells left those that are left.
func (u *undoing) counts(each func(call.RowID)) (n Undone) {
	for id, b := range u.rows {
		switch b {
		case gone:
			n.Gone++
		case kept:
			n.Kept++
		case left:
			n.Left++
			each(id)
		case changed:
			n.Changed++
		case removed:
			n.Removed++
		}
	}
	return n
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
	u := &undoing{store: store, dry: dry, later: make(map[call.RowID]struct{}), rows: make(map[call.RowID]became)}
	for i := at + 1; i < len(all); i++ {
		if all[i].Format == all[at].Format {
			err := u.each(ctx, all[i].ID, func(id call.RowID) { u.later[id] = struct{}{} })
			if err != nil {
				return n, err
			}
		}
	}
	if dry {
		if err := u.lookAhead(ctx, id); err != nil {
			return n, err
		}
	}
	names, err := pieces(ctx, store, id)
	if err != nil {
		return n, err
	}
	for _, name := range slices.Backward(names) {
		if err := u.piece(ctx, name); err != nil {
			return u.counts(left), fmt.Errorf("undo import %s: %w", id, err)
		}
	}
	if n = u.counts(left); dry {
		return n, nil
	}
	if err := u.forgetLegs(ctx, all[at].Format); err != nil {
		return n, fmt.Errorf("undo import %s: %w", id, err)
	}
	all[at].Undone, all[at].Left = now, n.Left
	return n, all[at].Save(ctx, store)
}

// each calls f with the rows of which an import has told. One that was undone has told
// of none any more.
func (u *undoing) each(ctx context.Context, id string, f func(call.RowID)) error {
	for v, err := range u.store.State(ctx, importedPrefix+id+"/") {
		if err != nil {
			return fmt.Errorf("read what import %s told: %w", id, err)
		}
		tenant, all, err := told(v.Name, v.Value)
		if err != nil {
			return err
		}
		for i := range all {
			f(call.RowID{Tenant: tenant, ID: all[i].Row.ID})
		}
	}
	return nil
}

// lookAhead notes the rows of which the import has told more than once.
func (u *undoing) lookAhead(ctx context.Context, id string) error {
	once := make(map[call.RowID]struct{})
	u.twice, u.would = make(map[call.RowID]bool), make(map[call.RowID]call.Replacement)
	return u.each(ctx, id, func(id call.RowID) {
		if _, ok := once[id]; ok {
			u.twice[id] = true
		}
		once[id] = struct{}{}
	})
}

// piece takes back what one batch has told, in one batch.
func (u *undoing) piece(ctx context.Context, name string) (err error) {
	const tries = 10
	for range tries {
		var value []byte
		if value, err = call.Value(ctx, u.store, name); err != nil || value == nil {
			return err
		}
		tenant, all, err := told(name, value)
		if err != nil {
			return err
		}
		p := reversal{undoing: u, at: make(map[call.RowID]int)}
		for _, t := range slices.Backward(all) {
			if err := p.take(ctx, call.RowID{Tenant: tenant, ID: t.Row.ID}, &t); err != nil {
				return err
			}
		}
		p.prune()
		if !u.dry {
			p.b.State = map[string][]byte{name: p.rest(tenant)}
			p.b.If = map[string][]byte{name: value}
			_, err = u.store.Write(ctx, p.b)
		}
		if err == nil {
			p.done(tenant)
			return nil
		}
		if !errors.Is(err, call.ErrConflict) { // else one of the rows has changed meanwhile
			return err
		}
	}
	return err
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
			if row := u.rows[call.RowID{Tenant: l.life.rowTenant, ID: l.life.row.ID}]; row >= changed && !parts {
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
	b     call.Batch
	at    map[call.RowID]int // which of b.Replace is about a row
	stay  []call.Told        // what is left, the last first
	gone  []call.RowID
	stand []call.RowID // rows of which nothing stands any more that was told
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
	i, ok := p.at[id]
	if !ok {
		now, err := p.now(ctx, id)
		if errors.Is(err, call.ErrNotFound) {
			p.gone = append(p.gone, id)
			return nil
		}
		if err != nil {
			return err
		}
		i = len(p.b.Replace)
		p.b.Replace = append(p.b.Replace, now)
		p.at[id] = i
		p.at[call.RowID{Tenant: id.Tenant, ID: now.Was.ID}] = i // id may be an alias
	}
	if r := &p.b.Replace[i]; !r.Gone {
		_, left := r.Now.TakeBack(t)
		r.Gone = !left
	}
	return nil
}

// now returns a row as it is now, or would be.
func (p *reversal) now(ctx context.Context, id call.RowID) (call.Replacement, error) {
	if r, ok := p.would[id]; ok {
		return r, nil
	}
	r, err := p.store.Row(ctx, id.Tenant, id.ID)
	return call.Replacement{Was: r, Now: r.Clone()}, err
}

// prune leaves out of the batch the rows that stay as they are.
func (p *reversal) prune() {
	p.b.Replace = slices.DeleteFunc(p.b.Replace, func(r call.Replacement) bool {
		same := !r.Gone && r.Now.Equal(&r.Was)
		if same {
			p.stand = append(p.stand, call.RowID{Tenant: r.Was.Tenant, ID: r.Was.ID})
		}
		return same
	})
}

// done notes what became of the rows.
func (p *reversal) done(tenant call.GUID) {
	for _, id := range p.gone {
		p.note(id, gone)
	}
	for _, id := range p.stand {
		p.note(id, kept)
	}
	for i := range p.stay {
		p.note(call.RowID{Tenant: tenant, ID: p.stay[i].Row.ID}, left)
	}
	for _, r := range p.b.Replace {
		id := call.RowID{Tenant: tenant, ID: r.Was.ID}
		if r.Gone {
			p.note(id, removed)
		} else {
			p.note(id, changed)
		}
		if p.twice[id] {
			p.would[id] = r
		}
	}
}

// rest returns what is left of the piece, or nil if nothing is.
func (p *reversal) rest(tenant call.GUID) (b []byte) {
	for _, t := range slices.Backward(p.stay) {
		t.Row.Tenant, t.Was.Tenant = tenant, tenant
		b = call.AppendTold(b, &t)
	}
	return b
}
