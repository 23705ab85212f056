package admin

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Latest implements [call.ChangeReader].
func (s *Store) Latest(ctx context.Context, tenant call.GUID) (v call.Version, err error) {
	err = s.one(ctx, pathLatest, tenant[:], func(p *parser) { v = p.version() })
	return v, err
}

// Await implements [call.ChangeReader]. Close ends it, and does not wait for it.
func (s *Store) Await(ctx context.Context, tenant call.GUID, after call.Version) (v call.Version, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.over:
			cancel(call.ErrClosed)
		case <-ctx.Done():
		}
	}()
	defer func() {
		if err != nil && errors.Is(context.Cause(ctx), call.ErrClosed) {
			err = fmt.Errorf("admin socket: %w", call.ErrClosed)
		}
	}()
	err = s.one(ctx, pathAwait, appendVersion(tenant[:], after), func(p *parser) { v = p.version() })
	return v, err
}

// Changes implements [call.ChangeReader].
func (s *Store) Changes(ctx context.Context, tenant call.GUID, after call.Version) iter.Seq2[*call.Change, error] {
	return func(yield func(*call.Change, error) bool) {
		f, err := s.ask(ctx, pathChanges, appendVersion(tenant[:], after))
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.close()
		for {
			payload, err := f.nextOf(ctx, frameValue)
			if errors.Is(err, io.EOF) {
				return
			}
			var c *call.Change
			if err == nil {
				c, err = parseChange(string(payload))
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// TrimChanges implements [call.Store].
func (s *Store) TrimChanges(ctx context.Context, t time.Time) error {
	return s.finish(ctx, pathTrimChanges, appendMoment(nil, t))
}

// NewEpoch implements [call.Keeper].
func (s *Store) NewEpoch(ctx context.Context) error { return s.finish(ctx, pathNewEpoch, nil) }

func appendChange(b []byte, c *call.Change) []byte {
	b = append(binary.AppendUvarint(b, c.Number), byte(c.Fate))
	b = appendFlag(appendMoment(append(b, c.ID[:]...), c.Before), c.Row != nil)
	if c.Row != nil {
		b = appendRow(b, c.Row)
	}
	return b
}

func parseChange(s string) (*call.Change, error) {
	p := parser{s: s}
	c := &call.Change{Number: p.uvarint(), Fate: call.Fate(p.byte()), ID: p.guid(), Before: p.moment()}
	if p.flag() {
		c.Row = &call.Row{}
		p.bad = p.bad || parseRow(c.Row, p.s) != nil
		p.s = ""
	}
	if p.end() != nil {
		return nil, malformed()
	}
	return c, nil
}

func (h *handler) latest(ctx context.Context, p *parser, a *answer) error {
	tenant := p.guid()
	if err := p.end(); err != nil {
		return err
	}
	v, err := h.store.Latest(ctx, tenant)
	a.value(func(b []byte) []byte { return appendVersion(b, v) })
	return err
}

func (h *handler) await(ctx context.Context, p *parser, a *answer) error {
	tenant, after := p.guid(), p.version()
	if err := p.end(); err != nil {
		return err
	}
	v, err := h.store.Await(ctx, tenant, after)
	a.value(func(b []byte) []byte { return appendVersion(b, v) })
	return err
}

func (h *handler) changes(ctx context.Context, p *parser, a *answer) error {
	tenant, after := p.guid(), p.version()
	if err := p.end(); err != nil {
		return err
	}
	for c, err := range h.store.Changes(ctx, tenant, after) {
		if err != nil {
			return err
		}
		if a.value(func(b []byte) []byte { return appendChange(b, c) }); a.err != nil {
			return a.err
		}
	}
	return nil
}

func (h *handler) trimChanges(ctx context.Context, p *parser, _ *answer) error {
	t := p.moment()
	if err := p.end(); err != nil {
		return err
	}
	return h.store.TrimChanges(ctx, t)
}

func (h *handler) newEpoch(ctx context.Context, p *parser, _ *answer) error {
	k, err := h.keeper()
	if err = errors.Join(err, p.end()); err != nil {
		return err
	}
	return k.NewEpoch(ctx)
}
