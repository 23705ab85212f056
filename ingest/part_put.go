package ingest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// An assembly is what one Put writes, with the outcomes of its events.
type assembly struct {
	whole    []call.Event // events with rows
	places   []int        // their places among all events; nil: they are all
	fates    []call.Fate  // of all events; assemble sets those of the events without a row
	state    call.Batch   // the new folds of parts
	rejected []call.Rejection
}

// place returns the place of the i-th whole event among all events.
func (a *assembly) place(i int) int {
	if a.places == nil {
		return i
	}
	return a.places[i]
}

// reject notes that the event at the given place cannot be kept.
func (a *assembly) reject(place int, err error) {
	a.fates[place] = call.Rejected
	a.rejected = append(a.rejected, call.Rejection{Event: place, Err: err})
}

// assemble puts together the parts among events. First it folds all of them, so that the place of a
// row that they make is right. Then it steps through them in order, because the outcome of each
// must not depend on how a sender splits them over Puts: a part before the row is open, the one
// that completes the row makes it, and each later one amends it or does not. With afresh it reads
// from the store even the folds that the store should not have.
func (s *Sink) assemble(ctx context.Context, events []call.Event, afresh bool) (a assembly, err error) {
	a.fates = slices.Repeat([]call.Fate{call.Open}, len(events))
	a.state.State, a.state.If = make(map[string][]byte), make(map[string][]byte)
	calls := make(map[string]*telling)
	tellings := make([]*telling, len(events))
	if err := s.in.parts.load(ctx, s.in.store); err != nil {
		return a, err
	}
	for i := range events {
		e := &events[i]
		if r := standIn(e.Row); !isPart(e) || r.Seen == 0 || r.Check() != nil {
			continue // batch rejects those that are not valid
		}
		t := calls[e.Call]
		if t == nil {
			if t, err = s.recall(ctx, e.Call, &a.state, afresh); err != nil {
				return a, err
			}
			calls[e.Call] = t
		}
		t.news = t.all.add(&e.Row, e.Kind == call.LastPartEvent) || t.news
		tellings[i] = t
	}
	s.settle(tellings, &a.state)
	for i, e := range events {
		if len(a.rejected) > 0 {
			e.Mark = "" // a mark never passes a rejected event
		}
		if t := tellings[i]; t != nil {
			if t.beyond {
				a.reject(i, s.in.parts.most.err())
				continue
			}
			row, ok := t.step(&e, &a.fates[i])
			if !ok {
				continue
			}
			e.Row, e.Kind = row, call.LastPartEvent
		} else if isPart(&e) {
			e.Row, e.Kind = standIn(e.Row), call.LastPartEvent // a missing id or start is not why it is rejected
		}
		a.whole, a.places = append(a.whole, e), append(a.places, i)
	}
	return a, nil
}

// settle gives the rows their places and adds the new folds to b, in the order of the events. A new
// call that stays open is added only as long as there is room.
func (s *Sink) settle(tellings []*telling, b *call.Batch) {
	more := 0
	for _, t := range tellings {
		if t == nil || t.settled {
			continue
		}
		t.settled = true
		if b.If[t.open] == nil && !t.known && !t.all.complete() {
			if !s.in.parts.room(partPrefix+s.source+"/", s.tenant.String(), more+1) {
				t.beyond = true
				delete(b.If, t.open)
				delete(b.If, t.told)
				continue
			}
			more++
		}
		t.settle(s, b)
	}
}

// standIn returns r with an id and a start, which a part need not have.
func standIn(r call.Row) call.Row {
	if r.ID.IsZero() {
		r.ID = call.GUID{1}
	}
	if r.Start.IsZero() {
		r.Start = time.Unix(0, 0)
	}
	return r
}

// A telling is what one Put tells of one call in parts.
type telling struct {
	open, told string // names in the state

	now  part // the fold up to the part that step has taken
	all  part // the fold of all the Put's parts
	news bool // the Put's parts tell something new

	settled bool
	beyond  bool // there is no room for the call
	known   bool // an earlier Put has made the row
	made    bool // a part of the Put has made the row
}

// recall returns a telling with the call's fold so far. It adds to b the condition that the fold is
// still the same when the batch is written, which fails if another process has added a part
// meanwhile.
func (s *Sink) recall(ctx context.Context, name string, b *call.Batch, afresh bool) (*telling, error) {
	t := &telling{}
	var first string
	t.open, t.told, first = s.partNames(name)
	keys := []string{t.open, t.told}
	if s.in.parts.first {
		keys = append(keys, first)
	}
	for _, key := range keys {
		if key == t.open && !afresh && !s.in.parts.has(key) {
			b.If[key] = nil
			continue
		}
		value, err := call.Value(ctx, s.in.store, key)
		if err != nil {
			return nil, err
		}
		if b.If[key] = value; value == nil {
			continue
		}
		if t.all, err = decodePart(value); err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		if t.known = key != t.open; t.known {
			t.told = key // a fold keeps its name
		}
		nameSource(&t.all.row, s.source) // the first release did not note it
		t.now = t.all
		return t, nil
	}
	// The row gets this id if no part tells another.
	t.all = part{since: s.in.now(), row: call.Row{Tenant: s.tenant, ID: call.NameGUID(s.source, name), Source: s.source}}
	t.now = t.all
	return t, nil
}

// settle gives the row its place, if the parts make one, and adds the fold to b.
func (t *telling) settle(s *Sink, b *call.Batch) {
	if !t.known && t.all.complete() {
		r := t.all.finish()
		t.all.at = r.Cursor()
		t.all.row.Tenant = s.tenantOf(&r, make(map[string]call.GUID))
	}
	if t.all.at.IsZero() {
		b.State[t.open] = t.all.encode()
		return
	}
	if t.news {
		t.all.since = s.in.now()
	}
	if b.If[t.open] != nil {
		b.State[t.open] = nil
	}
	b.State[t.told] = t.all.encode()
}

// step takes the next part of the Put. It returns the row that the part makes or amends, or sets
// the part's outcome.
func (t *telling) step(e *call.Event, fate *call.Fate) (row call.Row, ok bool) {
	was := t.now.row
	changed := t.now.add(&e.Row, e.Kind == call.LastPartEvent)
	switch {
	case t.known:
		return t.now.amend(&was), true
	case t.all.at.IsZero():
	case t.made && changed:
		*fate = call.Changed
	case t.made:
		*fate = call.Same
	case t.now.complete():
		t.made = true
		return t.all.finish(), true
	}
	return row, false
}
