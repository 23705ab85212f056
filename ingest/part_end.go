package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// partsEvery is how often the server looks for calls whose last part never came.
const partsEvery = 10 * time.Minute

// finishParts makes rows of calls whose last part has not come within Times.Open of the first, and
// deletes old folds.
func (in *Ingest) finishParts(ctx context.Context) error {
	if err := in.parts.load(ctx, in.store); err != nil {
		return err
	}
	until := in.now().Add(-in.hearing.times.Open)
	if err := in.finishThose(ctx, in.parts.due(until), func(p *part) bool { return !p.since.After(until) }); err != nil {
		return err
	}
	return in.forgetParts(ctx)
}

// restartParts makes rows of the source's calls on the trunks whose SBCs have restarted, or on all
// trunks.
func (s *Sink) restartParts(ctx context.Context, events []call.Event) error {
	trunks := make(map[string]bool)
	for i := range events {
		if events[i].Kind == call.RestartEvent {
			trunks[strings.ToLower(events[i].Row.Trunk)] = true
		}
	}
	if len(trunks) == 0 {
		return nil
	}
	if err := s.in.parts.load(ctx, s.in.store); err != nil {
		return err
	}
	if trunks[""] {
		trunks = map[string]bool{"": true}
	}
	var own []string
	for trunk := range trunks {
		own = append(own, s.in.parts.on(partPrefix+s.source+"/", trunk)...)
	}
	return s.in.finishThose(ctx, own, func(p *part) bool { return p.row.Tenant == s.tenant })
}

// finishAtOnce is how many calls without a last part one batch finishes: they share a sync, and
// delay other writers no longer than that.
const finishAtOnce = 200

// finishThose makes rows of those of the named calls that are over.
func (in *Ingest) finishThose(ctx context.Context, names []string, over func(*part) bool) error {
	for some := range slices.Chunk(names, finishAtOnce) {
		err := in.finishSome(ctx, some, over)
		if errors.Is(err, call.ErrConflict) {
			// Another part of one of them has just come, so each gets a batch of its own.
			err = nil
			for i := range some {
				if one := in.finishSome(ctx, some[i:i+1], over); !errors.Is(one, call.ErrConflict) {
					err = errors.Join(err, one)
				}
			}
		}
		if err != nil {
			return fmt.Errorf("finish calls whose last part has not come: %w", err)
		}
	}
	return nil
}

// finishSome does so in one batch. The batch fails with [call.ErrConflict] if another part of one
// of the calls comes meanwhile.
func (in *Ingest) finishSome(ctx context.Context, names []string, over func(*part) bool) error {
	b := call.Batch{State: make(map[string][]byte), If: make(map[string][]byte)}
	finished := 0
	for _, name := range names {
		value, err := call.Value(ctx, in.store, name)
		if err != nil {
			return err
		}
		if value == nil { // another process has finished it
			in.parts.wrote(map[string][]byte{name: nil})
			continue
		}
		p, err := decodePart(value)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if over(&p) {
			b.State[name], b.If[name] = nil, value
			in.giveUp(&p, name, &b)
			finished++
		}
	}
	if finished == 0 {
		return nil
	}
	if _, _, err := in.write(ctx, b); err != nil {
		return err
	}
	in.parts.wrote(b.State)
	in.hearing.partsFinished(finished, len(b.Rows))
	return nil
}

// giveUp adds to b the row of a call whose last part will not come, if its parts make one.
func (in *Ingest) giveUp(p *part, name string, b *call.Batch) {
	nameSource(&p.row, name[len(partPrefix):strings.LastIndexByte(name, '/')])
	r := p.finish()
	if owner, ok := in.tenant(r.Trunk); ok && r.Tenant.IsZero() {
		r.Tenant = owner
	}
	if r.Check() != nil {
		return
	}
	p.row.Tenant, p.at, p.since = r.Tenant, r.Cursor(), in.now()
	b.Rows = append(b.Rows, r)
	b.State[toldPrefix+name[len(partPrefix):]] = p.encode()
}

// forgetParts deletes the folds of rows to which no part has added anything for Times.Late. There
// are many, so it reads them in one of sixteen runs, and deletes a limited number in one batch.
func (in *Ingest) forgetParts(ctx context.Context) error {
	const turns, atOnce = 16, 1000
	now := in.now()
	if now.Unix()/int64(partsEvery/time.Second)%turns != 0 {
		return nil
	}
	old := make(map[string][]byte)
	for v, err := range in.store.State(ctx, toldPrefix) {
		if err != nil {
			return err
		}
		p, err := decodePart(v.Value)
		if err != nil {
			return fmt.Errorf("read %s: %w", v.Name, err)
		}
		if now.Sub(p.since) >= in.hearing.times.Late {
			old[v.Name] = v.Value
		}
		if len(old) == atOnce {
			if err := in.forget(ctx, old); err != nil {
				return err
			}
			clear(old)
		}
	}
	return in.forget(ctx, old)
}

// forget deletes the folds that still have these values. If one has changed, all of them stay until
// the next run.
func (in *Ingest) forget(ctx context.Context, old map[string][]byte) error {
	if len(old) == 0 {
		return nil
	}
	gone := make(map[string][]byte, len(old))
	for name := range old {
		gone[name] = nil
	}
	_, err := in.store.Write(ctx, call.Batch{State: gone, If: old})
	if err != nil && !errors.Is(err, call.ErrConflict) {
		return fmt.Errorf("forget parts of calls: %w", err)
	}
	return nil
}
