package ingest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// An SBC's own record often tells no correlation id. It is the record of a call of which Microsoft
// tells, or which a source has heard, or of which a RADIUS client tells, if numbers, times and
// trunk agree (sameLoose), and if no other record on either side may be it: of two calls that look
// alike, neither is taken for the other. Later records of the same batch are rivals as well, so
// that their order does not matter.
//
// The pass looks for such rows among all rows of their time, but not for tenants without any, see
// loose/TENANT in link.go. Within a process two Puts of calls of one number wait for each other.
// Two processes that write at the same moment may overlook each other: one call then has two rows.

// loose reports whether r is an SBC's record that tells a number, and no correlation id.
func loose(r *call.Row) bool {
	return r.CorrelationID.IsZero() && !firm(r) && (r.Seen.Has(call.CDR) || r.Seen.Has(call.RADIUS)) &&
		(isKnown(r.Caller) || isKnown(r.Callee))
}

// looseKind returns the name of the kind of r if it is loose; else "".
func looseKind(r *call.Row) string {
	if !loose(r) {
		return ""
	}
	return topKind(r.Seen).String()
}

// firm reports whether an SBC's record may be of the call of r: Microsoft has told of it, or a
// source has heard it.
func firm(r *call.Row) bool { return microsofts(r) || r.Seen.Has(call.SIP) }

const (
	// slotLength is the length of the pieces of time in which the pass reads rows.
	slotLength = 10 * time.Second
	// longestLoose is the most of the log that the pass reads for one row. Of a call that rings
	// longer only its start counts.
	longestLoose = 10 * time.Minute
	// looseCrowd is how many rows the pass compares with one.
	looseCrowd = 20_000
	// longestRing is how long a call may have rung whose INVITE is not told.
	longestRing = 2 * time.Minute
)

// A slotKey names a piece of time of a tenant's log.
type slotKey struct {
	tenant call.GUID
	slot   int64
}

func slotOf(r *call.Row) slotKey { return slotKey{r.Tenant, slotAt(r.Start)} }

func slotAt(t time.Time) int64 { return t.Unix() / int64(slotLength/time.Second) }

func (k slotKey) start() time.Time {
	return time.Unix(k.slot*int64(slotLength/time.Second), 0).UTC()
}

// findLoose returns the row that is the call of row i of the batch: c, if that is not nil; nil if
// there is none, or if more than one may be it.
func (p *pass) findLoose(ctx context.Context, i int, c *candidate) (*candidate, error) {
	p.arrives(i)
	if c != nil {
		return c, nil
	}
	r := &p.b.Rows[i]
	if place, ok := p.places[rowKey{r.Tenant, r.ID}]; ok { // an earlier row of the batch has the same id
		return p.known[rowKey{r.Tenant, place.ID}], nil
	}
	near, err := p.sameTime(ctx, r)
	if err != nil {
		return nil, err
	}
	if len(near) > looseCrowd {
		p.in.links.crowded.Add(1)
		return nil, nil
	}
	some, more := believed(r, near)
	c, rivals, err := p.only(ctx, r, some)
	if more && c == nil && !rivals && err == nil {
		c, rivals, err = p.only(ctx, r, near)
	}
	if c == nil && !rivals || err != nil {
		return nil, err
	}
	if c != nil && c.row.ID == r.ID {
		return c, nil
	}
	if there, err := p.there(ctx, r); there || err != nil {
		return nil, err
	}
	if rivals {
		p.ambiguous++
		return nil, nil
	}
	if err := p.load(ctx, c); err != nil {
		return nil, err
	}
	if err := p.join(ctx, c, r); err != nil {
		return nil, err
	}
	p.linked++
	return c, nil
}

