package storetest

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// kept holds the messages and legs of a Model.
type kept struct {
	messages map[call.GUID][]call.Message // by leg, each in its order
	legs     map[legKey]call.Leg
}

type legKey struct {
	tenant call.GUID
	start  time.Time
	row    call.GUID
	id     call.GUID
}

func newKept() kept {
	return kept{messages: map[call.GUID][]call.Message{}, legs: map[legKey]call.Leg{}}
}

const day = 24 * time.Hour

// checkMessages returns the messages and legs of b in their stored form.
func checkMessages(b *call.Batch) (messages []call.Message, legs []call.Leg, err error) {
	for i := range b.Messages {
		if err := b.Messages[i].Check(); err != nil {
			return nil, nil, fmt.Errorf("model: message %d of %d: %w", i+1, len(b.Messages), err)
		}
		m := b.Messages[i].Clone()
		m.At = inTicks(m.At)
		messages = append(messages, m)
	}
	for i := range b.Legs {
		l := b.Legs[i]
		if err := l.Check(); err != nil {
			return nil, nil, fmt.Errorf("model: leg %d of %d: %w", i+1, len(b.Legs), err)
		}
		l.Row.Start, l.From, l.To = inTicks(l.Row.Start), inTicks(l.From), inTicks(l.To)
		legs = append(legs, l)
	}
	return messages, legs, nil
}

func inTicks(t time.Time) time.Time { return t.UTC().Truncate(100 * time.Nanosecond) }

func (k *kept) add(messages []call.Message, legs []call.Leg) {
	for _, m := range messages {
		all := k.messages[m.Leg]
		i, found := slices.BinarySearchFunc(all, m, func(x, y call.Message) int { return x.Compare(&y) })
		if !found {
			k.messages[m.Leg] = slices.Concat(all[:i], []call.Message{m}, all[i:]) // readers may hold the old one
		}
	}
	for _, l := range legs {
		k.legs[legKey{l.Tenant, l.Row.Start, l.Row.ID, l.ID}] = l
	}
}

// forget deletes the legs of a row, and the messages of their days.
func (k *kept) forget(r *call.Row) {
	for key, l := range k.legs {
		if l.Tenant != r.Tenant || l.Row.ID != r.ID || !l.Row.Start.Equal(r.Start) {
			continue
		}
		delete(k.legs, key)
		k.messages[l.ID] = slices.DeleteFunc(slices.Clone(k.messages[l.ID]), func(m call.Message) bool { return within(&m, l) })
	}
}

// move moves the legs of a row that moves.
func (k *kept) move(r *call.Row, to time.Time) {
	for key, l := range k.legs {
		if l.Tenant != r.Tenant || l.Row.ID != r.ID || !l.Row.Start.Equal(r.Start) {
			continue
		}
		delete(k.legs, key)
		l.Row.Start, key.start = to, to
		k.legs[key] = l
	}
}

// within reports whether the time of a message is on one of the days of its leg.
func within(m *call.Message, l call.Leg) bool {
	from, to := l.From.UTC().Truncate(day), l.To.UTC().Truncate(day).Add(day)
	return !l.To.Before(l.From) && !m.At.Before(from) && m.At.Before(to)
}

// Legs implements [call.MessageReader].
func (m *Model) Legs(ctx context.Context, tenant call.GUID, row call.Cursor) ([]call.Leg, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.busy.Done()
	m.mu.RLock()
	defer m.mu.RUnlock()
	var legs []call.Leg
	for _, l := range m.kept.legs {
		if l.Tenant == tenant && l.Row.ID == row.ID && l.Row.Start.Equal(row.Start) {
			legs = append(legs, l)
		}
	}
	slices.SortFunc(legs, func(x, y call.Leg) int { return x.Compare(&y) })
	return legs, nil
}

// Messages implements [call.MessageReader].
func (m *Model) Messages(ctx context.Context, leg call.Leg) iter.Seq2[*call.Message, error] {
	return func(yield func(*call.Message, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(nil, err)
			return
		}
		defer m.busy.Done()
		m.mu.RLock()
		all := m.kept.messages[leg.ID]
		m.mu.RUnlock()
		for i := range all {
			if !within(&all[i], leg) {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(nil, fmt.Errorf("model: %w", err))
				return
			}
			lent := all[i].Clone()
			more := yield(&lent, nil)
			for j := range lent.Raw {
				lent.Raw[j] = '!'
			}
			if !more {
				return
			}
		}
	}
}

// TrimMessages implements [call.Store].
func (m *Model) TrimMessages(ctx context.Context, t time.Time) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.busy.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed != nil {
		return fmt.Errorf("model: %w", m.failed)
	}
	gone := func(at time.Time) bool { return !at.Truncate(day).Add(day).After(t) }
	for leg, all := range m.kept.messages {
		m.kept.messages[leg] = slices.DeleteFunc(slices.Clone(all), func(m call.Message) bool { return gone(m.At) })
	}
	maps.DeleteFunc(m.kept.legs, func(_ legKey, l call.Leg) bool { return gone(l.Row.Start) })
	return nil
}
