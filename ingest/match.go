package ingest

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

const (
	// margin is how far from the times of a row the pass looks for those of the same call.
	margin = time.Minute
	// longest is the most of the log that the pass reads for one row. A record of a call that rings
	// longer is wrong.
	longest = 24 * time.Hour
)

// lookUp returns the rows with the correlation id of r that start at about the same time, with
// those of the batch.
func (p *pass) lookUp(ctx context.Context, r *call.Row, vacant bool) ([]*candidate, error) {
	key := nearKey{r.Tenant, r.CorrelationID}
	near := p.near[key]
	if len(near.proven) > crowd {
		p.in.links.crowded.Add(1)
		return nil, nil
	}
	if err := p.rely(ctx, key); err != nil {
		return nil, err
	}
	if vacant {
		return p.crowded(r, near), nil
	}
	runtime.Gosched() // let goroutines with little work run in between
	from, to := p.around(r)
	q := call.Query{
		Tenant: r.Tenant,
		From:   from,
		To:     to,
		Where:  call.Compare{Field: call.FieldCorrelationID, Op: call.EQ, Value: r.CorrelationID},
		Limit:  mostRead,
	}
	for row, err := range p.in.store.Rows(ctx, q) {
		if err != nil {
			return nil, err
		}
		if near.add(p.candidate(row)); len(near.proven) > crowd {
			break
		}
	}
	p.near[key] = near
	return p.crowded(r, near), nil
}

// crowded returns the rows of near for r. If they are too many it returns none, and counts r.
// Hearsay is counted apart: when there is a crowd of it, a further row of hearsay loses its
// correlation id. So however many rows an unauthenticated sender makes up, the pass can look
// through those with the id of a record.
func (p *pass) crowded(r *call.Row, near nearby) []*candidate {
	switch {
	case len(near.proven) > crowd:
		p.in.links.crowded.Add(1)
		return nil
	case r.Proven() || len(near.hearsay) < crowd || near.has(r.ID):
		return slices.Concat(near.proven, near.hearsay)
	}
	p.in.links.crowded.Add(1)
	r.Unsay(call.FieldCorrelationID)
	return nil
}

// A nearby holds the rows of one correlation id.
type nearby struct{ proven, hearsay []*candidate }

// add adds a row, unless it is there, or is hearsay beyond a crowd.
func (n *nearby) add(c *candidate) {
	switch {
	case n.has(c.row.ID):
	case c.row.Proven():
		n.proven = append(n.proven, c)
	case len(n.hearsay) < crowd:
		n.hearsay = append(n.hearsay, c)
	}
}

func (n *nearby) has(id call.GUID) bool {
	is := func(c *candidate) bool { return c.row.ID == id }
	return slices.ContainsFunc(n.proven, is) || slices.ContainsFunc(n.hearsay, is)
}

// around returns the span of time in which the rows start that may be the same call as r.
func (p *pass) around(r *call.Row) (from, to time.Time) {
	from, to = spanOf(r, longest)
	return from.Add(-p.margin()), to.Add(p.margin())
}

// spanOf returns the first and the last of the times of r that may be those of the call's start, or
// r.Start twice if they are further apart than most.
func spanOf(r *call.Row, most time.Duration) (from, to time.Time) {
	from, to = r.Start, r.Start
	for _, t := range [...]time.Time{r.Invite, r.Failure} {
		if !t.IsZero() && t.Before(from) {
			from = t
		}
		if t.After(to) {
			to = t
		}
	}
	if to.Sub(from) > most {
		return r.Start, r.Start
	}
	return from, to
}

// rely adds to the batch the condition that what the pass looks up for it is still so when the
// store writes it.
func (p *pass) rely(ctx context.Context, key nearKey) error {
	if _, ok := p.near[key]; ok {
		return nil
	}
	began, err := p.before(ctx, key.tenant)
	if err == nil {
		p.b.Still = append(p.b.Still, call.Condition{Tenant: key.tenant, Correlation: key.correlation, After: began})
	}
	return err
}

// before returns the version of a tenant's rows before the pass has looked up any of them.
func (p *pass) before(ctx context.Context, tenant call.GUID) (call.Version, error) {
	began, ok := p.began[tenant]
	if ok {
		return began, nil
	}
	began, err := p.in.store.Latest(ctx, tenant)
	if err == nil {
		p.began[tenant] = began
	}
	return began, err
}

// crowd is how many rows that start at about the same time may share a correlation id. The legs of
// one call are a few; an id that more rows share does not tell which belong together, and to look
// at all of them would take ever longer.
const crowd = 64

// mostRead is how many rows of one correlation id the pass reads for one row, since each minute may
// have a crowd of hearsay.
const mostRead = 64 * crowd

// margin returns how far from the times of a row the pass looks for others: further than the
// constant if a source's clock is off by more.
func (p *pass) margin() time.Duration {
	far := margin
	for _, ahead := range p.offsets {
		far = max(far, min(ahead.Abs()+margin, longest))
	}
	return far
}

// best returns the row of near that r is most likely the same call as; nil if there is none.
func (p *pass) best(r *call.Row, near []*candidate) *candidate {
	some, more := believed(r, near)
	if c := p.likeliest(r, some); c != nil || !more {
		return c
	}
	return p.likeliest(r, near)
}

