package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
)

// An Undone counts what became of the rows that an import has told.
type Undone struct {
	Removed int64 // no other source has told anything of them
	Changed int64 // what the import told of them was taken back
	Left    int64 // a later import of the same format has told of them, too, and must be undone first
	Kept    int64 // nothing that the import told of them stands any more
	Gone    int64 // the log has them no longer
}

// became is what becomes of a row. If two batches of the import differ in it, the greater one
// counts.
type became uint8

const (
	gone became = iota
	kept
	left
	changed
	removed
)

// UndoOptions say how to undo an import.
type UndoOptions struct {
	Dry bool // count, and write nothing
	Now time.Time
	// Tenants are those to which rows without a tenant may have been assigned.
	Tenants []call.GUID
	Left    func(call.RowID) // called for each row that is left; may be nil

	atOnce int // rows that findLater compares at once; 0 is laterAtOnce
}

// An undoing takes an import back.
type undoing struct {
	UndoOptions
	store call.Log
	it    Import
	since []*Import             // the other imports that may have told of the same rows later
	later map[call.RowID]voices // the voices in since, by row, for the pieces that are taken back now
	// rows are those of which an earlier piece may tell, too. The other rows are counted in n.
	rows map[call.RowID]became
	n    Undone
	// With Dry: the rows of which several batches tell, and how they would be by now.
	twice map[call.RowID]bool
	would map[call.RowID]call.Replacement
}

func (u *undoing) note(id call.RowID, b became) {
	if was, ok := u.rows[id]; !ok || b > was {
		u.rows[id] = b
	}
}

// settle counts what became of a row of which no earlier piece tells.
func (u *undoing) settle(id call.RowID) {
	b := u.rows[id]
	delete(u.rows, id)
	switch b {
	case gone:
		u.n.Gone++
	case kept:
		u.n.Kept++
	case left:
		u.n.Left++
		if u.Left != nil {
			u.Left(id)
		}
	case changed:
		u.n.Changed++
	case removed:
		u.n.Removed++
	}
}

// counts returns how many rows became what. All pieces have been taken back.
func (u *undoing) counts() Undone {
	for id := range u.rows {
		u.settle(id)
	}
	return u.n
}

// Undo takes back what an import has told, batch by batch, the last one first: it removes a row
// that the import alone has told, and takes the import's claims back from all others. It leaves a
// row of which a later import has told with the same voice; once that import is undone, another
// Undo can take the row back. The caller may interrupt Undo and call it again.
func Undo(ctx context.Context, store call.Log, id string, o UndoOptions) (n Undone, err error) {
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
	u := &undoing{UndoOptions: o, store: store, it: all[at], rows: make(map[call.RowID]became)}
	for i := range all {
		if later := i > at; i != at && (later || all[i].Ended.IsZero() || all[i].Ended.After(u.it.Began)) {
			u.since = append(u.since, &all[i])
		}
	}
	if o.Dry {
		if err := u.lookAhead(ctx); err != nil {
			return n, err
		}
	}
	if err := u.pieces(ctx); err != nil {
		return u.counts(), fmt.Errorf("undo import %s: %w", id, err)
	}
	if n = u.counts(); o.Dry {
		return n, nil
	}
	return n, change(ctx, store, id, func(i *Import) { i.Undone, i.Left = o.Now, n.Left })
}

// pieces takes all pieces back, and then forgets the legs of recordings without a row.
func (u *undoing) pieces(ctx context.Context) error {
	names, err := pieces(ctx, u.store, u.it.ID)
	if err != nil {
		return err
	}
	for len(names) > 0 {
		n, err := u.findLater(ctx, names)
		if err != nil {
			return err
		}
		for _, name := range slices.Backward(names[n:]) {
			if err := u.piece(ctx, name); err != nil {
				return err
			}
		}
		names = names[:n]
	}
	if u.Dry {
		return nil
	}
	return u.forgetLegs(ctx)
}

