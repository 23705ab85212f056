package storetest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A Model is a [call.Store] in memory that does what the contract says in the
// most obvious way. Engines are compared with it, and parts that need a store
// are tested on it. It is slow with more than some ten thousand rows.
//
// It is strict where an engine may be lenient: the texts of a row that Rows
// has yielded are overwritten on the next step, so that who keeps one without
// [call.Row.Clone] sees rubbish; so are the bytes of a message.
type Model struct {
	mu     sync.RWMutex
	rows   map[call.GUID][]call.Row // by tenant, each in the order of the log
	starts map[rowKey]time.Time     // under which start a row was published
	state  map[string][]byte
	kept   kept
	failed error
	closed bool
	busy   sync.WaitGroup // what is under way
}

type rowKey struct{ tenant, id call.GUID }

var _ call.Store = (*Model)(nil)

// NewModel returns an empty Model.
func NewModel() *Model {
	return &Model{rows: map[call.GUID][]call.Row{}, starts: map[rowKey]time.Time{}, state: map[string][]byte{}, kept: newKept()}
}

// Reopen closes m and returns a Model that holds what m held, as an engine
// does when its process starts again.
func (m *Model) Reopen() *Model {
	_ = m.Close() // it may be closed already
	m.mu.RLock()
	defer m.mu.RUnlock()
	return &Model{rows: m.rows, starts: m.starts, state: m.state, kept: m.kept}
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
	res := call.Result{Rows: make([]call.Written, len(rows))}
	for i := range rows {
		res.Rows[i] = m.fold(&rows[i])
	}
	m.kept.add(messages, legs)
	for name, v := range b.State {
		if delete(m.state, name); v != nil {
			m.state[name] = append([]byte{}, v...)
		}
	}
	return res, nil
}

func (m *Model) fold(w *call.Row) call.Written {
	key := rowKey{w.Tenant, w.ID}
	start, known := m.starts[key]
	if !known {
		m.starts[key] = w.Start
		all := m.rows[w.Tenant]
		i, _ := slices.BinarySearchFunc(all, w.Cursor(), comparePlace)
		m.rows[w.Tenant] = slices.Insert(all, i, *w)
		return call.Written{Place: w.Cursor(), Fate: call.New}
	}
	at := call.Cursor{Start: start, ID: w.ID}
	all := m.rows[w.Tenant]
	i, _ := slices.BinarySearchFunc(all, at, comparePlace)
	r := all[i].Clone() // readers have the old one
	if !r.Fold(w) {
		return call.Written{Place: at, Fate: call.Same}
	}
	m.rows[w.Tenant] = slices.Concat(all[:i], []call.Row{r}, all[i+1:])
	return call.Written{Place: at, Fate: call.Changed}
}

// asKept returns a copy of r as a store keeps it: times in UTC, without what
// 100 ns cannot hold.
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

// match returns the rows that q selects, in the order in which it asks for
// them.
func (m *Model) match(q call.Query) []call.Row {
	m.mu.RLock()
	all := slices.Clone(m.rows[q.Tenant])
	m.mu.RUnlock()
	if q.Reverse {
		slices.Reverse(all)
	}
	var out []call.Row
	skip := q.Skip
	for _, r := range all {
		behind := comparePlace(r, q.After)
		if q.Reverse {
			behind = -behind
		}
		switch {
		case !q.From.IsZero() && r.Start.Before(q.From):
		case !q.To.IsZero() && !r.Start.Before(q.To):
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
	return out
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
		for _, r := range m.match(q) {
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
	start, ok := m.starts[rowKey{tenant, id}]
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
	return int64(len(m.match(q))), nil
}

// State implements [call.Store].
func (m *Model) State(ctx context.Context, prefix string) (map[string][]byte, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.busy.Done()
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := map[string][]byte{}
	for name, v := range m.state {
		if strings.HasPrefix(name, prefix) {
			out[name] = append([]byte{}, v...)
		}
	}
	return out, nil
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
			delete(m.starts, rowKey{tenant, r.ID})
			m.kept.forget(&r)
		} else {
			kept = append(kept, r)
		}
	}
	n := len(m.rows[tenant]) - len(kept)
	m.rows[tenant] = kept
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
	m.mu.Unlock()
	m.busy.Wait()
	return nil
}