// arrives removes row i of the batch from those that are to come.
func (p *pass) arrives(i int) {
	if p.slots == nil {
		p.slots = make(map[slotKey][]*candidate)
		p.read = make(map[slotKey]bool)
		p.ahead = make([]*candidate, len(p.b.Rows))
		for k := range p.b.Rows {
			if r := &p.b.Rows[k]; k >= i && p.in.links.wantsLoose(r) {
				p.ahead[k] = &candidate{row: *r, ahead: true}
				p.slots[slotOf(r)] = append(p.slots[slotOf(r)], p.ahead[k])
			}
		}
	}
	key := slotOf(&p.b.Rows[i])
	p.slots[key] = slices.DeleteFunc(p.slots[key], func(c *candidate) bool { return c == p.ahead[i] })
}

// sameTime returns the rows that start when the call of r does, or one that may be taken for it.
func (p *pass) sameTime(ctx context.Context, r *call.Row) (near []*candidate, err error) {
	from, to := spanOf(r, longestLoose)
	if r.Invite.IsZero() {
		to = to.Add(longestRing)
	}
	const far = 2 * (clockSlack + time.Second) // the other row's rivals may be as far from it again
	for slot := slotAt(from.Add(-far)); slot <= slotAt(to.Add(far)); slot++ {
		key := slotKey{r.Tenant, slot}
		if err := p.readSlot(ctx, key); err != nil {
			return nil, err
		}
		near = append(near, p.slots[key]...)
	}
	return near, nil
}

// readSlot reads the rows that start in a slot of time, unless it has done so.
func (p *pass) readSlot(ctx context.Context, key slotKey) error {
	if p.read[key] {
		return nil
	}
	p.read[key] = true
	q := call.Query{Tenant: key.tenant, From: key.start(), To: key.start().Add(slotLength), Limit: looseCrowd + 1}
	slot := p.slots[key]
	for row, err := range p.in.store.Rows(ctx, q) {
		if err != nil {
			return err
		}
		if !loose(row) && !firm(row) {
			continue
		}
		if c := p.candidate(row); !slices.Contains(slot, c) {
			slot = append(slot, c)
		}
	}
	p.slots[key] = slot
	return nil
}

// only returns the one row near r that may be its call. rivals says that there are several, or that
// the one may be the call of another row as well.
func (p *pass) only(ctx context.Context, r *call.Row, near []*candidate) (c *candidate, rivals bool, err error) {
	for _, x := range near {
		if x.row.ID == r.ID {
			if x.ahead {
				continue
			}
			return x, false, nil
		}
		switch may, err := p.mayBe(ctx, x, r); {
		case err != nil:
			return nil, false, err
		case !may:
		case c == nil, p.oneCall(c, x) && c.ahead:
			c = x
		case !p.oneCall(c, x):
			return nil, true, nil
		}
	}
	if c == nil || c.ahead { // a later row of the batch will find r
		return nil, false, nil
	}
	for _, x := range near {
		if x == c || x.row.ID == r.ID || sameLoose(x.as(r), r) { // x is of the call of both
			continue
		}
		if may, err := p.mayBe(ctx, x, c.as(r)); may || err != nil {
			return nil, may, err
		}
	}
	return c, false, nil
}

// mayBe reports whether c may be the call of r. A later row of the batch does not count if the
// store has it already, since the pass then finds it there, under the id that it has now.
func (p *pass) mayBe(ctx context.Context, c *candidate, r *call.Row) (bool, error) {
	as := c.as(r)
	if !loose(as) && !firm(as) || !sameLoose(as, r) { // hearsay alone does not make c a row to be compared
		return false, nil
	}
	if c.ahead {
		there, err := p.there(ctx, &c.row)
		return !there, err
	}
	return true, nil
}

// oneCall reports whether the rows of two candidates will become one, too.
func (p *pass) oneCall(a, b *candidate) bool {
	x, y := a.as(&b.row), b.as(&a.row)
	if sameLoose(x, y) {
		return true
	}
	return linkable(x) && x.CorrelationID == y.CorrelationID && sameCall(x, y, p.offsets)
}

