package storetest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A Model is a [call.Store] in memory that follows the contract in the most obvious way. The suite
// compares engines with it, and other packages use it in tests. It is slow with more than some ten
// thousand rows.
//
// It is strict where an engine may be lenient: the next step overwrites the texts of a row from
// Rows, so that a caller that keeps one without [call.Row.Clone] sees rubbish. The same holds for
// the bytes of a message.
type Model struct {
	mu      sync.RWMutex
	rows    map[call.GUID][]call.Row    // by tenant, each in the order of the log
	starts  map[call.RowID]time.Time    // the start under which each row stands
	aliases map[call.RowID]call.GUID    // the row of each alias
	history map[call.GUID]*modelHistory // by tenant
	epoch   uint64
	state   map[string][]byte
	kept    kept
	failed  error
	closed  bool
	busy    sync.WaitGroup // operations under way
	news    chan struct{}  // closed when something changes
}

var _ call.Store = (*Model)(nil)

// NewModel returns an empty Model.
func NewModel() *Model {
	return &Model{
		rows: map[call.GUID][]call.Row{}, starts: map[call.RowID]time.Time{}, aliases: map[call.RowID]call.GUID{},
		history: map[call.GUID]*modelHistory{}, epoch: 1, state: map[string][]byte{}, kept: newKept(), news: make(chan struct{}),
	}
}

// Reopen closes m and returns a Model with the same contents, as if an engine's process had started
// again.
func (m *Model) Reopen() *Model {
	_ = m.Close() // it may be closed already
	m.mu.RLock()
	defer m.mu.RUnlock()
	return &Model{
		rows: m.rows, starts: m.starts, aliases: m.aliases, history: m.history, epoch: m.epoch, state: m.state, kept: m.kept,
		news: make(chan struct{}),
	}
}

// FailWrites makes Write, Trim and TrimMessages return err, such as [call.ErrFull], and
// change nothing, until it is called with nil.
func (m *Model) FailWrites(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = err
}

// enter begins an operation that [Model.Close] waits for.
func (m *Model) enter(ctx context.Context) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return fmt.Errorf("model: %w", call.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	m.busy.Add(1)
	return nil
}

