package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Prepare gives the row of e its id, unless e is a part of a call, and checks whether it can be
// kept. A caller that must tell good events from bad ones one by one, such as an import that writes
// a file of rejects, calls it before Put.
//
// The error is a [*call.SyntaxError] without a line: e alone is wrong, and the events around it may
// be right.
func (s *Sink) Prepare(e *call.Event) error {
	if isHeard(e) {
		return nil // its row comes when the call has ended
	}
	if isPart(e) {
		// Put gives the call its id and its place when it is complete.
		row, part := standIn(e.Row), *e
		part.Kind = call.LastPartEvent
		if err := s.prepare(&row, &part); err != nil {
			return &call.SyntaxError{Err: err}
		}
		return nil
	}
	if err := s.prepare(&e.Row, e); err != nil {
		return &call.SyntaxError{Err: err}
	}
	return nil
}

// prepare gives r, the row of e or a copy of it, its id, and checks it.
func (s *Sink) prepare(r *call.Row, e *call.Event) error {
	if err := checkKind(e); err != nil {
		return err
	}
	if r.ID.IsZero() {
		if e.Call == "" {
			return fmt.Errorf("%w: the record has neither an id nor anything to make one of", call.ErrInvalid)
		}
		r.ID = call.NameGUID(s.space(r), e.Call)
	}
	switch {
	case e.Kind == call.PartEvent:
		return fmt.Errorf("%w: the call has not ended: an event of kind %v is not all of it", call.ErrInvalid, e.Kind)
	case r.Seen == 0:
		return fmt.Errorf("%w: the row is not settled", call.ErrInvalid)
	}
	return r.Check()
}

// checkKind checks that the kind of e exists, that e has a Signal if and only if it is a message,
// and that a part names its call.
func checkKind(e *call.Event) error {
	switch {
	case e.Kind < call.RecordEvent || e.Kind > call.RestartEvent:
		return fmt.Errorf("%w: an event of kind %d is no record, part, last part, message or restart", call.ErrInvalid, e.Kind)
	case e.Kind == call.MessageEvent && e.Signal == nil:
		return fmt.Errorf("%w: an event of kind %v has to have a Signal", call.ErrInvalid, e.Kind)
	case (e.Kind == call.PartEvent || e.Kind == call.LastPartEvent) && e.Call == "":
		return fmt.Errorf("%w: an event of kind %v has to name the call that it is a part of", call.ErrInvalid, e.Kind)
	case e.Kind != call.MessageEvent && e.Signal != nil:
		return fmt.Errorf("%w: an event of kind %v has a Signal, which only one of kind %v may have", call.ErrInvalid, e.Kind, call.MessageEvent)
	}
	return nil
}

// space returns the name space in which the calls of a row without a GUID have unique names. That
// is the source; but the admin centre's export names its records by what Microsoft says of the
// call, which is the same from every source.
func (s *Sink) space(r *call.Row) string {
	if r.Seen == call.AdminExport.Set() {
		return call.AdminExport.String()
	}
	return s.source
}

// Put implements [call.Sink]: it writes the events in one batch, with the last mark among them, and
// returns their outcomes once they are durable.
//
// Events that are not valid do not hold up the others, which are written. The error of each
// rejected event wraps those of [Sink.Prepare]. The mark never passes a rejected event.
//
// SIP messages become durable in the same way. Their calls become rows when they have ended, see
// [Ingest.Run].
func (s *Sink) Put(ctx context.Context, events ...call.Event) (call.Outcome, error) {
	turn, _, err := s.in.turns.TakeN(ctx, s.payer(), int64(len(events)))
	if err != nil {
		return call.Outcome{}, fmt.Errorf("wait to keep %d events of source %s: %w", len(events), s.source, err)
	}
	defer turn.Give()
	began := time.Now()
	out, err := s.put(ctx, events)
	if len(events) >= fewAtOnce/2 && isHeard(&events[0]) && s.in.turns.Crowded(s.payer()) {
		rest(ctx, time.Since(began)*restFor/time.Duration(runtime.GOMAXPROCS(0)))
	}
	if err != nil {
		return call.Outcome{}, err
	}
	return out, nil
}