// sameLoose reports whether two rows of different kinds of sources, of which at least one is loose,
// can be the same call: no kind of source has told both, and their directions, trunks, numbers and
// times agree.
func sameLoose(a, b *call.Row) bool {
	switch {
	case a.Seen&b.Seen != 0, !loose(a) && !loose(b):
		return false
	case a.CallType != "" && b.CallType != "" && a.Inbound() != b.Inbound():
		return false
	case !strings.EqualFold(a.Trunk, b.Trunk) && a.Trunk != "" && b.Trunk != "":
		return false
	}
	apart, ok := sameTimes(a, b)
	if !ok {
		return false
	}
	caller, knowCaller := sharedDigits(a.Caller, b.Caller)
	callee, knowCallee := sharedDigits(a.Callee, b.Callee)
	switch {
	case knowCaller && knowCallee:
		const least, all = 3, 8 // an extension may be short if the other number is long
		return min(caller, callee) >= least && caller+callee >= all
	case knowCaller || knowCallee:
		// One of the two numbers is not known on both sides. The length of a call that was talked
		// for a while tells it from others.
		const enough, while = 7, 10 * time.Second
		return caller+callee >= enough && talked(a) >= while && talked(b) >= while && apart <= time.Second
	}
	return false
}

// talked returns how long a call lasted after its answer.
func talked(r *call.Row) time.Duration {
	if r.End.IsZero() || r.Start.IsZero() {
		return 0
	}
	return r.End.Sub(r.Start)
}

// sameTimes reports whether the times of two rows agree: none is further from its counterpart than
// clocks may differ, and all by about the same. It returns by how much the differences differ. If
// an SBC tells only one time of the beginning, it may be that of the INVITE or of the answer.
func sameTimes(a, b *call.Row) (apart time.Duration, ok bool) {
	answered := func(r *call.Row) bool { return r.By[call.FieldStart] != 0 && !r.End.IsZero() }
	starts := [2]time.Time{a.Start, b.Start}
	over := [2]time.Time{lastTime(a), lastTime(b)}
	var readings [][][2]time.Time
	switch {
	case !a.Invite.IsZero() && !b.Invite.IsZero() && answered(a) && answered(b):
		readings = [][][2]time.Time{{{a.Invite, b.Invite}, starts, over}}
	case !a.Invite.IsZero() && !b.Invite.IsZero():
		readings = [][][2]time.Time{{{a.Invite, b.Invite}, over}}
	default:
		readings = [][][2]time.Time{{starts, over}}
		if !a.Invite.IsZero() {
			readings = append(readings, [][2]time.Time{{a.Invite, b.Start}, over})
		}
		if !b.Invite.IsZero() {
			readings = append(readings, [][2]time.Time{{a.Start, b.Invite}, over})
		}
	}
	most := slack(a, b)
	for _, pairs := range readings {
		if d, may := spread(pairs, most); may && (!ok || d < apart) {
			apart, ok = d, true
		}
	}
	return apart, ok
}

// spread returns by how much the differences between the times of the pairs differ, and whether no
// difference is greater than most and all are about the same.
func spread(pairs [][2]time.Time, most time.Duration) (d time.Duration, ok bool) {
	var all []time.Duration
	for _, t := range pairs {
		if !t[0].IsZero() && !t[1].IsZero() {
			all = append(all, t[0].Sub(t[1]))
		}
	}
	least, greatest := slices.Min(all), slices.Max(all) // not empty: a row always has a start
	const rounding = 2 * time.Second                    // both sides may have rounded
	d = greatest - least
	return d, max(-least, greatest) <= most && d <= rounding
}

// slack returns by how much the times of two rows may differ because of clocks, with a second more
// if one has only whole seconds.
func slack(a, b *call.Row) time.Duration {
	if coarse(a) || coarse(b) {
		return clockSlack + time.Second
	}
	return clockSlack
}

// lastTime returns when a call ended, or failed.
func lastTime(r *call.Row) time.Time {
	if !r.End.IsZero() {
		return r.End
	}
	return r.Failure
}
