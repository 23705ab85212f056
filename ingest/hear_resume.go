package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
)

// Resume reads the store's legs of those sources that are wanted, and returns how many they are.
// The caller calls it before the first Put. The first release named legs open/LEG; Resume renames
// them.
func (in *Ingest) Resume(ctx context.Context, wanted func(source string) bool) (int, error) {
	h := &in.hearing
	h.since = in.now()
	n := 0
	b := renaming{in: in}
	for v, err := range in.store.State(ctx, openPrefix) {
		if err != nil {
			return n, fmt.Errorf("read the calls in progress: %w", err)
		}
		read, err := readLeg(v)
		if err != nil {
			return n, err
		}
		l := &held{Leg: *read, learned: read.Life.Heard, saved: read.Life.Heard}
		if err := b.rename(ctx, v, openName(l)); err != nil {
			return n, err
		}
		if wanted(l.Source) {
			h.hold(l)
			h.closed += int64(btoi(!l.Life.Closed.IsZero()))
			h.notice(l, true)
			h.wait(l)
			n++
		}
	}
	if err := b.write(ctx); err != nil {
		return n, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recount()
	return n, nil
}

// readLeg decodes a leg of the store. The last part of its name is its id.
func readLeg(v call.Named) (*leg.Leg, error) {
	l, err := leg.Decode(v.Value)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", v.Name, err)
	}
	if id, err := call.ParseGUID(v.Name[strings.LastIndexByte(v.Name, '/')+1:]); err == nil {
		l.ID = id
	}
	return l, nil
}

// A renaming gives values of the store's state other names, many in one batch.
type renaming struct {
	in    *Ingest
	batch call.Batch
}

func (r *renaming) rename(ctx context.Context, v call.Named, name string) error {
	const atOnce = 2000
	if v.Name == name {
		return nil
	}
	if r.batch.State == nil {
		r.batch.State, r.batch.If = make(map[string][]byte), make(map[string][]byte)
	}
	r.batch.State[v.Name], r.batch.State[name] = nil, v.Value
	r.batch.If[v.Name], r.batch.If[name] = v.Value, nil
	if len(r.batch.If) < 2*atOnce {
		return nil
	}
	return r.write(ctx)
}

func (r *renaming) write(ctx context.Context) error {
	if len(r.batch.If) == 0 {
		return nil
	}
	_, err := r.in.store.Write(ctx, r.batch)
	if err != nil && !errors.Is(err, call.ErrConflict) { // on a conflict, another process has renamed them
		return fmt.Errorf("rename the calls in progress: %w", err)
	}
	r.batch = call.Batch{}
	return nil
}
