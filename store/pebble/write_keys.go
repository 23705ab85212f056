package pebble

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// A keyList collects the keys of one batch, so that they go into it in their order: the memtable
// takes neighbours several times faster than random keys.
type keyList struct {
	arena []byte // of all keys and short values
	rows  []entry
	ids   []entry
	index [len(indexKinds)][]indexEntry

	tenant   []byte // of the index keys, if several is not set
	several  bool
	expected int // new rows

	shapes shapeList
	moved  []movedRow
	stands map[call.RowID]standing // for rows that existed before, their present state
	buf    []byte
}

// An entry is a key in the arena, with its value.
type entry struct {
	from, to int    // the key
	value    []byte // of a row; the start of an id follows its key in the arena
	remove   bool
}

// An indexEntry is a key of the index. head is the bytes behind its kind and tenant, as numbers
// that sort as the bytes do: most keys differ there.
type indexEntry struct {
	head   [2]uint64
	from   int
	n      uint32
	remove bool
}

// roomFor makes room for n new rows, because growing copies the list.
func (l *keyList) roomFor(n int) {
	const keys = 300 // bytes of the keys of a row with two numbers and a user
	l.arena = slices.Grow(l.arena, keys*n)
	l.rows, l.ids = slices.Grow(l.rows, n), slices.Grow(l.ids, n)
	l.expected = n
}

// A movedRow is a row that has left some places in the index.
type movedRow struct {
	call.RowID
	start uint64 // where it stood
	left  []entry
}

// A standing is the present place and body of a row; without a body it is gone.
type standing struct {
	start uint64
	body  []byte
}

func (l *keyList) key(e entry) []byte { return l.arena[e.from:e.to] }

func (l *keyList) indexKey(e *indexEntry) []byte { return l.arena[e.from : e.from+int(e.n)] }

func (l *keyList) setRow(r *call.Row, start uint64, body []byte) {
	from := len(l.arena)
	l.arena = appendRowKey(l.arena, r.Tenant, start, r.ID)
	l.rows = append(l.rows, entry{from: from, to: len(l.arena), value: body})
}

func (l *keyList) setID(r *call.Row, start uint64) {
	from := len(l.arena)
	l.arena = appendIDKey(l.arena, r.Tenant, r.ID)
	l.ids = append(l.ids, entry{from: from, to: len(l.arena)})
	l.arena = appendIDValue(l.arena, start)
}

const idValueLen = 9

// setIndex adds the index keys of a new row.
func (l *keyList) setIndex(r *call.Row, start uint64) {
	l.buf = indexKeys(l.buf, r, start, func(key []byte) { l.addIndex(key, false) })
	l.shapes.add(r)
}

func (l *keyList) addIndex(key []byte, remove bool) {
	e := indexEntry{from: len(l.arena), n: uint32(len(key)), remove: remove}
	l.arena = append(l.arena, key...)
	if l.tenant == nil {
		l.tenant = bytes.Clone(key[1:tenantEnd])
	}
	l.several = l.several || !bytes.Equal(l.tenant, key[1:tenantEnd])
	var head [16]byte
	copy(head[:], key[tenantEnd:])
	e.head[0], e.head[1] = binary.BigEndian.Uint64(head[:8]), binary.BigEndian.Uint64(head[8:])
	kind := strings.IndexByte(indexKinds, key[0])
	if l.index[kind] == nil {
		l.index[kind] = make([]indexEntry, 0, l.expected)
	}
	l.index[kind] = append(l.index[kind], e)
}

// compareIndex compares two keys of one kind.
func (l *keyList) compareIndex(x, y indexEntry) int {
	if !l.several && x.head != y.head {
		return cmp.Or(cmp.Compare(x.head[0], y.head[0]), cmp.Compare(x.head[1], y.head[1]))
	}
	return cmp.Or(bytes.Compare(l.indexKey(&x), l.indexKey(&y)), removalFirst(x.remove, y.remove))
}

// removalFirst compares two entries for one key.
func removalFirst(x, y bool) int { return btoi(y) - btoi(x) }

// removeRow adds the removal of a row from its old place.
func (l *keyList) removeRow(tenant call.GUID, start uint64, id call.GUID) {
	from := len(l.arena)
	l.arena = appendRowKey(l.arena, tenant, start, id)
	l.rows = append(l.rows, entry{from: from, to: len(l.arena), remove: true})
}

