package pebble

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// A removal is a row that a batch removes; if was is not nil, only if the row still equals it.
type removal struct {
	call.RowID
	was *call.Row
}

// addReplacements adds the replacements of the batch to the rows or removals of c.
func (c *change) addReplacements() error {
	b := &c.batch
	if err := b.CheckReplace(); err != nil {
		return err
	}
	for _, id := range b.Remove {
		c.removals = append(c.removals, removal{RowID: id})
	}
	c.rows = append(c.rows, b.Rows...)
	for i := range b.Replace {
		r := &b.Replace[i]
		id := call.RowID{Tenant: r.Was.Tenant, ID: r.Was.ID}
		if r.Gone {
			c.removals = append(c.removals, removal{id, &r.Was})
			continue
		}
		if c.was == nil {
			c.was = make(map[int]*call.Row)
		}
		c.was[len(c.rows)] = &r.Was
		c.rows = append(c.rows, r.Now)
	}
	return nil
}

// results returns what became of all parts of the batch.
func (c *change) results() call.Result {
	b, r := &c.batch, c.result
	rows, removed := r.Rows[len(b.Rows):], r.Removed[len(b.Remove):]
	r.Rows, r.Removed = r.Rows[:len(b.Rows)], r.Removed[:len(b.Remove)]
	for i := range b.Replace {
		from := &rows
		if b.Replace[i].Gone {
			from = &removed
		}
		r.Replaced, *from = append(r.Replaced, (*from)[0]), (*from)[1:]
	}
	return r
}

// is returns [call.ErrConflict] if a row differs from its expected state.
func is(old, was *call.Row) error {
	then := *was
	inTicks(&then)
	if old.ID != then.ID || !old.Start.Equal(then.Start) || !bytes.Equal(old.AppendBody(nil), then.AppendBody(nil)) {
		return changedMeanwhile(was)
	}
	return nil
}

func changedMeanwhile(r *call.Row) error {
	return fmt.Errorf("row %v has changed meanwhile: %w", r.ID, call.ErrConflict)
}

// replaces reports whether a row of a group replaces another.
func (c *change) replaces(g group) bool {
	return c.was != nil && slices.ContainsFunc(g.rows, func(i int) bool { return c.was[i] != nil })
}

// replace puts the row with the given index in the place of the stored one.
func (c *change) replace(old *call.Row, g group) (now call.Row, changed bool, err error) {
	i := g.rows[0]
	if len(g.rows) > 1 { // under an alias
		return now, false, changedMeanwhile(old)
	}
	if err := is(old, c.was[i]); err != nil {
		return now, false, err
	}
	now = c.rows[i]
	moved := !now.Start.Equal(old.Start)
	switch changed = moved || !bytes.Equal(old.AppendBody(nil), c.body(i)); {
	case moved:
		c.result.Rows[i].Fate = call.Moved
	case changed:
		c.result.Rows[i].Fate = call.Changed
	}
	return now, changed, nil
}

// Tellings are what a batch says of the rows of a tenant, as a value of the state in its stored
// form.
type tellings struct {
	tenant call.GUID
	name   string
	value  []byte
}

// keptOf returns the tellings for the row with the given index; nil if the batch does not keep
// them. Rows come by their tenants.
func (c *change) keptOf(i int) *tellings {
	if len(c.batch.Keep) == 0 || i >= len(c.batch.Rows) {
		return nil
	}
	tenant := c.rows[i].Tenant
	if n := len(c.kept); n > 0 && c.kept[n-1].tenant == tenant {
		return &c.kept[n-1]
	}
	name, ok := c.batch.Keep[tenant]
	if !ok {
		return nil
	}
	value := []byte{valueVersion}
	if len(c.batch.Keep) == 1 {
		const head = 1 + 16 + 8 + 2 // for a new row
		value = slices.Grow(value, len(c.bodies)+head*len(c.rows))
	}
	c.kept = append(c.kept, tellings{tenant, name, value})
	return &c.kept[len(c.kept)-1]
}

// keep notes the batch's row with the given index, and the stored row before it.
func (c *change) keep(i int, fate call.Fate, was *call.Row) {
	k := c.keptOf(i)
	if k == nil {
		return
	}
	if fate == call.New {
		k.value = call.AppendNew(k.value, &c.rows[i], c.body(i))
		return
	}
	t := call.Told{Row: c.rows[i], Fate: fate}
	if was != nil {
		t.Was = *was
	}
	k.value = call.AppendTold(k.value, &t)
}

// setKept adds the tellings to a batch.
func (c *change) setKept(batch *pebble.Batch) error {
	for _, k := range c.kept {
		if err := batch.Set(appendStateKey(nil, k.name), k.value, nil); err != nil {
			return err
		}
	}
	return nil
}
