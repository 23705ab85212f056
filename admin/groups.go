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

func (h *handler) groups(ctx context.Context, p *parser, a *answer) error {
	q, by := p.query(), p.grouping()
	if err := p.end(); err != nil {
		return err
	}
	for g, err := range h.store.Groups(ctx, q, by) {
		if err != nil {
			return err
		}
		if a.value(func(b []byte) []byte { return appendGroup(b, g) }); a.err != nil {
			return a.err
		}
	}
	return nil
}

// Groups implements [call.Reader]. The zone must be one that has the same name,
// or the same offset at all times, in every process.
func (s *Store) Groups(ctx context.Context, q call.Query, by call.Grouping) iter.Seq2[*call.Group, error] {
	return func(yield func(*call.Group, error) bool) {
		body, err := appendQuery(nil, q)
		if err == nil {
			body, err = appendGrouping(body, by)
		}
		if err != nil {
			yield(nil, fmt.Errorf("admin socket: %w", err))
			return
		}
		f, err := s.ask(ctx, pathGroups, body)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.close()
		f.walkGroups(ctx, by, yield)
	}
}

// walkGroups yields the groups of an answer.
func (f *frames) walkGroups(ctx context.Context, by call.Grouping, yield func(*call.Group, error) bool) {
	zone := by.Zone
	if zone == nil {
		zone = time.UTC
	}
	for {
		payload, err := f.nextOf(ctx, frameValue)
		if errors.Is(err, io.EOF) {
			return
		}
		p := parser{s: string(payload)}
		var g call.Group
		if err == nil {
			if g = p.group(); p.end() != nil {
				err = malformed()
			}
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if by.Every != call.WholeTime {
			g.At = g.At.In(zone)
		}
		if !yield(&g, nil) {
			return
		}
	}
}
