package pebble

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// A moveWalk reads, in the direction of the walk, the places of a span that rows have left or come
// to since a walk began. To the walk a row stands where it stood before its first move since. So at
// each place the first event of an id since the walk began decides: if the row left, it had been
// there from the beginning, and the walk meets it there, wherever it is now. If it came from
// elsewhere, the walk meets it there, and not here.
type moveWalk struct {
	it      *pebble.Iterator
	rows    *pebble.Iterator // to look up the rows that have left
	since   uint64
	reverse bool
	ctx     context.Context
	steps   int
	ok      bool   // the iterator stands on a key of the next place
	next    []byte // the next place and id, as the beginning of a key
	left    bool   // the row of next left it
	came    bool   // or came to it
	to      uint64 // where it went
}

// openMoves returns the moves of the walk's span since q.Walk; nil if there are
// none.
func (w *walk) openMoves(ctx context.Context, since uint64, sp span) (*moveWalk, error) {
	it, err := w.it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{
		LowerBound: sp.lo.moveKey(w.q.Tenant), UpperBound: sp.hi.moveKey(w.q.Tenant),
	}})
	if err != nil {
		return nil, err
	}
	m := &moveWalk{it: it, since: since, reverse: w.q.Reverse, ctx: ctx}
	if m.reverse {
		m.ok = it.Last()
	} else {
		m.ok = it.First()
	}
	if !m.ok {
		return nil, firstError(it.Error(), it.Close())
	}
	m.rows, err = it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{UseL6Filters: true}})
	if err != nil {
		return nil, firstError(err, it.Close())
	}
	return m, nil
}

// moveKey returns p as a bound among the keys of moves.
func (p place) moveKey(tenant call.GUID) []byte {
	b := binary.BigEndian.AppendUint64(appendTenant(make([]byte, 0, moveKeyLen), kindMove, tenant), p.start)
	b = append(b, p.id[:]...)
	if p.past {
		return after(b)
	}
	return b
}

func (m *moveWalk) close() error { return firstError(m.it.Close(), m.rows.Close()) }

// find finds the next place and id with an event since the walk began, from the iterator's position
// on.
func (m *moveWalk) find(end []byte) error {
	m.next = m.next[:0]
	for m.ok {
		if m.steps++; m.steps%1024 == 0 {
			if err := m.ctx.Err(); err != nil {
				return err
			}
		}
		if len(m.it.Key()) != moveKeyLen {
			return badKey(m.it.Key())
		}
		if c := bytes.Compare(m.it.Key()[tenantEnd:moveNumber], end); c != 0 && c > 0 != m.reverse {
			m.next = m.next[:0]
			return nil
		}
		m.next = append(m.next[:0], m.it.Key()[:moveNumber]...)
		found, err := m.first()
		if err != nil || found {
			return err
		}
	}
	m.next = m.next[:0]
	return m.it.Error()
}

// first reads the events of the id at its place since the walk began, and leaves the iterator on
// the next place.
func (m *moveWalk) first() (found bool, err error) {
	m.left, m.came = false, false
	at := m.next
	if m.reverse {
		m.ok = m.it.SeekGE(at)
	}
	for first := true; m.ok && bytes.HasPrefix(m.it.Key(), at); {
		number := binary.BigEndian.Uint64(m.it.Key()[moveNumber:])
		if number <= m.since {
			if first {
				first = false
				m.ok = m.it.Next()
				continue
			}
			m.ok = m.it.SeekGE(binary.BigEndian.AppendUint64(bytes.Clone(at), m.since+1))
			continue
		}
		value, err := m.it.ValueAndErr()
		if err != nil {
			return false, err
		}
		n, err := parseNumberValue("a move", value)
		if err != nil {
			return false, err
		}
		if m.it.Key()[moveKeyLen-1] == 0 {
			m.left, m.to = true, n
		} else if n > m.since {
			m.came = true
		}
		if m.left || m.came {
			break
		}
		m.ok = m.it.Next() // it came back after a removal before the walk began
	}
	if err := m.it.Error(); err != nil {
		return false, err
	}
	switch {
	case m.reverse:
		m.ok = m.it.SeekLT(at)
	case m.ok && bytes.HasPrefix(m.it.Key(), at):
		if m.ok = m.it.Next(); m.ok && bytes.HasPrefix(m.it.Key(), at) {
			m.ok = m.it.SeekGE(after(at))
		}
	}
	return m.left || m.came, m.it.Error()
}

// upTo gives the rows that have left places up to the given row key, and reports whether the row at
// that place has come there since the walk began.
func (w *walk) upTo(key []byte) (came, more bool, err error) {
	m := w.moves
	for {
		if len(m.next) == 0 {
			if err := m.find(key[tenantEnd:]); err != nil || len(m.next) == 0 {
				return came, err == nil, err
			}
		}
		c := bytes.Compare(m.next[tenantEnd:], key[tenantEnd:])
		if c > 0 != m.reverse && c != 0 {
			break
		}
		came = came || c == 0
		if m.left {
			if more, err := w.giveMoved(); err != nil || !more {
				return came, more, err
			}
		}
		m.next = m.next[:0]
	}
	return came, true, nil
}

// rest gives the rows that have left places behind all rows.
func (w *walk) rest() error {
	end := bytes.Repeat([]byte{0xff}, rowKeyLen)
	if w.moves.reverse {
		end = make([]byte, rowKeyLen)
	}
	_, _, err := w.upTo(end)
	return err
}

// giveMoved passes on the row that has left the next place, if it still exists.
func (w *walk) giveMoved() (more bool, err error) {
	start, id := binary.BigEndian.Uint64(w.moves.next[tenantEnd:]), call.GUID(w.moves.next[tenantEnd+8:])
	if w.moves.to == 0 || !w.moves.rows.SeekPrefixGE(appendRowKey(nil, w.q.Tenant, w.moves.to, id)) {
		if err := w.moves.rows.Error(); err != nil {
			return false, err
		}
		e, err := seekID(w.moves.rows, appendIDKey(nil, w.q.Tenant, id))
		if err != nil || e.kind != idOfRow {
			return true, err
		}
		if _, err := seekBody(w.moves.rows, appendRowKey(nil, w.q.Tenant, e.start, id)); err != nil {
			return false, err
		}
	}
	return w.hand(w.moves.rows, call.Cursor{Start: call.TimeOf(start), ID: id})
}

// movedSince reports whether a row of the tenant has moved since a change.
func (w *walk) movedSince(since uint64) (moved bool, err error) {
	it, err := w.it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{
		LowerBound: appendChangeKey(nil, w.q.Tenant, since+1), UpperBound: after(appendTenant(nil, kindChange, w.q.Tenant)),
	}})
	if err != nil {
		return false, err
	}
	defer func() { err = firstError(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return false, err
		}
		p, err := parsePiece(it.Key(), value)
		if err != nil {
			return false, err
		}
		for i, e := range p.all {
			if e.moved && p.first+uint64(i) > since {
				return true, nil
			}
		}
	}
	return false, it.Error()
}