// restFor sets the pause after a Put of a tenant with many messages, while there are other tenants:
// this many times the time of the Put, divided by the number of processors. With two of these it
// leaves the tenant some ten thousand messages a second, and the others what their pages and their
// own calls need.
const restFor = 6

// rest waits for d, for a second at most, or until ctx is done.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(min(d, time.Second))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// payer returns the key under which turns count the events of a sink: its tenant, or the source if
// that hears the calls of several tenants.
func (s *Sink) payer() string {
	if s.tenant.IsZero() {
		return s.source
	}
	return s.tenant.String()
}

func (s *Sink) put(ctx context.Context, events []call.Event) (out call.Outcome, err error) {
	inProgress, records, places := split(events)
	if n := len(inProgress); n > 0 {
		if err := s.in.hearing.put(ctx, &heard{sink: s, events: inProgress}); err != nil {
			return out, fmt.Errorf("keep %d messages of source %s: %w", n, s.source, err)
		}
		if err := s.restartParts(ctx, inProgress); err != nil {
			return out, err
		}
	}
	if len(records) > 0 {
		if out, err = s.putRecords(ctx, records); err != nil {
			return out, err
		}
	}
	if len(inProgress) > 0 {
		out = scattered(out, places, len(events))
	}
	return out, nil
}

// scattered returns the outcome of a Put of n events from that of its records, which stand at
// places. The other events are about calls in progress.
func scattered(records call.Outcome, places []int, n int) call.Outcome {
	out := records
	out.Fates = slices.Repeat([]call.Fate{call.Taken}, n)
	for i, k := range places {
		out.Fates[k] = records.Fates[i]
	}
	for i := range out.Rejected {
		out.Rejected[i].Event = places[out.Rejected[i].Event]
	}
	return out
}

// split returns the events that are about calls in progress, and all others with their places among
// events. The places are nil if one of the two is empty.
func split(events []call.Event) (inProgress, records []call.Event, places []int) {
	switch count(events, isHeard) {
	case 0:
		return nil, events, nil
	case len(events):
		return events, nil, nil
	}
	for i := range events {
		if isHeard(&events[i]) {
			inProgress = append(inProgress, events[i])
		} else {
			records, places = append(records, events[i]), append(places, i)
		}
	}
	return inProgress, records, places
}

// isHeard reports whether an event is valid and about calls in progress. An invalid one goes to the
// records, and is rejected there.
func isHeard(e *call.Event) bool {
	return (e.Kind == call.MessageEvent || e.Kind == call.RestartEvent) && checkKind(e) == nil
}

// isPart reports whether an event is a valid part of a call.
func isPart(e *call.Event) bool {
	return (e.Kind == call.PartEvent || e.Kind == call.LastPartEvent) && checkKind(e) == nil
}

func count(events []call.Event, is func(*call.Event) bool) (n int) {
	for i := range events {
		n += btoi(is(&events[i]))
	}
	return n
}

// putRecords puts records and parts of calls.
func (s *Sink) putRecords(ctx context.Context, events []call.Event) (out call.Outcome, err error) {
	if count(events, isPart) == 0 {
		return s.putWhole(ctx, assembly{whole: events, fates: make([]call.Fate, len(events))})
	}
	const tries = 10
	for try := range tries {
		var a assembly
		if a, err = s.assemble(ctx, events, try > 0); err != nil {
			return out, fmt.Errorf("put together the calls of source %s: %w", s.source, err)
		}
		// On a conflict, another Put may have told a part of the same call.
		if out, err = s.putWhole(ctx, a); !errors.Is(err, call.ErrConflict) {
			break
		}
	}
	return out, err
}

