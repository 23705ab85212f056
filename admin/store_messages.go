package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Legs implements [call.MessageReader].
func (s *Store) Legs(ctx context.Context, tenant call.GUID, row call.Cursor) (legs []call.Leg, err error) {
	err = s.each(ctx, pathLegs, appendCursor(tenant[:], row), func(_ byte, payload []byte) error {
		p := parser{s: string(payload)}
		legs = append(legs, p.leg())
		if p.end() != nil {
			return malformed()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return legs, nil
}

// Messages implements [call.MessageReader].
func (s *Store) Messages(ctx context.Context, leg call.Leg) iter.Seq2[*call.Message, error] {
	return func(yield func(*call.Message, error) bool) {
		f, err := s.ask(ctx, pathMessages, appendLeg(nil, &leg))
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.close()
		f.walkMessages(ctx, yield)
	}
}

// walkMessages yields the messages of an answer. Each lies in the buffer, which
// is written to again at the next step only.
func (f *frames) walkMessages(ctx context.Context, yield func(*call.Message, error) bool) {
	var m call.Message
	for {
		payload, err := f.nextOf(ctx, frameMessage)
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			if err = parseMessage(&m, payload); err != nil {
				err = fmt.Errorf("admin socket: %w: %w", errMalformed, err)
			}
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if !yield(&m, nil) {
			return
		}
	}
}

// TrimMessages implements [call.Store].
func (s *Store) TrimMessages(ctx context.Context, t time.Time) error {
	return s.finish(ctx, pathTrimMessages, appendMoment(nil, t))
}
