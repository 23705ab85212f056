package pebble

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// TrimChanges implements [call.Store]. It goes by pieces of the log of changes, in batches that
// each leave a consistent store: the head says at once after which change the store has all.
func (s *Store) TrimChanges(ctx context.Context, t time.Time) error {
	if err := s.trimChanges(ctx, func(p *piece) bool { return p.time.Before(t) }); err != nil {
		return s.readError("trim changes", err)
	}
	return nil
}

func (s *Store) trimChanges(ctx context.Context, gone func(*piece) bool) error {
	if err := s.life.enter(ctx); err != nil {
		return err
	}
	defer s.life.leave()
	if err := s.room.forTrim(); err != nil {
		return err
	}
	for _, tenant := range s.tenantsWithChanges() {
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				return err
			}
			var changed map[call.GUID]head
			wait, err := s.apply(0, func(b *pebble.Batch) (err error) {
				changed, more, err = s.forget(b, tenant, gone)
				return err
			})
			if err != nil {
				return err
			}
			if err := wait(); err != nil {
				return err
			}
			s.heads.show(changed)
		}
	}
	return nil
}

func (s *Store) tenantsWithChanges() []call.GUID {
	s.heads.mu.Lock()
	defer s.heads.mu.Unlock()
	return slices.Collect(maps.Keys(s.heads.shown))
}

// forget adds to b the deletion of a tenant's oldest pieces, some at a time, with their moves and
// the notes of rows that they removed.
func (s *Store) forget(b *pebble.Batch, tenant call.GUID, gone func(*piece) bool) (changed map[call.GUID]head, more bool, err error) {
	const some = 50
	h := s.heads.written[tenant]
	it, err := s.db.NewIter(&pebble.IterOptions{ // not over earlier deletions
		LowerBound: appendChangeKey(nil, tenant, h.floor+1), UpperBound: after(appendTenant(nil, kindChange, tenant)),
	})
	if err != nil {
		return nil, false, err
	}
	defer func() { err = firstError(err, it.Close()) }()
	ids, err := it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{UseL6Filters: true}})
	if err != nil {
		return nil, false, err
	}
	defer func() { err = firstError(err, ids.Close()) }()
	n := 0
	for ok := it.First(); ok && n < some; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, false, err
		}
		p, err := parsePiece(it.Key(), value)
		if err != nil {
			return nil, false, err
		}
		if !gone(&p) {
			break
		}
		if err := forgetPiece(b, ids, &p); err != nil {
			return nil, false, err
		}
		if err := b.Delete(it.Key(), nil); err != nil {
			return nil, false, err
		}
		h.floor = p.first + uint64(len(p.all)) - 1
		n++
	}
	if err := it.Error(); err != nil || n == 0 {
		return nil, false, err
	}
	if err := b.Set(appendHeadKey(nil, tenant), h.value(), nil); err != nil {
		return nil, false, err
	}
	s.heads.written[tenant] = h
	// Readers learn of it before anything is gone: see [Store.each].
	s.heads.show(map[call.GUID]head{tenant: {floor: h.floor}})
	return map[call.GUID]head{tenant: h}, n == some, nil
}

func forgetPiece(b *pebble.Batch, ids *pebble.Iterator, p *piece) error {
	for i, e := range p.all {
		number := p.first + uint64(i)
		if e.moved && e.from != 0 {
			if err := b.Delete(appendMoveKey(nil, p.tenant, e.from, e.id, number, 0), nil); err != nil {
				return err
			}
		}
		if e.moved && e.to != 0 {
			if err := b.Delete(appendMoveKey(nil, p.tenant, e.to, e.id, number, 1), nil); err != nil {
				return err
			}
		}
		if e.fate != call.Removed {
			continue
		}
		key := appendIDKey(nil, p.tenant, e.id)
		now, err := seekID(ids, key)
		if err != nil {
			return err
		}
		if now.kind == idRemoved && now.by == number {
			if err := b.Delete(key, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// NewEpoch implements [call.Keeper].
func (s *Store) NewEpoch(ctx context.Context) error {
	if err := s.beginEpoch(ctx); err != nil {
		return s.readError("begin a new epoch", err)
	}
	return nil
}

func (s *Store) beginEpoch(ctx context.Context) error {
	if err := s.life.enter(ctx); err != nil {
		return err
	}
	defer s.life.leave()
	value := newEpoch()
	heads := map[call.GUID]head{}
	wait, err := s.apply(0, func(b *pebble.Batch) error {
		for tenant, h := range s.heads.written {
			h.floor = h.number
			heads[tenant] = h
			if err := b.Set(appendHeadKey(nil, tenant), h.value(), nil); err != nil {
				return err
			}
		}
		for tenant, h := range heads {
			s.heads.written[tenant] = h
			s.heads.show(map[call.GUID]head{tenant: {floor: h.floor}}) // before anything is gone
		}
		return firstError(
			b.DeleteRange([]byte{kindChange}, []byte{kindChange + 1}, nil), b.DeleteRange([]byte{kindMove}, []byte{kindMove + 1}, nil),
			b.Set([]byte{kindEpoch}, value, nil),
		)
	})
	if err != nil {
		return err
	}
	if err := wait(); err != nil {
		return err
	}
	s.heads.show(heads)
	epoch, err := parseNumberValue("the epoch", value)
	s.heads.mu.Lock()
	s.heads.epoch = epoch
	s.heads.mu.Unlock()
	s.heads.end()
	return err
}
