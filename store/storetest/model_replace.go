package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// at returns the present row with an id, if there is one.
func (m *Model) at(tenant, id call.GUID) (r call.Row, ok bool) {
	id = m.resolve(tenant, id)
	start, ok := m.starts[call.RowID{Tenant: tenant, ID: id}]
	if !ok {
		return r, false
	}
	all := m.rows[tenant]
	i, _ := slices.BinarySearchFunc(all, call.Cursor{Start: start, ID: id}, comparePlace)
	return all[i].Clone(), true
}

// unchanged returns an error if a row of the replacements has changed.
func (m *Model) unchanged(all []call.Replacement) error {
	for i := range all {
		was := asKept(&all[i].Was)
		if r, ok := m.at(was.Tenant, was.ID); !ok || r.ID != was.ID || !r.Equal(&was) {
			return fmt.Errorf("model: row %v has changed meanwhile: %w", was.ID, call.ErrConflict)
		}
	}
	return nil
}

// replace puts a row in the place of the one with its id.
func (m *Model) replace(now *call.Row) call.Written {
	r := asKept(now)
	old, _ := m.at(r.Tenant, r.ID)
	if old.Equal(&r) {
		return call.Written{Place: r.Cursor(), Fate: call.Same}
	}
	fate := call.Changed
	if !old.Start.Equal(r.Start) {
		fate = call.Moved
		m.kept.move(&old, r.Start)
	}
	all := m.rows[r.Tenant]
	i, _ := slices.BinarySearchFunc(all, old.Cursor(), comparePlace)
	m.rows[r.Tenant] = slices.Concat(all[:i], all[i+1:])
	m.insert(r)
	n := m.historyOf(r.Tenant).note(fate, r.ID, old.Start, r.Start, time.Now())
	return call.Written{Place: r.Cursor(), Fate: fate, Number: n}
}

// A keeping is the state that [call.Batch.Keep] asks for.
type keeping struct {
	names map[call.GUID]string
	told  map[call.GUID][]call.Told
}

func (k *keeping) add(told call.Row, w call.Written, was call.Row) {
	if _, ok := k.names[told.Tenant]; !ok {
		return
	}
	if k.told == nil {
		k.told = make(map[call.GUID][]call.Told)
	}
	told.ID = w.Place.ID
	k.told[told.Tenant] = append(k.told[told.Tenant], call.Told{Row: told.Clone(), Fate: w.Fate, Was: was})
}

func (k *keeping) set(state map[string][]byte) {
	for tenant, all := range k.told {
		slices.SortStableFunc(all, func(x, y call.Told) int { return bytes.Compare(x.Row.ID[:], y.Row.ID[:]) })
		var b []byte
		for i := range all {
			b = call.AppendTold(b, &all[i])
		}
		state[k.names[tenant]] = b
	}
}
