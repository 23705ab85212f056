package leg

import (
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Apart is by how much the legs of one call may differ in when they began, if
// nothing but their numbers tells that they belong together.
const Apart = 5 * time.Second

// fewDigits is how many of the last digits of two numbers must be the same:
// each side of an SBC writes the same number in its own way.
const fewDigits = 6

// The kinds of keys by which legs are found.
const (
	KeySession     = "s"
	KeyCorrelation = "c"
	KeyNumber      = "n"
)

// Keys calls f with each key of l: two legs that [BondOf] ties share one.
func (l *Leg) Keys(f func(kind, value string)) {
	if l.session.s != "" {
		f(KeySession, l.session.s)
	}
	if l.correlation.s != "" {
		f(KeyCorrelation, l.correlation.s)
		f(KeyCorrelation, l.CallID)
	}
	for i := range l.hops {
		if v := &l.hops[i].invite; !v.at.IsZero() {
			f(KeyNumber, lastDigits(v.callee))
		}
	}
}

// A Bond is how sure it is that two legs belong to one call.
type Bond uint8

// What ties two legs, in rising order.
const (
	NoBond     Bond = iota
	DigitsBond      // they ask for and from the same numbers at about the same time, as far as the last digits tell
	NumberBond      // and the numbers are the same
	NamedBond       // they name each other, or share what the SBC passes on
)

// BondOf tells what ties two legs to each other. Nothing ties those of two sources.
func BondOf(a, b *Leg) Bond {
	switch {
	case a.Source != b.Source:
		return NoBond
	case a.session.s != "" && a.session.s == b.session.s,
		a.correlation.s != "" && (a.correlation.s == b.correlation.s || a.correlation.s == b.CallID),
		b.correlation.s != "" && b.correlation.s == a.CallID:
		return NamedBond
	case a.first.Sub(b.first).Abs() > Apart:
		return NoBond
	}
	best := NoBond
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
func callerBond(v, w *invite) Bond {
	switch {
	case !sameDigits(v.caller, w.caller) || hidden(v.caller):
		return NoBond
	case v.caller == w.caller && v.callee == w.callee:
		return NumberBond
	}
	return DigitsBond
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

// Fill gives a row what l, another leg of its call, knows and its own does not.
func (l *Leg) Fill(r *call.Row, w call.Witness, plan func(number string) string) {
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