// moveIndex adds the changes in the index when old, at start, becomes now, which is nil if the
// batch removes the row.
func (l *keyList) moveIndex(old *call.Row, start uint64, now *call.Row, to standing) {
	var was, is [][]byte
	l.buf = indexKeys(l.buf, old, start, func(key []byte) { was = append(was, bytes.Clone(key)) })
	if now != nil {
		l.shapes.add(now)
		l.buf = indexKeys(l.buf, now, to.start, func(key []byte) { is = append(is, bytes.Clone(key)) })
	}
	has := func(keys [][]byte, key []byte) bool {
		return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
	}
	for _, key := range is {
		if !has(was, key) {
			l.addIndex(key, false)
		}
	}
	m := movedRow{RowID: call.RowID{Tenant: old.Tenant, ID: old.ID}, start: start}
	for _, key := range was {
		if !has(is, key) {
			from := len(l.arena)
			l.arena = append(l.arena, key...)
			m.left = append(m.left, entry{from: from, to: len(l.arena)})
		}
	}
	if len(m.left) > 0 {
		l.moved = append(l.moved, m)
	}
	if l.stands == nil {
		l.stands = map[call.RowID]standing{}
	}
	l.stands[m.RowID] = to
}

// leave adds the removal of the index keys that rows have left. It keeps a key that leads to
// another row too, which has the same start and an id that begins alike. The caller has added all
// rows of the batch.
func (l *keyList) leave(it *pebble.Iterator) error {
	for _, m := range l.moved {
		stay, err := l.twins(it, m)
		if err != nil {
			return err
		}
		for _, e := range m.left {
			if !stay[string(l.key(e))] {
				l.addIndex(l.key(e), true)
			}
		}
	}
	return nil
}

// twins returns the index keys of the other stored rows that begin as m does. Keys of the batch's
// new rows follow every removal.
func (l *keyList) twins(it *pebble.Iterator, m movedRow) (map[string]bool, error) {
	var keys map[string]bool
	prefix := appendRowKey(nil, m.Tenant, m.start, m.ID)[:tenantEnd+8+shortID]
	for ok := it.SeekGE(prefix); ok && bytes.HasPrefix(it.Key(), prefix); ok = it.Next() {
		_, id, err := parseRowKey(it.Key())
		if err != nil {
			return nil, err
		}
		now, known := l.stands[call.RowID{Tenant: m.Tenant, ID: id}]
		if id == m.ID || known && (now.body == nil || now.start != m.start) {
			continue // it leaves as well
		}
		body := now.body
		if !known {
			if body, err = it.ValueAndErr(); err != nil {
				return nil, err
			}
		}
		var r call.Row
		if err := parseBody(&r, m.Tenant, m.start, id, string(body)); err != nil {
			return nil, err
		}
		if keys == nil {
			keys = map[string]bool{}
		}
		l.buf = indexKeys(l.buf, &r, m.start, func(key []byte) { keys[string(key)] = true })
	}
	return keys, it.Error()
}

// addTo adds all keys to the batch, each kind in its order. Of equal keys the removal comes first.
func (l *keyList) addTo(batch *pebble.Batch) error {
	for _, entries := range l.index {
		slices.SortFunc(entries, l.compareIndex)
		for i := range entries {
			e, err := &entries[i], error(nil)
			if e.remove {
				err = batch.Delete(l.indexKey(e), nil)
			} else {
				err = batch.Set(l.indexKey(e), nil, nil)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, e := range l.ids { // in order already
		if err := batch.Set(l.key(e), l.arena[e.to:e.to+idValueLen], nil); err != nil {
			return err
		}
	}
	if err := l.shapes.addTo(batch); err != nil {
		return err
	}
	slices.SortFunc(l.rows, func(x, y entry) int {
		return cmp.Or(bytes.Compare(l.key(x), l.key(y)), removalFirst(x.remove, y.remove))
	})
	for _, e := range l.rows {
		var err error
		if e.remove {
			err = batch.Delete(l.key(e), nil)
		} else {
			err = batch.Set(l.key(e), e.value, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
