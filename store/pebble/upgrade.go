package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// An upgrade brings a store of the first format to that of today, in place. It goes over the rows
// twice:
//
//   - It moves a row that was published under another start to its own. These moves are changes
//     after version 0 of the first epoch, which is where the walks of the first release stand,
//     see [call.FirstRelease].
//   - It gives each row its keys in the indexes that the first format lacks, and adds it to the
//     cells.
//
// Each batch holds the progress. So the upgrade goes on after a kill as if nothing had happened,
// and the cells have each row once. The upgrade raises the version first: no earlier trunklog opens
// a half upgraded store.
const (
	upgradeMoves   = 'm'
	upgradeDerived = 'd'
)

// upgradeKey is the key of a running upgrade. The value is the step, and the key of the last row
// done.
func upgradeKey() []byte { return []byte{kindFormat, 'u'} }

// upgradeChunk is how many rows one batch covers.
const upgradeChunk = 5000

// errOld says that a store needs an upgrade first.
var errOld = fmt.Errorf("%w: the store has an older format, and this trunklog works on format %d: make a backup with 'trunklog db backup DIR', then run 'trunklog db upgrade'", call.ErrOld, formatVersion)

// upgradeStep returns the position of an unfinished upgrade; a zero step is none.
func upgradeStep(db pebble.Reader) (step byte, last []byte, err error) {
	v, closer, err := db.Get(upgradeKey())
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	if len(v) > 0 {
		step, last = v[0], bytes.Clone(v[1:])
	}
	if step != upgradeMoves && step != upgradeDerived {
		err = &call.CorruptError{Offset: -1, Err: errors.New("how far the upgrade has come makes no sense")}
	}
	return step, last, firstError(err, closer.Close())
}

// upgrade upgrades a store of the first format, or goes on with it.
func (s *Store) upgrade(report func(done, total int64) error) error {
	step, last, err := upgradeStep(s.db)
	if err != nil {
		return err
	}
	u := &upgrader{s: s, report: report}
	if u.total, err = s.countRows(); err != nil {
		return err
	}
	u.total *= 2
	if step == 0 {
		// Until beginUpgrade, an earlier trunklog can open the store.
		if err := s.roomToUpgrade(); err != nil {
			return err
		}
		if err := u.tell(0); err != nil {
			return err
		}
		if err := s.beginUpgrade(); err != nil {
			return err
		}
		step, last = upgradeMoves, nil
	} else if err := u.tell(0); err != nil {
		return err
	}
	s.format = formatVersion
	if err := s.loadHeads(); err != nil {
		return err
	}
	if step == upgradeMoves {
		if err := u.pass(step, last); err != nil {
			return err
		}
		step, last = upgradeDerived, nil
	}
	u.done = u.total / 2
	if err := u.pass(step, last); err != nil {
		return err
	}
	if err := s.endUpgrade(); err != nil {
		return err
	}
	return u.tell(u.total)
}

// roomToUpgrade returns an error if the disk lacks room for the upgrade's additions, and for tables
// that exist twice during a merge: half of the store's size.
func (s *Store) roomToUpgrade() error {
	size, err := s.bytes()
	if err != nil {
		return err
	}
	need := size/2 + s.room.reserve + 16<<20
	if s.room.reserve == 0 {
		return nil
	}
	if free, ok := s.room.free(); ok && free < need {
		return fmt.Errorf("%w: the upgrade to format %d needs %d MB, and %d MB are free in %s: make some room and start again", call.ErrFull, formatVersion, need>>20, free>>20, s.dir)
	}
	return nil
}

// beginUpgrade raises the version, first in the file that an earlier trunklog reads before it
// touches anything.
func (s *Store) beginUpgrade() error {
	if err := keepFormatFile(s.fs, s.dir, formatVersion); err != nil {
		return err
	}
	return s.commit(func(b *pebble.Batch) error {
		return firstError(
			b.Set([]byte{kindFormat}, []byte(strconv.Itoa(formatVersion)), nil),
			b.Set([]byte{kindEpoch}, newEpoch(), nil),
			b.Set(upgradeKey(), []byte{upgradeMoves}, nil),
			dropCells(b),
		)
	})
}

func (s *Store) endUpgrade() error {
	err := s.commit(func(b *pebble.Batch) error { return firstError(b.Delete(upgradeKey(), nil), setHaveCells(b)) })
	s.cells = err == nil
	return err
}

