package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// A head is the number of a tenant's last change, and the one after which the store has all changes
// and moves.
type head struct{ number, floor uint64 }

func appendHeadKey(b []byte, tenant call.GUID) []byte { return appendTenant(b, kindHead, tenant) }

func (h head) value() []byte {
	b := binary.BigEndian.AppendUint64([]byte{valueVersion}, h.number)
	return binary.BigEndian.AppendUint64(b, h.floor)
}

func parseHead(v []byte) (h head, err error) {
	if len(v) != 1+8+8 || v[0] != valueVersion {
		return h, badValue("the number of the last change", v)
	}
	return head{binary.BigEndian.Uint64(v[1:]), binary.BigEndian.Uint64(v[9:])}, nil
}

// Heads are the last changes of all tenants: the written ones, which the writer with the turn
// guards, and those on the disk, which readers may see.
type heads struct {
	written map[call.GUID]head

	mu    sync.Mutex
	epoch uint64
	shown map[call.GUID]head
	moved map[call.GUID]uint64        // no row has moved after it
	news  map[call.GUID]chan struct{} // closed when the tenant's head changes
	over  bool                        // the store is closed
}

func (h *heads) init() {
	h.written, h.shown, h.moved = map[call.GUID]head{}, map[call.GUID]head{}, map[call.GUID]uint64{}
	h.news = map[call.GUID]chan struct{}{}
}

// hasMoved notes that a row moves with a change, before readers can see it.
func (h *heads) hasMoved(tenant call.GUID, number uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.moved[tenant] = number
}

// stoodStill reports whether certainly no row has moved since a change.
func (h *heads) stoodStill(tenant call.GUID, since uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.moved[tenant] <= since
}

// loadHeads reads the heads and the epoch. Opening has written the contents of the logs to tables,
// so that all of it is on the disk.
func (s *Store) loadHeads() (err error) {
	h := &s.heads
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindHead}, UpperBound: []byte{kindHead + 1}})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if len(it.Key()) != tenantEnd {
			return badKey(it.Key())
		}
		one, err := parseHead(value)
		if err != nil {
			return err
		}
		tenant := tenantOf(it.Key())
		h.written[tenant], h.shown[tenant], h.moved[tenant] = one, one, one.number
		s.recent.forget(tenant, one.number)
	}
	if err := firstError(it.Error(), s.verifyHeads()); err != nil {
		return err
	}
	h.epoch, err = s.readEpoch()
	return err
}

// verifyHeads compares the last number of each tenant's log of changes with its head. A head with a
// lower number is damaged, and the store would use numbers twice.
func (s *Store) verifyHeads() (err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindChange}, UpperBound: []byte{kindChange + 1}})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	for ok := it.First(); ok; {
		if len(it.Key()) != tenantEnd+8 {
			return badKey(it.Key())
		}
		tenant := tenantOf(it.Key())
		end := after(appendTenant(nil, kindChange, tenant))
		if end == nil || !it.SeekLT(end) {
			return it.Error()
		}
		if last := binary.BigEndian.Uint64(it.Key()[tenantEnd:]); last > s.heads.written[tenant].number {
			return &call.CorruptError{Offset: -1, Err: fmt.Errorf("the last change of tenant %v is said to be number %d, and there is a change %d: restore a backup", tenant, s.heads.written[tenant].number, last)}
		}
		ok = it.SeekGE(end)
	}
	return it.Error()
}

func (s *Store) readEpoch() (uint64, error) {
	v, closer, err := s.db.Get([]byte{kindEpoch})
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return 0, &call.CorruptError{Offset: -1, Err: errors.New("the epoch of the log is missing")}
	case err != nil:
		return 0, err
	}
	epoch, err := parseNumberValue("the epoch", v)
	return epoch, firstError(err, closer.Close())
}

// newEpoch returns the value of an epoch that no store has had.
func newEpoch() []byte {
	return binary.BigEndian.AppendUint64([]byte{valueVersion}, rand.Uint64()|1)
}

// show shows changes that are on the disk to readers.
func (h *heads) show(changed map[call.GUID]head) {
	if len(changed) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for tenant, now := range changed {
		was := h.shown[tenant]
		if was.number >= now.number && was.floor >= now.floor {
			continue
		}
		h.shown[tenant] = head{max(was.number, now.number), max(was.floor, now.floor)}
		if news := h.news[tenant]; news != nil {
			close(news)
			delete(h.news, tenant)
		}
	}
}

// end wakes all callers of Await.
func (h *heads) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for tenant, news := range h.news {
		close(news)
		delete(h.news, tenant)
	}
}

// close wakes them for good.
func (h *heads) close() {
	h.mu.Lock()
	h.over = true
	h.mu.Unlock()
	h.end()
}

// latest returns the last visible change, and a channel that closes at the next.
func (h *heads) latest(tenant call.GUID, await bool) (call.Version, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := call.Version{Epoch: h.epoch, Number: h.shown[tenant].number}
	if !await {
		return v, nil
	}
	news := h.news[tenant]
	if news == nil {
		news = make(chan struct{})
		if h.over {
			close(news)
			return v, news
		}
		h.news[tenant] = news
	}
	return v, news
}

// known returns the number of a version of the log after which the store has all changes, or
// [call.ErrGone].
func (h *heads) known(tenant call.GUID, v call.Version) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v == call.FirstRelease() {
		v = call.Version{Epoch: h.epoch}
	}
	now := h.shown[tenant]
	if v.Epoch != h.epoch || v.Number < now.floor || v.Number > now.number {
		return 0, fmt.Errorf("version %v: %w", v, call.ErrGone)
	}
	return v.Number, nil
}

// Latest implements [call.ChangeReader].
func (s *Store) Latest(ctx context.Context, tenant call.GUID) (call.Version, error) {
	if err := s.life.enter(ctx); err != nil {
		return call.Version{}, s.readError("latest change", err)
	}
	defer s.life.leave()
	v, _ := s.heads.latest(tenant, false)
	return v, nil
}

// Await implements [call.ChangeReader].
func (s *Store) Await(ctx context.Context, tenant call.GUID, after call.Version) (call.Version, error) {
	for {
		if err := s.life.enter(ctx); err != nil {
			return call.Version{}, s.readError("await a change", err)
		}
		v, news := s.heads.latest(tenant, true)
		s.life.leave()
		if v != after {
			return v, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return call.Version{}, s.readError("await a change", ctx.Err())
		case <-s.fault.over:
			return call.Version{}, s.readError("await a change", call.ErrClosed)
		}
	}
}
