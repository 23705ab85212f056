package ingest

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// apart is by how much the legs of one call may differ in when they began, if
// nothing but their numbers tells that they belong together.
const apart = 5 * time.Second

// fewDigits is how many of the last digits of two numbers must be the same:
// each side of an SBC writes the same number in its own way.
const fewDigits = 6

// A recent finds the legs in memory that may belong to one call.
type recent struct {
	seed maphash.Seed
	legs map[uint64]*near
}

// A near holds the legs that share a key, in the order in which they came. Those
// that were taken out leave holes, never at the end and no more than there are
// legs: many calls of one number cost no more each than others do.
type near struct {
	legs []*leg
	live int
}

// A legKey is one of the keys of a leg, and its place among those that share it.
type legKey struct {
	key uint64
	at  int
}

func (r *recent) init() {
	r.seed = maphash.MakeSeed()
	r.legs = make(map[uint64]*near)
}

// The kinds of keys by which legs are found.
const (
	keySession     = "s"
	keyCorrelation = "c"
	keyNumber      = "n"
)

func (r *recent) key(source, kind, value string) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	_, _ = h.WriteString(source) // never fails
	_ = h.WriteByte(0)
	_, _ = h.WriteString(kind)
	_, _ = h.WriteString(value)
	return h.Sum64()
}

// keys calls f with each key of l.
func (r *recent) keys(l *leg, f func(uint64)) {
	if l.session.s != "" {
		f(r.key(l.source, keySession, l.session.s))
	}
	if l.correlation.s != "" {
		f(r.key(l.source, keyCorrelation, l.correlation.s))
		f(r.key(l.source, keyCorrelation, l.callID))
	}
	for i := range l.hops {
		if v := &l.hops[i].invite; !v.at.IsZero() {
			f(r.key(l.source, keyNumber, lastDigits(v.callee)))
		}
	}
}

// add makes l be found by what it says now.
func (r *recent) add(l *leg) {
	r.keys(l, func(k uint64) {
		if slices.ContainsFunc(l.life.keys, func(have legKey) bool { return have.key == k }) {
			return
		}
		n := r.legs[k]
		if n == nil {
			n = &near{}
			r.legs[k] = n
		}
		l.life.keys = append(l.life.keys, legKey{k, len(n.legs)})
		n.legs = append(n.legs, l)
		n.live++
	})
}