func (p *pass) likeliest(r *call.Row, near []*candidate) *candidate {
	var best *candidate
	most := -1
	for _, c := range near {
		if !c.sameAs(r, p) {
			continue
		}
		n := alike(&c.row, r)
		if n > most || n == most && bytes.Compare(c.row.ID[:], best.row.ID[:]) < 0 {
			best, most = c, n
		}
	}
	return best
}

// sameCall reports whether two rows with different ids can be the same call. They share the
// correlation id already, but so do the legs of one call.
//
// They cannot be one if the same kind of source has told both, because it has given them different
// ids; nor if both have the id that Microsoft has given. They must agree in the call type, or, if
// one of them was heard, in the direction; in the trunk in any case; and in the time of the INVITE,
// or of the start if one does not tell the INVITE. Two records of Microsoft's must agree in the
// numbers too, because legs may begin within one second; an SBC may write numbers in its own way.
func sameCall(a, b *call.Row, offsets []time.Duration) bool {
	switch {
	case a.Seen&b.Seen != 0, !hasOwnID(a) && !hasOwnID(b):
		return false
	case !sameType(a, b) && (a.Seen.Has(call.SIP) == b.Seen.Has(call.SIP) || a.Inbound() != b.Inbound()):
		return false
	case !strings.EqualFold(a.Trunk, b.Trunk) && a.Trunk != "" && b.Trunk != "":
		return false
	case microsofts(a) && microsofts(b) && (otherNumber(a.Caller, b.Caller) || otherNumber(a.Callee, b.Callee)):
		return false
	}
	field, at := call.FieldInvite, func(r *call.Row) time.Time { return r.Invite }
	if a.Invite.IsZero() || b.Invite.IsZero() {
		field, at = call.FieldStart, start
	}
	apart, most := at(a).Sub(at(b)), tolerance(a, b, field, at)
	if apart.Abs() < most {
		return true
	}
	// One of them may come from a source whose clock is known to be off.
	heard := a.Seen.Has(call.SIP) != b.Seen.Has(call.SIP)
	return heard && slices.ContainsFunc(offsets, func(ahead time.Duration) bool {
		return (apart.Abs() - ahead.Abs()).Abs() < most
	})
}

// sameType reports whether two rows have the same call type, under any of its names. SIP tells the
// direction, and not all that Microsoft's types tell.
func sameType(a, b *call.Row) bool {
	return strings.EqualFold(string(call.CallType(a.CallType).Graph()), string(call.CallType(b.CallType).Graph()))
}

// microsofts reports whether a row has one of Microsoft's own records.
func microsofts(r *call.Row) bool {
	return r.Seen.Has(call.Graph) || r.Seen.Has(call.AdminExport)
}

// otherNumber reports whether two numbers are known and cannot be the same. Of a masked one, only
// the digits before the mask count.
func otherNumber(a, b string) bool {
	if a == "" || b == "" || a == b {
		return false
	}
	x, xMasked := call.AppendDigits(nil, a)
	y, yMasked := call.AppendDigits(nil, b)
	if xMasked+yMasked == 0 {
		return !bytes.Equal(x, y) || len(x) == 0
	}
	n := min(len(x), len(y))
	return !bytes.Equal(x[:n], y[:n])
}

// clockSlack is how far the clocks of Microsoft and of an SBC may differ.
const clockSlack = 3 * time.Second

// tolerance returns by how much a time of two rows may differ: by clockSlack unless both are
// Microsoft's; by a second if one of them has only whole seconds, which may have been rounded or
// cut; else by a millisecond.
func tolerance(a, b *call.Row, f call.Field, at func(*call.Row) time.Time) time.Duration {
	by := func(r *call.Row) call.Kind {
		if w := r.By[f]; w != 0 || f != call.FieldStart {
			return w.Kind()
		}
		return topKind(r.Seen) // the start is only assumed
	}
	switch {
	case by(a) < call.AdminExport, by(b) < call.AdminExport:
		return clockSlack
	case at(a).Nanosecond() == 0, at(b).Nanosecond() == 0:
		return time.Second
	}
	return time.Millisecond
}

func start(r *call.Row) time.Time { return r.Start }

// alike returns in how many of the fields that tell the legs of a call apart two rows agree.
func alike(a, b *call.Row) (n int) {
	for _, same := range [...]bool{
		a.Invite.Equal(b.Invite),
		sameSecond(start(a), start(b)),
		!a.End.IsZero() && sameSecond(a.End, b.End),
		!a.Failure.IsZero() && sameSecond(a.Failure, b.Failure),
		a.FinalSIPCode == b.FinalSIPCode,
		sameNumber(a.Caller, b.Caller),
		sameNumber(a.Callee, b.Callee),
		a.UserID == b.UserID,
		sameType(a, b),
	} {
		if same {
			n++
		}
	}
	return n
}

func sameSecond(a, b time.Time) bool { return a.Sub(b).Abs() < time.Second }

// sameNumber reports whether two numbers, masked or not, can be the same.
func sameNumber(a, b string) bool {
	return a == b || call.Digits(a).Match(&call.Row{Caller: b})
}
