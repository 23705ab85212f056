package storetest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A modelHistory is the changes of a tenant's log, in the order of their numbers.
type modelHistory struct {
	number  uint64
	floor   uint64 // the model keeps all changes after it
	entries []modelEntry
}

type modelEntry struct {
	number   uint64
	fate     call.Fate
	id       call.GUID
	from, to time.Time // the old and the new start; for Trimmed, to is the bound
	at       time.Time
}

// note takes the next number for a change.
func (h *modelHistory) note(fate call.Fate, id call.GUID, from, to, at time.Time) uint64 {
	h.number++
	h.entries = append(h.entries, modelEntry{h.number, fate, id, from, to, at})
	return h.number
}

// trimmed notes that retention has taken the rows before t. Their moves say nothing of later rows
// with the same ids.
func (h *modelHistory) trimmed(t, at time.Time) {
	h.note(call.Trimmed, call.GUID{}, time.Time{}, t, at)
}

func (m *Model) historyOf(tenant call.GUID) *modelHistory {
	h := m.history[tenant]
	if h == nil {
		h = &modelHistory{}
		m.history[tenant] = h
	}
	return h
}

func (m *Model) now() time.Time { return time.Now() }

// tell wakes the callers of Await.
func (m *Model) tell() {
	close(m.news)
	m.news = make(chan struct{})
}

// resolve returns the id of the row that id means.
func (m *Model) resolve(tenant, id call.GUID) call.GUID {
	if of, ok := m.aliases[call.RowID{Tenant: tenant, ID: id}]; ok {
		return m.resolve(tenant, of)
	}
	return id
}

// remove removes a row, if it is there.
func (m *Model) remove(id call.RowID) call.Written {
	row := m.resolve(id.Tenant, id.ID)
	start, ok := m.starts[call.RowID{Tenant: id.Tenant, ID: row}]
	at := call.Cursor{Start: start, ID: row}
	if !ok {
		return call.Written{Place: call.Cursor{ID: id.ID}, Fate: call.Same}
	}
	all := m.rows[id.Tenant]
	i, _ := slices.BinarySearchFunc(all, at, comparePlace)
	m.forget(&all[i])
	m.rows[id.Tenant] = slices.Concat(all[:i], all[i+1:])
	n := m.historyOf(id.Tenant).note(call.Removed, row, start, time.Time{}, m.now())
	return call.Written{Place: at, Fate: call.Removed, Number: n}
}

// forget forgets what belongs to a row that goes.
func (m *Model) forget(r *call.Row) {
	delete(m.starts, call.RowID{Tenant: r.Tenant, ID: r.ID})
	var others []call.RowID
	for a := range m.aliases {
		if a.Tenant == r.Tenant && m.resolve(a.Tenant, a.ID) == r.ID {
			others = append(others, a)
		}
	}
	for _, a := range others {
		delete(m.aliases, a)
	}
	m.kept.forget(r)
}

// goodAliases returns an error unless each alias of b is the id of no row, and names a row that
// exists or comes with b.
func (m *Model) goodAliases(b *call.Batch, rows []call.Row) error {
	gone := map[call.RowID]bool{}
	for _, r := range b.Remove {
		gone[call.RowID{Tenant: r.Tenant, ID: m.resolve(r.Tenant, r.ID)}] = true
	}
	is := map[call.RowID]bool{}
	for _, a := range b.Aliases {
		id := call.RowID{Tenant: a.Tenant, ID: a.ID}
		of := call.RowID{Tenant: a.Tenant, ID: m.resolve(a.Tenant, a.Of)}
		_, taken := m.starts[id]
		_, there := m.starts[of]
		there = there && !gone[of] || slices.ContainsFunc(rows, func(r call.Row) bool { return r.Tenant == of.Tenant && r.ID == of.ID })
		other := m.resolve(a.Tenant, a.ID)
		if taken && !gone[id] || !there || id == of || is[of] || other != a.ID && other != of.ID && !gone[call.RowID{Tenant: a.Tenant, ID: other}] {
			return fmt.Errorf("model: alias %v of row %v: %w", a.ID, a.Of, call.ErrConflict)
		}
		is[id] = true
	}
	return nil
}

// still reports whether the conditions hold.
func (m *Model) still(all []call.Condition) error {
	for _, c := range all {
		h := m.historyOf(c.Tenant)
		if err := m.known(h, c.After); err != nil {
			return fmt.Errorf("model: correlation id %v: %w", c.Correlation, call.ErrConflict)
		}
		i, _ := slices.BinarySearchFunc(h.entries, c.After.Number+1, func(e modelEntry, n uint64) int { return cmp.Compare(e.number, n) })
		for _, e := range h.entries[i:] {
			start, there := m.starts[call.RowID{Tenant: c.Tenant, ID: e.id}]
			if !there {
				continue
			}
			i, _ := slices.BinarySearchFunc(m.rows[c.Tenant], call.Cursor{Start: start, ID: e.id}, comparePlace)
			if m.rows[c.Tenant][i].CorrelationID == c.Correlation {
				return fmt.Errorf("model: correlation id %v: %w", c.Correlation, call.ErrConflict)
			}
		}
	}
	return nil
}

