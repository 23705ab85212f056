package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// partsEvery is how often calls are looked for whose last part never came.
const partsEvery = 10 * time.Minute

// finishParts makes rows of calls whose last part has not come for too long, and
// forgets what was told of rows long ago.
func (in *Ingest) finishParts(ctx context.Context) error {
	if err := in.parts.load(ctx, in.store); err != nil {
		return err
	}
	until := in.now().Add(-in.hearing.times.Open)
	late := in.parts.those(func(_ string, c openPart) bool { return !c.since.After(until) })
	if err := in.finishThose(ctx, late, func(p *part) bool { return !p.since.After(until) }); err != nil {
		return err
	}
	return in.forgetParts(ctx)
}

// restartParts makes rows of the source's calls on the trunks whose SBCs have
// restarted, or on all trunks.
func (s *Sink) restartParts(ctx context.Context, events []call.Event) error {
	trunks := make(map[string]bool)
	for i := range events {
		if events[i].Restart {
			trunks[strings.ToLower(events[i].Row.Trunk)] = true
		}
	}
	if len(trunks) == 0 {
		return nil
	}
	if err := s.in.parts.load(ctx, s.in.store); err != nil {
		return err
	}
	source := partPrefix + s.source + "/"
	own := s.in.parts.those(func(name string, _ openPart) bool { return sourceOfPart(name) == source })
	return s.in.finishThose(ctx, own, func(p *part) bool {
		return p.row.Tenant == s.tenant && (trunks[""] || trunks[strings.ToLower(p.row.Trunk)])
	})
}

// finishThose makes rows of those of the named calls that are over.
func (in *Ingest) finishThose(ctx context.Context, names []string, over func(*part) bool) error {
	for _, name := range names {
		state, err := in.store.State(ctx, name)
		if err != nil {
			return err
		}
		value := state[name]
		if value == nil { // another process has finished it
			in.parts.wrote(map[string][]byte{name: nil})
			continue
		}
		p, err := decodePart(value)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if !over(&p) {
			continue
		}
		b := call.Batch{State: map[string][]byte{name: nil}, If: map[string][]byte{name: value}}
		in.giveUp(&p, name, &b)
		if _, _, err := in.write(ctx, b); errors.Is(err, call.ErrConflict) {
			continue // another part has come just now
		} else if err != nil {
			return fmt.Errorf("finish a call whose last part has not come: %w", err)
		}
		in.parts.wrote(b.State)
		in.hearing.partFinished(len(b.Rows) > 0)
	}
	return nil
}

// giveUp adds to b the row of a call whose last part is not waited for any more,
// if its parts make one.
func (in *Ingest) giveUp(p *part, name string, b *call.Batch) {
	r := p.finish()
	if owner, ok := in.tenant(r.Trunk); ok && r.Tenant.IsZero() {
		r.Tenant = owner
	}
	if r.Check() != nil {
		return
	}
	p.row.Tenant, p.at, p.since = r.Tenant, r.Cursor(), in.now()
	b.Rows = []call.Row{r}
	b.State[toldPrefix+name[strings.LastIndexByte(name, '/')+1:]] = p.encode()
}

// forgetParts forgets what was told of rows for which nothing new has come for a
// day. They are many, so that each time a sixteenth of them is looked at, and a
// limited number is deleted at once.
func (in *Ingest) forgetParts(ctx context.Context) error {
	const digits, atOnce = "0123456789abcdef", 1000
	now := in.now()
	turn := now.Unix() / int64(partsEvery/time.Second) % int64(len(digits))
	state, err := in.store.State(ctx, toldPrefix+digits[turn:turn+1])
	if err != nil {
		return err
	}
	old := make(map[string][]byte)
	for name, value := range state {
		p, err := decodePart(value)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if now.Sub(p.since) >= in.hearing.times.Late {
			old[name] = value
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

// forget deletes what has these values still. If one has another by now, all
// wait for the next time.
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
