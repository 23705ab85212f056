package pebble

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

const (
	momentLen  = 4 + 5 // a day and the time within it
	messageKey = 1 + 4 + 16 + 5 + nameLen
	nameLen    = 8 // tells messages of one leg and moment apart
	legKeyLen  = 1 + 4 + 16 + 5 + 16 + 16
	legRowEnd  = legKeyLen - 16
	legLen     = 2 + 8 + 8
)

// appendTimeOfDay appends the start within its day.
func appendTimeOfDay(b []byte, start uint64) []byte {
	t := start % ticksPerDay
	return append(b, byte(t>>32), byte(t>>24), byte(t>>16), byte(t>>8), byte(t))
}

func timeOfDay(b []byte) uint64 { return uint64(b[0])<<32 | uint64(binary.BigEndian.Uint32(b[1:])) }

func appendKindDay(b []byte, kind byte, day uint64) []byte {
	return binary.BigEndian.AppendUint32(append(b, kind), uint32(day))
}

// appendLegDay appends the common beginning of the keys of a leg's messages of one day.
func appendLegDay(b []byte, day uint64, leg call.GUID) []byte {
	return append(appendKindDay(b, kindMessage, day), leg[:]...)
}

// appendMessageKey appends the key of a message from the given tick. Body is its compact form.
func appendMessageKey(b []byte, leg call.GUID, at uint64, body []byte) []byte {
	b = appendLegDay(b, at/ticksPerDay, leg)
	b = appendTimeOfDay(b, at)
	name := sha256.Sum256(body)
	return append(b, name[:nameLen]...)
}

func parseMessageKey(key []byte) (leg call.GUID, at uint64, err error) {
	if len(key) != messageKey || key[0] != kindMessage {
		return leg, 0, badKey(key)
	}
	at = uint64(binary.BigEndian.Uint32(key[1:]))*ticksPerDay + timeOfDay(key[21:])
	return call.GUID(key[5:]), at, nil
}

// parseMessage sets m to the message with the given key and value. m uses the memory of value.
func parseMessage(m *call.Message, key, value []byte) error {
	leg, at, err := parseMessageKey(key)
	if err != nil {
		return err
	}
	return corruptBody(m.ParseBody(leg, call.TimeOf(at), value))
}

// appendRowLegs appends the common beginning of the keys of a row's legs.
func appendRowLegs(b []byte, tenant call.GUID, start uint64, id call.GUID) []byte {
	b = append(appendKindDay(b, kindLeg, start/ticksPerDay), tenant[:]...)
	b = appendTimeOfDay(b, start)
	return append(b, id[:]...)
}

func appendLeg(b []byte, l *call.Leg) []byte {
	main := byte(0)
	if l.Main {
		main = 1
	}
	b = append(b, valueVersion, main)
	b = binary.BigEndian.AppendUint64(b, call.Ticks(l.From))
	return binary.BigEndian.AppendUint64(b, call.Ticks(l.To))
}

func parseLeg(key, v []byte) (l call.Leg, err error) {
	if len(key) != legKeyLen || key[0] != kindLeg {
		return l, badKey(key)
	}
	if len(v) != legLen || v[0] != valueVersion || v[1] > 1 {
		return l, badValue("a leg", v)
	}
	start := uint64(binary.BigEndian.Uint32(key[1:]))*ticksPerDay + timeOfDay(key[21:])
	return call.Leg{
		Tenant: call.GUID(key[5:]), Row: call.Cursor{Start: call.TimeOf(start), ID: call.GUID(key[26:])}, ID: call.GUID(key[legRowEnd:]),
		Main: v[1] == 1, From: call.TimeOf(binary.BigEndian.Uint64(v[2:])), To: call.TimeOf(binary.BigEndian.Uint64(v[10:])),
	}, nil
}

// A messageList collects the messages of one batch.
type messageList struct {
	arena   []byte
	entries []messageEntry
}

type messageEntry struct{ key, value, end int } // where they begin and end in the arena

// newMessageList checks the messages and legs of a batch, and encodes the messages.
func newMessageList(b *call.Batch) (l messageList, err error) {
	size := 0
	for i := range b.Messages {
		if err := b.Messages[i].Check(); err != nil {
			return l, fmt.Errorf("message %d of %d: %w", i+1, len(b.Messages), err)
		}
		size += messageKey + 64 + len(b.Messages[i].Raw)
	}
	l.arena = make([]byte, 0, size)
	l.entries = make([]messageEntry, 0, len(b.Messages))
	var body []byte
	for i := range b.Messages {
		m := &b.Messages[i]
		body = m.AppendBody(body[:0])
		l.add(func(b []byte) []byte { return appendMessageKey(b, m.Leg, call.Ticks(m.At.UTC()), body) },
			func(b []byte) []byte { return append(b, body...) })
	}
	for i := range b.Legs {
		if err := b.Legs[i].Check(); err != nil {
			return l, fmt.Errorf("leg %d of %d: %w", i+1, len(b.Legs), err)
		}
	}
	slices.SortStableFunc(l.entries, func(x, y messageEntry) int { return bytes.Compare(l.arena[x.key:x.value], l.arena[y.key:y.value]) })
	return l, nil
}

func (l *messageList) add(key, value func([]byte) []byte) {
	e := messageEntry{key: len(l.arena)}
	l.arena = key(l.arena)
	e.value = len(l.arena)
	l.arena = value(l.arena)
	e.end = len(l.arena)
	l.entries = append(l.entries, e)
}

