package ingest

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest/leg"
)

// A recent finds the legs in memory that may belong to one call, by the hashes of their keys.
type recent struct {
	seed maphash.Seed
	legs map[uint64]*near
}

// A near holds the legs that share a key, in the order of their arrival. A leg that is removed
// leaves a hole, never at the end; close removes the holes when they outnumber the legs by more
// than eight. So a call of a busy number costs no more than another.
type near struct {
	legs []*held
	live int
}

// A legKey is one of the keys of a leg, and the leg's place among those that share it.
type legKey struct {
	key uint64
	at  int
}

func (r *recent) init() {
	r.seed = maphash.MakeSeed()
	r.legs = make(map[uint64]*near)
}

func (r *recent) key(source, kind, value string) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	_, _ = h.WriteString(source) // it never returns an error
	_ = h.WriteByte(0)
	_, _ = h.WriteString(kind)
	_, _ = h.WriteString(value)
	return h.Sum64()
}

// add enters l under the keys that it has now.
func (r *recent) add(l *held) {
	l.Keys(func(kind, value string) {
		k := r.key(l.Source, kind, value)
		if slices.ContainsFunc(l.keys, func(have legKey) bool { return have.key == k }) {
			return
		}
		n := r.legs[k]
		if n == nil {
			n = &near{}
			r.legs[k] = n
		}
		l.keys = append(l.keys, legKey{k, len(n.legs)})
		n.legs = append(n.legs, l)
		n.live++
	})
}

func (r *recent) remove(l *held) {
	for _, k := range l.keys {
		n := r.legs[k.key]
		n.legs[k.at] = nil
		if n.live--; n.live == 0 {
			delete(r.legs, k.key)
			continue
		}
		for last := len(n.legs) - 1; n.legs[last] == nil; last-- {
			n.legs = n.legs[:last]
		}
		if len(n.legs) > 2*n.live+8 {
			n.close(k.key)
		}
	}
	l.keys = nil
}

// close removes the holes.
func (n *near) close(key uint64) {
	all := n.legs
	n.legs = n.legs[:0]
	for _, l := range all {
		if l == nil {
			continue
		}
		for i := range l.keys {
			if l.keys[i].key == key {
				l.keys[i].at = len(n.legs)
			}
		}
		n.legs = append(n.legs, l)
	}
	clear(all[len(n.legs):])
}

// latest calls f with the legs that came last, the last first, and stops after most of them.
func (n *near) latest(most int, f func(*held)) {
	for i := len(n.legs) - 1; i >= 0 && most > 0; i-- {
		if l := n.legs[i]; l != nil {
			f(l)
			most--
		}
	}
}

// maxPartners is how many of the legs that share a key bonded compares a leg with.
const maxPartners = 64

// bonded calls f once with each leg that may belong to the same call as l, and that the same kind
// of witness has told.
func (r *recent) bonded(l *held, f func(o *held, b leg.Bond)) {
	var seen []*held
	for _, k := range l.keys {
		r.legs[k.key].latest(maxPartners, func(o *held) {
			if o == l || o.Told != l.Told || slices.Contains(seen, o) {
				return
			}
			if b := leg.BondOf(&l.Leg, &o.Leg); b > leg.NoBond {
				seen = append(seen, o)
				f(o, b)
			}
		})
	}
}

// partners returns the other legs of l's call, those with the firmest bond first, and of those the
// one with the nearest start. No bond ties legs of different tenants, nor a leg of no tenant whose
// firmest bonds are with legs of several.
func (h *hearing) partners(l *held) []*held {
	type partner struct {
		*held
		bond leg.Bond
	}
	var all []partner
	began := l.Span().From
	h.recent.bonded(l, func(o *held, b leg.Bond) {
		if !h.walled(l, o) {
			all = append(all, partner{o, b})
		}
	})
	slices.SortFunc(all, func(a, b partner) int {
		return cmp.Or(-cmp.Compare(a.bond, b.bond), cmp.Compare(a.Span().From.Sub(began).Abs(), b.Span().From.Sub(began).Abs()), bytes.Compare(a.ID[:], b.ID[:]))
	})
	legs := make([]*held, len(all))
	firmest := 0
	for i := range all {
		if legs[i] = all[i].held; all[i].bond == all[0].bond {
			firmest = i + 1
		}
	}
	if h.torn(l, legs[:firmest]) {
		return nil
	}
	return legs
}

// torn reports whether a leg has no tenant, and the legs that it may belong with have several.
func (h *hearing) torn(l *held, others []*held) bool {
	if len(others) < 2 || !l.Owner(h.in.tenant).IsZero() {
		return false
	}
	var one call.GUID
	for _, o := range others {
		switch owner := o.Owner(h.in.tenant); {
		case owner.IsZero():
		case one.IsZero():
			one = owner
		case owner != one:
			return true
		}
	}
	return false
}

// walled reports whether two legs belong to different tenants.
func (h *hearing) walled(a, b *held) bool {
	s, t := a.Owner(h.in.tenant), b.Owner(h.in.tenant)
	return s != t && !s.IsZero() && !t.IsZero()
}

// mainOf returns the leg that makes the row of l's call: of the others, one that faces Microsoft
// more surely than l. It returns nil if that is l itself.
func (h *hearing) mainOf(l *held, v *leg.View, others []*held) *held {
	if v.Facing == leg.SurelyFacing {
		return nil
	}
	var main *held
	best := v.Facing
	for _, o := range others {
		if w := h.view(o); w.Facing > best {
			main, best = o, w.Facing
		}
	}
	return main
}