// known returns an error unless the model keeps all changes after v.
func (m *Model) known(h *modelHistory, v call.Version) error {
	if v.Epoch != m.epoch || v.Number < h.floor || v.Number > h.number {
		return fmt.Errorf("model: version %v: %w", v, call.ErrGone)
	}
	return nil
}

// walked returns the tenant's rows in the order in which q's walk meets them.
func (m *Model) walked(q call.Query) ([]call.Row, error) {
	rows := slices.Clone(m.rows[q.Tenant])
	h := m.history[q.Tenant]
	if h == nil {
		h = &modelHistory{}
	}
	if q.Walk.IsZero() {
		return rows, nil
	}
	if q.Walk == call.FirstRelease() {
		q.Walk = call.Version{Epoch: m.epoch}
	}
	if err := m.known(h, q.Walk); err != nil {
		return nil, err
	}
	met := map[call.GUID]call.Cursor{}
	for _, e := range h.entries {
		if e.number <= q.Walk.Number || e.fate != call.Moved && e.fate != call.Removed {
			continue
		}
		if _, ok := met[e.id]; !ok {
			met[e.id] = call.Cursor{Start: e.from, ID: e.id}
		}
	}
	for i := range rows {
		if at, ok := met[rows[i].ID]; ok && at != rows[i].Cursor() {
			rows[i].Met = at
		}
	}
	slices.SortFunc(rows, func(x, y call.Row) int {
		at := y.Place()
		p := x.Place()
		return comparePlace(call.Row{Start: p.Start, ID: p.ID}, at)
	})
	return rows, nil
}

// named returns x with aliases replaced by the ids of their rows.
func (m *Model) named(tenant call.GUID, x call.Expr) call.Expr {
	return call.MapIDs(x, func(id call.GUID) call.GUID { return m.resolve(tenant, id) })
}

// placed returns legs with the present places of their rows.
func (m *Model) placed(legs []call.Leg) []call.Leg {
	for i := range legs {
		l := &legs[i]
		l.Row.ID = m.resolve(l.Tenant, l.Row.ID)
		if start, ok := m.starts[call.RowID{Tenant: l.Tenant, ID: l.Row.ID}]; ok {
			l.Row.Start = start
		}
	}
	return legs
}

// follow gives rows that a batch has several times their final place.
func (m *Model) follow(written []call.Written, rows []call.Row) {
	for i := range written {
		if start, ok := m.starts[call.RowID{Tenant: rows[i].Tenant, ID: written[i].Place.ID}]; ok {
			written[i].Place.Start = start
		}
	}
}

// Latest implements [call.ChangeReader].
func (m *Model) Latest(ctx context.Context, tenant call.GUID) (call.Version, error) {
	if err := m.enter(ctx); err != nil {
		return call.Version{}, err
	}
	defer m.busy.Done()
	v, _ := m.latest(tenant)
	return v, nil
}

func (m *Model) latest(tenant call.GUID) (call.Version, <-chan struct{}) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v := call.Version{Epoch: m.epoch}
	if h := m.history[tenant]; h != nil {
		v.Number = h.number
	}
	return v, m.news
}

// Await implements [call.ChangeReader].
func (m *Model) Await(ctx context.Context, tenant call.GUID, after call.Version) (call.Version, error) {
	for {
		if err := m.enter(ctx); err != nil {
			return call.Version{}, err
		}
		v, news := m.latest(tenant)
		m.busy.Done()
		if v != after {
			return v, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return call.Version{}, fmt.Errorf("model: %w", ctx.Err())
		}
	}
}

// Changes implements [call.ChangeReader].
func (m *Model) Changes(ctx context.Context, tenant call.GUID, after call.Version) iter.Seq2[*call.Change, error] {
	return func(yield func(*call.Change, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(nil, err)
			return
		}
		defer m.busy.Done()
		m.mu.RLock()
		h := modelHistory{}
		if p := m.history[tenant]; p != nil {
			h = *p
		}
		err := m.known(&h, after)
		now := map[call.GUID]call.Row{}
		for _, r := range m.rows[tenant] {
			now[r.ID] = r
		}
		m.mu.RUnlock()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, e := range h.entries {
			if e.number <= after.Number {
				continue
			}
			c := &call.Change{Number: e.number, Fate: e.fate, ID: e.id}
			if r, ok := now[e.id]; ok && e.fate != call.Trimmed && e.fate != call.Removed {
				c.Row = &r
			}
			if e.fate == call.Trimmed {
				c.Before = e.to
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// TrimChanges implements [call.Store].
func (m *Model) TrimChanges(ctx context.Context, t time.Time) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.busy.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed != nil {
		return fmt.Errorf("model: %w", m.failed)
	}
	for _, h := range m.history {
		h.entries = slices.DeleteFunc(slices.Clone(h.entries), func(e modelEntry) bool {
			gone := e.at.Before(t) && e.number >= h.floor
			if gone {
				h.floor = e.number
			}
			return gone
		})
	}
	return nil
}

// NewEpoch implements [call.Keeper].
func (m *Model) NewEpoch(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch = (m.epoch + 1) % math.MaxUint64
	for _, h := range m.history {
		h.floor, h.entries = h.number, nil
	}
	m.tell()
	return nil
}