// commit writes one batch and waits until it is on the disk.
func (s *Store) commit(build func(*pebble.Batch) error) error {
	wait, err := s.apply(0, build)
	if err != nil {
		return err
	}
	return wait()
}

func (s *Store) countRows() (n int64, err error) {
	st, err := s.stats(context.Background())
	return st.Rows, err
}

// An upgrader goes over all rows.
type upgrader struct {
	s           *Store
	report      func(done, total int64) error
	done, total int64
}

func (u *upgrader) tell(done int64) error {
	u.done = done
	if u.report == nil {
		return nil
	}
	return u.report(u.done, u.total)
}

// pass does one step for all rows behind the given key.
func (u *upgrader) pass(step byte, last []byte) error {
	for {
		n, next, err := u.chunk(step, last)
		if err != nil {
			return err
		}
		if err := u.tell(u.done + n); err != nil {
			return err
		}
		if next == nil {
			if step == upgradeMoves {
				return u.s.commit(func(b *pebble.Batch) error { return b.Set(upgradeKey(), []byte{upgradeDerived}, nil) })
			}
			return nil
		}
		last = next
	}
}

// chunk does one step for some rows, in one batch. It returns the key of the last
// of them, or nil if there are no more.
func (u *upgrader) chunk(step byte, last []byte) (n int64, next []byte, err error) {
	rows, more, err := u.read(last)
	if err != nil || len(rows) == 0 {
		return 0, nil, err
	}
	end := &rows[len(rows)-1]
	at := appendRowKey(nil, end.Tenant, call.Ticks(end.Start), end.ID)
	err = u.s.room.forWrite()
	if err == nil && step == upgradeMoves {
		err = u.move(rows, at)
	} else if err == nil {
		err = u.derive(rows, at)
	}
	if !more {
		at = nil
	}
	return int64(len(rows)), at, err
}

// read returns the rows behind a key.
func (u *upgrader) read(last []byte) (rows []call.Row, more bool, err error) {
	lower := []byte{kindRow}
	if len(last) > 0 {
		lower = append(bytes.Clone(last), 0)
	}
	it, err := u.s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: []byte{kindRow + 1}})
	if err != nil {
		return nil, false, err
	}
	defer func() { err = firstError(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		if len(rows) == u.s.opts.upgradeBy {
			return rows, true, nil
		}
		start, id, err := parseRowKey(it.Key())
		if err != nil {
			return nil, false, err
		}
		body, err := it.ValueAndErr()
		if err != nil {
			return nil, false, err
		}
		var r call.Row
		if err := parseBody(&r, tenantOf(it.Key()), start, id, string(body)); err != nil {
			return nil, false, err
		}
		rows = append(rows, r)
	}
	return rows, false, it.Error()
}

// move moves those rows that claim another start.
func (u *upgrader) move(rows []call.Row, at []byte) error {
	claimed := rows[:0:0]
	for i := range rows {
		if !rows[i].ClaimedStart.IsZero() {
			claimed = append(claimed, rows[i])
		}
	}
	var c *change
	err := u.s.commit(func(b *pebble.Batch) (err error) {
		if err := b.Set(upgradeKey(), append([]byte{upgradeMoves}, at...), nil); err != nil || len(claimed) == 0 {
			return err
		}
		if c, err = newChange(call.Batch{Rows: claimed}); err != nil {
			return err
		}
		c.cells = newCells(false, 0)
		if err := c.fold(u.s.db, b); err != nil {
			return err
		}
		return u.s.number(b, c)
	})
	if err == nil && c != nil {
		u.s.heads.show(c.heads)
	}
	return err
}

// derive adds the keys that the first format lacks.
func (u *upgrader) derive(rows []call.Row, at []byte) error {
	return u.s.commit(func(b *pebble.Batch) error {
		var l keyList
		cells := newCells(true, len(rows))
		for i := range rows {
			cells.add(&rows[i])
			l.shapes.add(&rows[i])
			l.buf = indexKeys(l.buf, &rows[i], call.Ticks(rows[i].Start), func(key []byte) {
				if key[0] == kindPrincipal {
					l.addIndex(key, false)
				}
			})
		}
		return firstError(b.Set(upgradeKey(), append([]byte{upgradeDerived}, at...), nil), l.addTo(b), cells.merge(b))
	})
}