// Write implements [call.Store].
func (m *Model) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	if err := m.enter(ctx); err != nil {
		return call.Result{}, err
	}
	defer m.busy.Done()
	rows := make([]call.Row, len(b.Rows))
	if err := b.CheckReplace(); err != nil {
		return call.Result{}, fmt.Errorf("model: %w", err)
	}
	for i := range b.Rows {
		rows[i] = asKept(&b.Rows[i])
		if err := rows[i].Check(); err != nil {
			return call.Result{}, fmt.Errorf("model: row %d of %d: %w", i+1, len(rows), err)
		}
	}
	messages, legs, err := checkMessages(&b)
	if err != nil {
		return call.Result{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed != nil {
		return call.Result{}, fmt.Errorf("model: %w", m.failed)
	}
	for name, want := range b.If {
		if have, ok := m.state[name]; ok != (want != nil) || !bytes.Equal(have, want) {
			return call.Result{}, fmt.Errorf("model: state %q: %w", name, call.ErrConflict)
		}
	}
	if err := m.still(b.Still); err != nil {
		return call.Result{}, err
	}
	if err := m.goodAliases(&b, rows); err != nil {
		return call.Result{}, err
	}
	if err := m.unchanged(b.Replace); err != nil {
		return call.Result{}, err
	}
	res := call.Result{Rows: make([]call.Written, len(rows))}
	for _, id := range b.Remove {
		res.Removed = append(res.Removed, m.remove(id))
	}
	for _, a := range b.Aliases {
		m.aliases[call.RowID{Tenant: a.Tenant, ID: a.ID}] = m.resolve(a.Tenant, a.Of)
	}
	for i := range b.Replace {
		if r := &b.Replace[i]; r.Gone {
			res.Replaced = append(res.Replaced, m.remove(call.RowID{Tenant: r.Was.Tenant, ID: r.Was.ID}))
		} else {
			res.Replaced = append(res.Replaced, call.Written{})
		}
	}
	fresh := map[call.RowID]bool{}
	kept := keeping{names: b.Keep}
	for i := range rows {
		was, _ := m.at(rows[i].Tenant, rows[i].ID)
		w := m.fold(&rows[i], fresh)
		kept.add(rows[i], w, was)
		res.Rows[i] = w
		if w.Fate == call.New {
			fresh[call.RowID{Tenant: rows[i].Tenant, ID: w.Place.ID}] = true
		}
	}
	m.follow(res.Rows, rows)
	for i := range b.Replace {
		if r := &b.Replace[i]; !r.Gone {
			res.Replaced[i] = m.replace(&r.Now)
		}
	}
	kept.set(m.state)
	m.kept.add(messages, m.placed(legs))
	for name, v := range b.State {
		if delete(m.state, name); v != nil {
			m.state[name] = append([]byte{}, v...)
		}
	}
	m.tell()
	return res, nil
}

// fold folds one row. A fresh row, which no reader has seen yet, does not move.
func (m *Model) fold(w *call.Row, fresh map[call.RowID]bool) call.Written {
	w.ID = m.resolve(w.Tenant, w.ID)
	key := call.RowID{Tenant: w.Tenant, ID: w.ID}
	h := m.historyOf(w.Tenant)
	start, known := m.starts[key]
	if !known {
		m.insert(*w)
		return call.Written{Place: w.Cursor(), Fate: call.New, Number: h.note(call.New, w.ID, time.Time{}, w.Start, m.now())}
	}
	at := call.Cursor{Start: start, ID: w.ID}
	all := m.rows[w.Tenant]
	i, _ := slices.BinarySearchFunc(all, at, comparePlace)
	r := all[i].Clone() // readers may hold the old one
	if !r.Fold(w) {
		return call.Written{Place: at, Fate: call.Same}
	}
	fate := call.Changed
	if !r.Start.Equal(start) {
		m.kept.move(&all[i], r.Start)
		if !fresh[key] {
			fate = call.Moved
		}
	}
	m.rows[w.Tenant] = slices.Delete(all, i, i+1)
	m.insert(r)
	return call.Written{Place: r.Cursor(), Fate: fate, Number: h.note(fate, r.ID, start, r.Start, m.now())}
}

// insert puts a row into its place.
func (m *Model) insert(r call.Row) {
	m.starts[call.RowID{Tenant: r.Tenant, ID: r.ID}] = r.Start
	all := m.rows[r.Tenant]
	i, _ := slices.BinarySearchFunc(all, r.Cursor(), comparePlace)
	m.rows[r.Tenant] = slices.Insert(all, i, r)
}

// asKept returns a copy of r as stores keep it: times in UTC, cut to 100 ns.
func asKept(r *call.Row) call.Row {
	k := r.Clone()
	for f := range call.NumFields {
		if f.Type() == call.Time {
			k.SetTime(f, inTicks(k.Time(f)))
		}
	}
	k.ClaimedStart = inTicks(k.ClaimedStart)
	return k
}

// comparePlace compares the place of a row in the log with another.
func comparePlace(r call.Row, c call.Cursor) int {
	if d := r.Start.Compare(c.Start); d != 0 {
		return d
	}
	return bytes.Compare(r.ID[:], c.ID[:])
}

// match returns the rows that q selects, in the order of q.
func (m *Model) match(q call.Query) ([]call.Row, error) {
	m.mu.RLock()
	all, err := m.walked(q)
	q.Where = m.named(q.Tenant, q.Where)
	m.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	if q.Reverse {
		slices.Reverse(all)
	}
	var out []call.Row
	skip := q.Skip
	for _, r := range all {
		at := r.Place()
		behind := comparePlace(call.Row{Start: at.Start, ID: at.ID}, q.After)
		if q.Reverse {
			behind = -behind
		}
		switch {
		case !q.From.IsZero() && at.Start.Before(q.From):
		case !q.To.IsZero() && !at.Start.Before(q.To):
		case !q.After.IsZero() && behind <= 0:
		case q.Where != nil && !q.Where.Match(&r):
		case skip > 0:
			skip--
		default:
			out = append(out, r)
		}
		if q.Limit > 0 && len(out) == q.Limit {
			break
		}
	}
	return out, nil
}

// Rows implements [call.Reader].
func (m *Model) Rows(ctx context.Context, q call.Query) iter.Seq2[*call.Row, error] {
	return func(yield func(*call.Row, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(nil, err)
			return
		}
		defer m.busy.Done()
		var l loan
		defer l.end()
		rows, err := m.match(q)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, r := range rows {
			if err := ctx.Err(); err != nil {
				yield(nil, fmt.Errorf("model: %w", err))
				return
			}
			if !yield(l.lend(&r), nil) {
				return
			}
		}
	}
}

// Row implements [call.Reader].
func (m *Model) Row(ctx context.Context, tenant, id call.GUID) (call.Row, error) {
	if err := m.enter(ctx); err != nil {
		return call.Row{}, err
	}
	defer m.busy.Done()
	m.mu.RLock()
	defer m.mu.RUnlock()
	id = m.resolve(tenant, id)
	start, ok := m.starts[call.RowID{Tenant: tenant, ID: id}]
	if !ok {
		return call.Row{}, fmt.Errorf("model: row %v: %w", id, call.ErrNotFound)
	}
	i, _ := slices.BinarySearchFunc(m.rows[tenant], call.Cursor{Start: start, ID: id}, comparePlace)
	return m.rows[tenant][i].Clone(), nil
}

// Count implements [call.Reader].
func (m *Model) Count(ctx context.Context, q call.Query) (int64, error) {
	if err := m.enter(ctx); err != nil {
		return 0, err
	}
	defer m.busy.Done()
	q.Walk = call.Version{}
	rows, err := m.match(q)
	return int64(len(rows)), err
}

// State implements [call.StateReader].
func (m *Model) State(ctx context.Context, prefix string) iter.Seq2[call.Named, error] {
	return func(yield func(call.Named, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(call.Named{}, err)
			return
		}
		defer m.busy.Done()
		m.mu.RLock()
		state := maps.Clone(m.state)
		m.mu.RUnlock()
		for _, name := range slices.Sorted(maps.Keys(state)) {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(call.Named{}, fmt.Errorf("model: %w", err))
				return
			}
			if !yield(call.Named{Name: name, Value: append([]byte{}, state[name]...)}, nil) {
				return
			}
		}
	}
}

// Trim implements [call.Store].
func (m *Model) Trim(ctx context.Context, tenant call.GUID, t time.Time) (int64, error) {
	if err := m.enter(ctx); err != nil {
		return 0, err
	}
	defer m.busy.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed != nil {
		return 0, fmt.Errorf("model: %w", m.failed)
	}
	var kept []call.Row
	for _, r := range m.rows[tenant] {
		if r.Start.Before(t) {
			m.forget(&r)
		} else {
			kept = append(kept, r)
		}
	}
	n := len(m.rows[tenant]) - len(kept)
	m.rows[tenant] = kept
	if n > 0 {
		m.historyOf(tenant).trimmed(t, m.now())
		m.tell()
	}
	return int64(n), nil
}

// Close implements [call.Store].
func (m *Model) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return fmt.Errorf("model: %w", call.ErrClosed)
	}
	m.closed = true
	m.tell()
	m.mu.Unlock()
	m.busy.Wait()
	return nil
}