// addTo adds them to the batch.
func (l *messageList) addTo(batch *pebble.Batch) error {
	for _, e := range l.entries {
		if err := batch.Set(l.arena[e.key:e.value], l.arena[e.value:e.end], nil); err != nil {
			return err
		}
	}
	return nil
}

// Legs implements [call.MessageReader].
func (s *Store) Legs(ctx context.Context, tenant call.GUID, row call.Cursor) ([]call.Leg, error) {
	legs, err := s.legs(ctx, tenant, row)
	if err != nil {
		return nil, s.readError("legs of row "+row.ID.String(), err)
	}
	return legs, nil
}

func (s *Store) legs(ctx context.Context, tenant call.GUID, row call.Cursor) (legs []call.Leg, err error) {
	if err := s.life.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.leave()
	start := ceilTicks(row.Start)
	if !call.TimeOf(start).Equal(row.Start) {
		return nil, nil // no row starts there
	}
	prefix := appendRowLegs(nil, tenant, start, row.ID)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, err
	}
	defer func() { err = firstError(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		l, err := parseLeg(it.Key(), value)
		if err != nil {
			return nil, err
		}
		legs = append(legs, l)
	}
	slices.SortFunc(legs, func(x, y call.Leg) int { return x.Compare(&y) })
	return legs, it.Error()
}

// Messages implements [call.MessageReader]. A day without messages of the leg costs a seek only if
// some other leg has messages on it.
func (s *Store) Messages(ctx context.Context, leg call.Leg) iter.Seq2[*call.Message, error] {
	return func(yield func(*call.Message, error) bool) {
		err := s.eachMessage(ctx, leg, func(m *call.Message) bool { return yield(m, nil) })
		if err != nil {
			yield(nil, s.readError("messages of leg "+leg.ID.String(), err))
		}
	}
}

func (s *Store) eachMessage(ctx context.Context, leg call.Leg, yield func(*call.Message) bool) (err error) {
	if err := s.life.enter(ctx); err != nil {
		return err
	}
	defer s.life.leave()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindMessage}, UpperBound: []byte{kindMessage + 1}})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	w := &messageWalk{ctx: ctx, it: it, yield: yield}
	return legDays(it, leg, w.day)
}

// legDays calls do with the common beginning of the keys of a leg's messages, day by day, until it
// returns false. It skips days without messages of any leg: do leaves the iterator behind the
// messages of its day.
func legDays(it *pebble.Iterator, leg call.Leg, do func(prefix []byte) (more bool, err error)) error {
	if leg.To.Before(leg.From) || leg.To.Before(call.TimeOf(0)) {
		return nil
	}
	last := min(floorTicks(leg.To), endOfTime-1) / ticksPerDay
	var prefix []byte
	for day := floorTicks(leg.From) / ticksPerDay; day <= last; {
		prefix = appendLegDay(prefix[:0], day, leg.ID)
		more, err := do(prefix)
		if err != nil || !more || !it.Valid() {
			return firstError(err, it.Error())
		}
		if len(it.Key()) != messageKey {
			return badKey(it.Key())
		}
		day = max(day+1, uint64(binary.BigEndian.Uint32(it.Key()[1:])))
	}
	return nil
}

// A messageWalk yields the messages of one leg.
type messageWalk struct {
	ctx   context.Context
	it    *pebble.Iterator
	yield func(*call.Message) bool
	same  []call.Message // of one moment; lent to the receiver
}

// day yields the messages whose keys begin with prefix, and leaves the iterator behind them. It
// reports whether to go on.
func (w *messageWalk) day(prefix []byte) (more bool, err error) {
	var moment []byte
	for ok := w.it.SeekGE(prefix); ok && bytes.HasPrefix(w.it.Key(), prefix); {
		if err := w.ctx.Err(); err != nil {
			return false, err
		}
		moment = append(moment[:0], w.it.Key()[:min(len(w.it.Key()), messageKey-nameLen)]...)
		if ok, err = w.moment(moment); err != nil || !ok {
			return false, err
		}
		ok = w.it.Valid()
	}
	return true, w.it.Error()
}

// moment yields the messages of one moment in the order of their bytes, which is not that of their
// keys.
func (w *messageWalk) moment(prefix []byte) (more bool, err error) {
	w.same = w.same[:0]
	for ok := true; ok && bytes.HasPrefix(w.it.Key(), prefix); ok = w.it.Next() {
		value, err := w.it.ValueAndErr()
		if err != nil {
			return false, err
		}
		var m call.Message
		if err := parseMessage(&m, w.it.Key(), value); err != nil {
			return false, err
		}
		m.Raw = bytes.Clone(m.Raw)
		w.same = append(w.same, m)
	}
	if err := w.it.Error(); err != nil {
		return false, err
	}
	slices.SortFunc(w.same, func(x, y call.Message) int { return x.Compare(&y) })
	for i := range w.same {
		if !w.yield(&w.same[i]) {
			return false, nil
		}
	}
	return true, nil
}

// floorTicks returns the last tick that is not after t; 0 if there is none.
func floorTicks(t time.Time) uint64 {
	n := ceilTicks(t)
	if n > 0 && call.TimeOf(n).After(t) {
		n--
	}
	return n
}
