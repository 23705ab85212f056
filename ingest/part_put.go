package ingest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// An assembly is what one Put writes, and what becomes of its events.
type assembly struct {
	whole    []call.Event // with rows
	places   []int        // theirs among all events; nil: they are all
	fates    []call.Fate  // of all events; settled here of those without a row
	state    call.Batch   // what is kept of the parts
	rejected []call.Rejection
}

// place returns where among all events one of the whole ones stands.
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

// assemble puts together the parts among events. First all of them are folded,
// so that the place of a row that they make is right; then they are gone through
// in their order, because what each is counted as must not depend on how a
// sender has split them over Puts: a part that comes before the row is open, the
// one that completes it makes it, and one that comes later amends it or does not.
// If afresh is set the store is asked even for what it cannot have as far as is
// known here.
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
			continue // batch rejects those that cannot be kept
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
			e.Mark = "" // a mark never passes what was rejected
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
			e.Row, e.Kind = standIn(e.Row), call.LastPartEvent // that is not why it cannot be kept
		}
		a.whole, a.places = append(a.whole, e), append(a.places, i)
	}
	return a, nil
}

// settle gives the rows their places, and notes all that was told, in the order in
// which it was; but of new calls that stay open only as long as there is room.
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

// standIn returns what a part tells with an id and a start, which it alone need
// not have to be kept.
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

	now  part // with the parts up to the one that is looked at
	all  part // with all of the Put
	news bool // some of which are new

	settled bool
	beyond  bool // there is no room for it
	known   bool // the row is older than the Put
	made    bool // a part of the Put has made the row
}

// recall returns a telling with what was told of a call before, which has to be
// the same still when the batch is written: so if another process has told a part
// of it, of which nothing is known here, it is not.
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
			t.told = key // what has a name keeps it
		}
		nameSource(&t.all.row, s.source) // the first release did not
		t.now = t.all
		return t, nil
	}
	// The id that the row gets if no part tells another.
	t.all = part{since: s.in.now(), row: call.Row{Tenant: s.tenant, ID: call.NameGUID(s.source, name), Source: s.source}}
	t.now = t.all
	return t, nil
}

// settle gives the row its place, if the parts make one, and notes all that was
// told.
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

// step takes the next part of the Put, and returns the row that it makes or
// amends, or else notes what became of the part.
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
