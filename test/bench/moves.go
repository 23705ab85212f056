package main

import (
	"context"
	"fmt"
	"time"

	"github.com/trunklog/trunklog/call"
)

// moveBy is by how much the second witness has a call begin later than the first.
const moveBy = 7 * time.Millisecond

// moving says which rows to write to a new store, and then to move.
type moving struct {
	Store  string
	Crowd  crowd
	Since  int // a walk begins when no more than so many of them are still to move
	Rounds int
}

// moved is what came of it, in milliseconds.
type moved struct {
	New     []float64 // of each batch, as an SBC tells it
	Moved   []float64 // of each batch, as Graph tells the same calls later
	Without []float64 // of each page of a walk since which none has moved
	With    []float64 // of each page of a walk since which all on it have
	Since   int       // how many rows have moved since that walk began
}

// move writes calls as an SBC tells them, then as Graph does, and walks over them.
func move(ctx context.Context, q moving) (m moved, err error) {
	err = withStore(ctx, q.Store, func(st call.Store) (err error) {
		if m.New, err = tell(ctx, st, q.Crowd, call.New, asSBC, nil); err != nil {
			return err
		}
		var since call.Version
		var from time.Time // behind all rows that have moved before the walk began
		n := 0
		begin := func() (err error) {
			if m.Since == 0 && n >= q.Crowd.Rows-q.Since {
				m.Since = q.Crowd.Rows - n
				since, err = st.Latest(ctx, tenantID())
			}
			return err
		}
		later := func(r *call.Row) {
			asGraph(r)
			if n++; m.Since == 0 && r.Start.After(from) {
				from = r.Start
			}
		}
		if m.Moved, err = tell(ctx, st, q.Crowd, call.Moved, later, begin); err != nil {
			return err
		}
		return m.walk(ctx, st, since, from.Add(time.Microsecond), q.Rounds)
	})
	return m, err
}

// asSBC makes of a row what the record of an SBC says, which knows no users.
func asSBC(r *call.Row) {
	r.UserID, r.UserPrincipalName, r.UserDisplayName, r.AdministrativeUnits = call.GUID{}, "", "", nil
	r.Source, r.Seen = "sbc", 0
	r.Settle(call.CDR.Witness(), true)
}

// asGraph makes of a row what Graph says that has it begin and end a bit later.
func asGraph(r *call.Row) {
	for _, t := range []*time.Time{&r.Start, &r.End, &r.Failure} {
		if !t.IsZero() {
			*t = t.Add(moveBy)
		}
	}
}

// tell writes the rows in batches, changed by say, and returns the milliseconds
// that each took. Before each it calls begin, if that is not nil. Each row must
// have the given fate.
func tell(ctx context.Context, st call.Store, c crowd, fate call.Fate, say func(*call.Row), begin func() error) (took []float64, err error) {
	for batch := range c.batches() {
		if begin != nil {
			if err := begin(); err != nil {
				return nil, err
			}
		}
		for i := range batch {
			say(&batch[i])
		}
		began := time.Now()
		res, err := st.Write(ctx, call.Batch{Rows: batch})
		if err != nil {
			return nil, err
		}
		took = append(took, milliseconds(time.Since(began)))
		for _, w := range res.Rows {
			if w.Fate != fate {
				return nil, fmt.Errorf("a row is %v where all should be %v", w.Fate, fate)
			}
		}
	}
	return took, nil
}

// walk reads all pages from a time on, of a walk that begins now and of one that
// began before, in turn. The first round is not counted.
func (m *moved) walk(ctx context.Context, st call.Reader, since call.Version, from time.Time, rounds int) error {
	now, err := st.Latest(ctx, tenantID())
	if err != nil {
		return err
	}
	for range rounds + 1 {
		without, unmoved, err := pagesOf(ctx, st, call.Query{Tenant: tenantID(), From: from, Walk: now})
		if err != nil {
			return err
		}
		with, met, err := pagesOf(ctx, st, call.Query{Tenant: tenantID(), From: from, Walk: since})
		if err != nil {
			return err
		}
		if unmoved != 0 || met < len(with)*pageRows*9/10 || len(with) != len(without) {
			return fmt.Errorf("%d rows are met where they stood on %d pages of the walk that began before, and %d on %d of the other", met, len(with), unmoved, len(without))
		}
		m.With, m.Without = append(m.With, with...), append(m.Without, without...)
	}
	m.With, m.Without = m.With[len(m.With)/(rounds+1):], m.Without[len(m.Without)/(rounds+1):]
	return nil
}

// pagesOf reads the full pages of a question one after the other and returns the
// milliseconds that each took, and how many rows are met elsewhere than where they
// are now.
func pagesOf(ctx context.Context, st call.Reader, q call.Query) (took []float64, elsewhere int, err error) {
	for q.Limit = pageRows; ; {
		began, rows, moved := time.Now(), 0, 0
		for r, err := range st.Rows(ctx, q) {
			if err != nil {
				return nil, 0, err
			}
			if rows++; !r.Met.IsZero() {
				moved++
			}
			q.After = r.Place()
		}
		if rows < q.Limit {
			return took, elsewhere, nil
		}
		took = append(took, milliseconds(time.Since(began)))
		elsewhere += moved
	}
}
