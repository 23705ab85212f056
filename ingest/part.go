package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Parts are events that each tell a part of a call ([call.Event.Part]). Until
// the last one, which is Done, what they have told lies in the state:
//
//	part/SOURCE/CALL   version 1, when the first part came, tenant, id, start, Row.AppendBody
//
// CALL is a GUID made of the name of the call. The last part deletes it in the
// batch that writes the row.
const partPrefix = "part/"

func partName(source, name string) string {
	return partPrefix + source + "/" + call.NameGUID(source, "part", name).String()
}

// A part is what has been told of a call that is not done.
type part struct {
	since time.Time
	row   call.Row
}

const partVersion = 1

func (p *part) encode() []byte {
	b := []byte{partVersion}
	b = binary.AppendVarint(b, p.since.UnixNano())
	b = append(b, p.row.Tenant[:]...)
	b = append(b, p.row.ID[:]...)
	start := int64(0)
	if !p.row.Start.IsZero() {
		start = p.row.Start.UnixNano()
	}
	b = binary.AppendVarint(b, start)
	return p.row.AppendBody(b)
}

func decodePart(b []byte) (p part, err error) {
	bad := &call.CorruptError{Offset: -1, Err: errors.New("a part of a call cannot be read")}
	if len(b) == 0 || b[0] != partVersion {
		return p, bad
	}
	b = b[1:]
	since, n := binary.Varint(b)
	if n <= 0 || len(b) < n+32 {
		return p, bad
	}
	p.since = time.Unix(0, since).UTC()
	tenant, id := call.GUID(b[n:n+16]), call.GUID(b[n+16:n+32])
	b = b[n+32:]
	start, n := binary.Varint(b)
	if n <= 0 {
		return p, bad
	}
	var at time.Time
	if start != 0 {
		at = time.Unix(0, start).UTC()
	}
	return p, p.row.ParseBody(tenant, at, id, string(b[n:]))
}

// add adds what a later part says. Of what both say the later stands.
func (p *part) add(r *call.Row) {
	id, start := p.row.ID, p.row.Start
	if !r.ID.IsZero() {
		id = r.ID
	}
	if !r.Start.IsZero() && r.By[call.FieldStart] != 0 {
		start = r.Start
	}
	w := *r
	p.row.Fold(&w)
	p.row.ID, p.row.Start, p.row.ClaimedStart = id, start, time.Time{}
	p.row.By[call.FieldStart] = max(p.row.By[call.FieldStart], r.By[call.FieldStart])
}

// finish makes a row of all parts: what none of them has told and the others
// imply is inferred.
func (p *part) finish() call.Row {
	r := p.row
	by := func(f call.Field) call.Witness { return inference(max(r.By[f], r.By[call.FieldStart])) }
	if r.Start.IsZero() {
		r.Start = firstKnown(r.Invite, r.Failure, r.End)
	}
	if r.By[call.FieldDuration] == 0 && r.End.After(r.Start) {
		r.Duration, r.By[call.FieldDuration] = int32(r.End.Sub(r.Start)/time.Second), by(call.FieldEnd)
	}
	if r.By[call.FieldSuccessful] == 0 && !r.End.IsZero() && r.Failure.IsZero() {
		r.Successful, r.By[call.FieldSuccessful] = true, by(call.FieldEnd)
	}
	return r
}

func firstKnown(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// assemble puts together the parts among events: those that are not done become
// part of the state, and those that are become whole. It returns the events
// without the former, their places among all, and the state to be written with
// them.
func (s *Sink) assemble(ctx context.Context, events []call.Event) (whole []call.Event, places []int, b call.Batch, err error) {
	b.State, b.If = make(map[string][]byte), make(map[string][]byte)
	for i := range events {
		e := events[i]
		if !e.Part {
			whole, places = append(whole, e), append(places, i)
			continue
		}
		name := partName(s.source, e.Call)
		p, err := s.partOf(ctx, name, &b)
		if err != nil {
			return nil, nil, b, err
		}
		p.add(&e.Row)
		if !e.Done {
			p.row.Tenant = s.tenant
			if p.row.ID.IsZero() {
				// The id that the last part gets, in case that it never comes.
				p.row.ID = call.NameGUID(s.space(&p.row), e.Call)
			}
			b.State[name] = p.encode()
			continue
		}
		e.Row = p.finish()
		whole, places = append(whole, e), append(places, i)
		if r := e.Row; s.prepare(&r, &e) == nil {
			b.State[name] = nil
		} // or else it is rejected, and the parts before it are still good
	}
	return whole, places, b, nil
}

// partOf returns what has been told under a name, by the batch or by the store,
// which has to be the same still when the batch is written.
func (s *Sink) partOf(ctx context.Context, name string, b *call.Batch) (p part, err error) {
	value, ok := b.State[name]
	if !ok {
		state, err := s.in.store.State(ctx, name)
		if err != nil {
			return p, err
		}
		value = state[name]
		b.If[name] = value
	}
	if value == nil {
		return part{since: s.in.now()}, nil
	}
	return decodePart(value)
}

// partsEvery is how often calls are looked for whose last part never came.
const partsEvery = 10 * time.Minute

// finishParts makes rows of calls whose last part has not come for too long.
func (in *Ingest) finishParts(ctx context.Context) error {
	return in.finishThose(ctx, partPrefix, func(p *part) bool { return in.now().Sub(p.since) >= in.hearing.times.Open })
}

// restartParts makes rows of the source's calls on a trunk whose SBC has
// restarted, or on all trunks.
func (s *Sink) restartParts(ctx context.Context, trunk string) error {
	return s.in.finishThose(ctx, partPrefix+s.source+"/", func(p *part) bool {
		return p.row.Tenant == s.tenant && (trunk == "" || strings.EqualFold(p.row.Trunk, trunk))
	})
}

// finishThose makes rows of the calls under a prefix that are over.
func (in *Ingest) finishThose(ctx context.Context, prefix string, over func(*part) bool) error {
	state, err := in.store.State(ctx, prefix)
	if err != nil {
		return err
	}
	for name, value := range state {
		p, err := decodePart(value)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if !over(&p) {
			continue
		}
		r := p.finish()
		if owner, ok := in.tenant(r.Trunk); ok && r.Tenant.IsZero() {
			r.Tenant = owner
		}
		b := call.Batch{State: map[string][]byte{name: nil}, If: map[string][]byte{name: value}}
		if r.Check() == nil {
			b.Rows = []call.Row{r}
		}
		if _, _, err := in.write(ctx, b); errors.Is(err, call.ErrConflict) {
			continue // another part has come just now
		} else if err != nil {
			return fmt.Errorf("finish a call whose last part has not come: %w", err)
		}
		in.hearing.partFinished(len(b.Rows) > 0)
	}
	return nil
}