// putWhole puts the rows of an assembly, with its folds of parts.
func (s *Sink) putWhole(ctx context.Context, a assembly) (call.Outcome, error) {
	b, kept := s.batch(&a)
	if parts := a.state; parts.State != nil {
		maps.Copy(parts.State, b.State)
		b.State, b.If = parts.State, parts.If
	}
	out := call.Outcome{}
	if len(b.Rows) > 0 || len(b.State) > 0 {
		res, linked, err := s.in.write(ctx, b)
		if err != nil {
			return out, fmt.Errorf("write %d calls of source %s: %w", len(b.Rows), s.source, err)
		}
		for i, w := range res.Rows {
			a.fates[kept[i]] = w.Fate
		}
		out.Linked = linked
		s.in.parts.wrote(b.State)
		s.in.Announce(ctx, b.Rows, res)
	}
	for i := range b.Rows {
		out.Unowned += btoi(b.Rows[i].Tenant == call.Unassigned)
	}
	slices.SortFunc(a.rejected, func(x, y call.Rejection) int { return x.Event - y.Event })
	out.Fates, out.Rejected = a.fates, a.rejected
	s.count(&out)
	return out, nil
}

// batch returns the rows and the mark of an assembly's events, and for each row the place of its
// event. It rejects those that are not valid. It does not change the events.
func (s *Sink) batch(a *assembly) (b call.Batch, kept []int) {
	b.Rows, kept = make([]call.Row, 0, len(a.whole)), make([]int, 0, len(a.whole))
	mark, marked := "", true
	tenants := make(map[string]call.GUID)
	for i := range a.whole {
		e := &a.whole[i]
		b.Rows = append(b.Rows, e.Row)
		r := &b.Rows[len(b.Rows)-1]
		if err := s.prepare(r, e); err != nil {
			b.Rows = b.Rows[:len(b.Rows)-1]
			a.reject(a.place(i), err)
			marked = false
			continue
		}
		kept = append(kept, a.place(i))
		nameSource(r, s.source)
		if !isPart(e) { // the parts have set it, and it stays
			r.Tenant = s.tenantOf(r, tenants)
		}
		if marked && e.Mark != "" {
			mark = e.Mark
		}
	}
	if mark != "" {
		b.State = map[string][]byte{markName(s.source): []byte(mark)}
	}
	return b, kept
}

// nameSource notes the source of a row. Microsoft's own records say the same from every source, so
// their rows have none.
func nameSource(r *call.Row, source string) {
	if own := call.Graph.Set() | call.AdminExport.Set(); r.Source == "" && r.Seen&^own != 0 {
		r.Source = source
	}
}

// tenantOf returns the tenant that r belongs to. It keeps the owners of trunks in known.
func (s *Sink) tenantOf(r *call.Row, known map[string]call.GUID) call.GUID {
	if !s.tenant.IsZero() {
		return s.tenant
	}
	t, ok := known[r.Trunk]
	if !ok {
		if t, ok = s.in.tenant(r.Trunk); !ok {
			t = call.Unassigned
		}
		known[r.Trunk] = t
	}
	return t
}

// count adds the outcome of a Put to the totals.
func (s *Sink) count(out *call.Outcome) {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	s.tally.totals.Add(out, s.in.now())
}

// Write writes a batch of another process, such as an import beside the server. What that process
// has looked up may have changed since, so Write links the rows again, in turn with those of this
// process.
func (in *Ingest) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	b.Still = nil // write looks it up itself
	res, _, err := in.write(ctx, b)
	return res, err
}

// write writes b, in which a row that the store has under another id gets that id. It returns how
// many those are, and what was written of each row.
func (in *Ingest) write(ctx context.Context, b call.Batch) (res call.Result, linked int, err error) {
	const tries = 10
	in.keep(&b)
	for range tries {
		if res, linked, err = in.writeOnce(ctx, b); !errors.Is(err, call.ErrConflict) {
			break
		}
		// On a conflict, another process has linked a row meanwhile.
		in.links.reread()
	}
	return res, linked, err
}