// lookAhead notes the rows of which the import has told more than once.
func (u *undoing) lookAhead(ctx context.Context) error {
	again := make(map[call.RowID]struct{}) // rows that were there when the import told of them
	u.twice, u.would = make(map[call.RowID]bool), make(map[call.RowID]call.Replacement)
	for _, fresh := range [...]bool{false, true} {
		err := u.each(ctx, u.it.ID, func(id call.RowID, t *call.Told) {
			if t.Fate == call.Same || fresh != (t.Fate == call.New) {
				return
			}
			if _, ok := again[id]; ok {
				u.twice[id] = true
			} else if !fresh {
				again[id] = struct{}{}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
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
		p := reversal{undoing: u, at: make(map[call.RowID]int), first: make(map[call.RowID]bool)}
		for _, t := range slices.Backward(all) {
			if err := p.take(ctx, call.RowID{Tenant: tenant, ID: t.Row.ID}, &t); err != nil {
				return err
			}
		}
		p.prune()
		if !u.Dry {
			p.b.State = map[string][]byte{name: p.rest(tenant)}
			p.b.If = map[string][]byte{name: value}
			_, err = u.store.Write(ctx, p.b)
		}
		if err == nil {
			p.done(tenant)
			return nil
		}
		if !errors.Is(err, call.ErrConflict) { // on a conflict, one of the rows has changed meanwhile
			return err
		}
	}
	return err
}

// forgetLegs deletes the legs of recordings that have no row any more. Otherwise the same recording
// would make no rows as long as the state has its legs.
func (u *undoing) forgetLegs(ctx context.Context) error {
	const atOnce = 500
	b := call.Batch{State: make(map[string][]byte)}
	main := make(map[call.GUID]bool)
	for _, parts := range [...]bool{false, true} {
		for v, err := range u.store.State(ctx, openPrefix+u.it.Format+"/") {
			if err != nil {
				return err
			}
			l, err := readLeg(v)
			if err != nil {
				return err
			}
			if !parts {
				if main[l.ID], err = u.rowless(ctx, l); err != nil {
					return err
				}
			}
			if !main[l.ID] && !main[l.Life.PartOf] {
				continue
			}
			if b.State[v.Name] = nil; len(b.State) == atOnce {
				if _, err := u.store.Write(ctx, b); err != nil {
					return err
				}
				clear(b.State)
			}
		}
	}
	_, err := u.store.Write(ctx, b)
	return err
}

// rowless reports whether a leg of a recording has made a row of which its source tells nothing any
// more.
func (u *undoing) rowless(ctx context.Context, l *leg.Leg) (bool, error) {
	if !l.Life.Recorded || l.Life.Row.IsZero() {
		return false, nil
	}
	r, err := u.store.Row(ctx, l.Life.RowTenant, l.Life.Row.ID)
	if errors.Is(err, call.ErrNotFound) {
		return true, nil
	}
	return err == nil && !r.HasSource(u.it.Format), err
}

// A reversal takes back one batch.
type reversal struct {
	*undoing
	b     call.Batch
	at    map[call.RowID]int // index in b.Replace, by row
	stay  []call.Told        // what is left of the piece, the last first
	gone  []call.RowID
	stand []call.RowID        // rows in which nothing that was told stands any more
	first map[call.RowID]bool // rows that the import made, by the id that they have now: no earlier piece tells of them
}

// take takes back what was told of one row.
func (p *reversal) take(ctx context.Context, id call.RowID, t *call.Told) error {
	if t.Fate == call.Same {
		return nil
	}
	// What was heard in a recording may have become part of another row since.
	first := t.Fate == call.New && !t.Row.Seen.Has(call.SIP)
	p.first[id] = p.first[id] || first
	told := voicesOf(t, p.it.Format)
	if p.later[id]&told != 0 {
		p.stay = append(p.stay, *t)
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
		is := call.RowID{Tenant: now.Was.Tenant, ID: now.Was.ID}
		later, err := p.laterOf(ctx, is, id)
		if err != nil {
			return err
		}
		if later&told != 0 { // id is an alias, or the row has another tenant by now
			p.stay = append(p.stay, *t)
			return nil
		}
		i = len(p.b.Replace)
		p.b.Replace = append(p.b.Replace, now)
		p.at[id] = i
		p.at[call.RowID{Tenant: id.Tenant, ID: now.Was.ID}] = i
	}
	if was := &p.b.Replace[i].Was; was.ID == id.ID {
		is := call.RowID{Tenant: was.Tenant, ID: was.ID}
		p.first[is] = p.first[is] || first
	}
	if r := &p.b.Replace[i]; !r.Gone {
		_, left := r.Now.TakeBack(t)
		r.Gone = !left
	}
	return nil
}

// now returns a row as it is now, or would be with Dry.
func (p *reversal) now(ctx context.Context, id call.RowID) (call.Replacement, error) {
	if r, ok := p.would[id]; ok {
		return r, nil
	}
	tenants := []call.GUID{id.Tenant}
	if id.Tenant == call.Unassigned {
		tenants = append(tenants, p.Tenants...)
	}
	for _, tenant := range tenants {
		r, err := p.store.Row(ctx, tenant, id.ID)
		if !errors.Is(err, call.ErrNotFound) {
			return call.Replacement{Was: r, Now: r.Clone()}, err
		}
	}
	return call.Replacement{}, fmt.Errorf("row %v: %w", id.ID, call.ErrNotFound)
}

// prune removes the rows that stay as they are from the batch.
func (p *reversal) prune() {
	p.b.Replace = slices.DeleteFunc(p.b.Replace, func(r call.Replacement) bool {
		if id := (call.RowID{Tenant: r.Was.Tenant, ID: r.Was.ID}); p.twice[id] {
			p.would[id] = r
		}
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
		id := call.RowID{Tenant: r.Was.Tenant, ID: r.Was.ID}
		if r.Gone {
			p.note(id, removed)
		} else {
			p.note(id, changed)
		}
	}
	for id, first := range p.first {
		if _, ok := p.rows[id]; ok && first {
			p.settle(id)
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
