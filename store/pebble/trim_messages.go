package pebble

import (
	"bytes"
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// open opens the iterators over the legs of the rows of one day, and their messages.
func (c *cut) open(db *pebble.DB, day uint64) (err error) {
	lower := append(appendKindDay(nil, kindLeg, day), c.tenant[:]...)
	if c.legs, err = db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(lower)}); err != nil {
		return err
	}
	c.legs.First()
	if c.aliases, err = aliasesOf(db, c.tenant); err != nil {
		return firstError(err, c.legs.Close())
	}
	if c.messages, err = db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindMessage}, UpperBound: []byte{kindMessage + 1}}); err != nil {
		return firstError(err, c.legs.Close(), c.aliases.Close())
	}
	return nil
}

func (c *cut) close() error {
	return firstError(c.legs.Close(), c.messages.Close(), c.aliases.Close())
}

// rowLegs adds the deletion of a row's legs and of their messages. Rows and legs come in the same
// order, so that rows without legs cost nothing; these are all rows if messages are trimmed earlier
// than rows.
func (c *cut) rowLegs(b *pebble.Batch, start uint64, id call.GUID) error {
	if !c.legs.Valid() {
		return c.legs.Error()
	}
	prefix := appendRowLegs(nil, c.tenant, start, id)
	if bytes.Compare(c.legs.Key(), prefix) < 0 {
		c.legs.SeekGE(prefix)
	}
	for ; c.legs.Valid() && bytes.HasPrefix(c.legs.Key(), prefix); c.legs.Next() {
		value, err := c.legs.ValueAndErr()
		if err != nil {
			return err
		}
		leg, err := parseLeg(c.legs.Key(), value)
		if err != nil {
			return err
		}
		if err := c.legMessages(b, leg); err != nil {
			return err
		}
		if err := b.Delete(c.legs.Key(), nil); err != nil {
			return err
		}
	}
	return c.legs.Error()
}

// legMessages adds the deletion of a leg's messages.
func (c *cut) legMessages(b *pebble.Batch, leg call.Leg) error {
	return legDays(c.messages, leg, func(prefix []byte) (bool, error) {
		for ok := c.messages.SeekGE(prefix); ok && bytes.HasPrefix(c.messages.Key(), prefix); ok = c.messages.Next() {
			c.gone++
			if err := b.Delete(c.messages.Key(), nil); err != nil {
				return false, err
			}
		}
		return true, c.messages.Error()
	})
}

// TrimMessages implements [call.Store]. It deletes a range of days at once.
func (s *Store) TrimMessages(ctx context.Context, t time.Time) error {
	if err := s.trimMessages(ctx, t); err != nil {
		return s.readError("trim messages", err)
	}
	return nil
}

func (s *Store) trimMessages(ctx context.Context, t time.Time) error {
	if err := s.life.enter(ctx); err != nil {
		return err
	}
	defer s.life.leave()
	if err := s.room.forTrim(); err != nil {
		return err
	}
	before := floorTicks(t) / ticksPerDay
	wait, err := s.apply(0, func(b *pebble.Batch) error {
		for _, kind := range []byte{kindMessage, kindLeg} {
			if err := s.deleteDays(b, kind, before); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return wait()
}

// deleteDays deletes all of a kind from the days before the given one, if there is any.
func (s *Store) deleteDays(b *pebble.Batch, kind byte, before uint64) error {
	lower, upper := []byte{kind}, appendKindDay(nil, kind, before)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	found := it.First()
	if err := firstError(it.Error(), it.Close()); err != nil || !found {
		return err
	}
	return b.DeleteRange(lower, upper, nil)
}