func (r *recent) remove(l *leg) {
	for _, k := range l.life.keys {
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
	l.life.keys = nil
}

// close takes the holes out.
func (n *near) close(key uint64) {
	all := n.legs
	n.legs = n.legs[:0]
	for _, l := range all {
		if l == nil {
			continue
		}
		for i := range l.life.keys {
			if l.life.keys[i].key == key {
				l.life.keys[i].at = len(n.legs)
			}
		}
		n.legs = append(n.legs, l)
	}
	clear(all[len(n.legs):])
}

// latest calls f with the legs that came last, up to a number.
func (n *near) latest(most int, f func(*leg)) {
	for i := len(n.legs) - 1; i >= 0 && most > 0; i-- {
		if l := n.legs[i]; l != nil {
			f(l)
			most--
		}
	}
}

// maxPartners bounds how many legs are looked at that share a number.
const maxPartners = 64

// A bond is how sure it is that two legs belong to one call.
type bond uint8

const (
	noBond     bond = iota
	digitsBond      // they ask for and from the same numbers at about the same time, as far as the last digits tell
	numberBond      // and the numbers are the same
	namedBond       // they name each other, or share what the SBC passes on
)

// bonded calls f with each leg that may belong to the same call as l, once.
func (r *recent) bonded(l *leg, f func(o *leg, b bond)) {
	var seen []*leg
	for _, k := range l.life.keys {
		r.legs[k.key].latest(maxPartners, func(o *leg) {
			if o == l || slices.Contains(seen, o) {
				return
			}
			if b := bondOf(l, o); b > noBond {
				seen = append(seen, o)
				f(o, b)
			}
		})
	}
}

// partners returns the other legs that belong to the same call as l, those with
// the firmest bond first, and of those the one that began at the nearest time.
// No bond ties what different tenants own.
func (r *recent) partners(l *leg) []*leg {
	type partner struct {
		*leg
		bond bond
	}
	var all []partner
	r.bonded(l, func(o *leg, b bond) {
		if !walled(l, o) {
			all = append(all, partner{o, b})
		}
	})
	slices.SortFunc(all, func(a, b partner) int {
		return cmp.Or(-cmp.Compare(a.bond, b.bond), cmp.Compare(a.first.Sub(l.first).Abs(), b.first.Sub(l.first).Abs()), bytes.Compare(a.id[:], b.id[:]))
	})
	legs := make([]*leg, len(all))
	for i := range all {
		legs[i] = all[i].leg
	}
	return legs
}

// walled reports whether two legs belong to different tenants.
func walled(a, b *leg) bool {
	s, t := a.owner(), b.owner()
	return s != t && !s.IsZero() && !t.IsZero()
}

// owner returns the tenant whose trunk the leg names; zero if nobody's.
func (l *leg) owner() call.GUID {
	if l.in == nil {
		return l.tenant
	}
	v := l.view()
	_, tenant := l.in.trunkOf(l, v.trunks)
	if tenant == call.Unassigned {
		return call.GUID{}
	}
	return tenant
}

// bondOf tells what ties two legs to each other.
func bondOf(a, b *leg) bond {
	switch {
	case a.source != b.source:
		return noBond
	case a.session.s != "" && a.session.s == b.session.s,
		a.correlation.s != "" && (a.correlation.s == b.correlation.s || a.correlation.s == b.callID),
		b.correlation.s != "" && b.correlation.s == a.callID:
		return namedBond
	case a.first.Sub(b.first).Abs() > apart:
		return noBond
	}
	best := noBond
	for i := range a.hops {
		for j := range b.hops {
			v, w := &a.hops[i].invite, &b.hops[j].invite
			if !v.at.IsZero() && !w.at.IsZero() && sameDigits(v.callee, w.callee) {
				best = max(best, callerBond(v, w))
			}
		}
	}
	return best
}

// callerBond tells what ties two INVITEs that ask for the same number. Callers
// who hide their numbers all have the same name.
func callerBond(v, w *invite) bond {
	switch {
	case !sameDigits(v.caller, w.caller) || hidden(v.caller):
		return noBond
	case v.caller == w.caller && v.callee == w.callee:
		return numberBond
	}
	return digitsBond
}

// hidden reports whether a caller shows no number (RFC 3323, section 4.1).
func hidden(caller string) bool {
	switch strings.ToLower(caller) {
	case "", "anonymous", "unavailable", "restricted", "private", "unknown":
		return true
	}
	return false
}

// lastDigits returns the last digits of a number, or all that there is of a
// name.
func lastDigits(number string) string {
	var digits [fewDigits]byte
	n := len(digits)
	for i := len(number) - 1; i >= 0 && n > 0; i-- {
		if c := number[i]; '0' <= c && c <= '9' {
			n--
			digits[n] = c
		}
	}
	if n > 0 {
		return strings.ToLower(number)
	}
	return string(digits[:])
}

func sameDigits(a, b string) bool { return lastDigits(a) == lastDigits(b) }

// mainOf returns the leg that makes the row of the call that l belongs to; nil
// if that is l itself.
func (l *leg) mainOf(v *view, others []*leg) *leg {
	if v.facing == surelyFacing {
		return nil
	}
	var main *leg
	best := v.facing
	for _, o := range others {
		if w := o.view(); w.facing > best {
			main, best = o, w.facing
		}
	}
	return main
}

// fill gives a row what another leg of the call knows and its own does not.
func (l *leg) fill(r *call.Row, w call.Witness, plan func(string) string) {
	var v *invite
	for i := range l.hops {
		if h := &l.hops[i].invite; !h.at.IsZero() && (v == nil || h.compare(v) < 0) {
			v = h
		}
	}
	if v == nil {
		return
	}
	if r.Caller == "" && v.caller != "" {
		r.Caller, r.By[call.FieldCaller] = plan(v.caller), w
	}
	if r.Callee == "" && v.callee != "" {
		r.Callee, r.By[call.FieldCallee] = plan(v.callee), w
	}
}
