package leg

import (
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Apart is the most by which the starts of two legs of one call may differ, if nothing but their
// numbers ties them.
const Apart = 5 * time.Second

// fewDigits is how many last digits of two numbers must be the same: each side of an SBC writes the
// same number in its own way.
const fewDigits = 6

// The kinds of keys by which the caller finds legs.
const (
	KeySession     = "s"
	KeyCorrelation = "c"
	KeyNumber      = "n"
)

// Keys calls f with each key of l: its session id, its correlation and its Call-ID if it has a
// correlation, and the last digits of each callee. Legs that [BondOf] ties share one, except a leg
// without a correlation and the leg whose correlation is its Call-ID.
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

// A Bond is how surely two legs belong to one call.
type Bond uint8

// The bonds, in rising order.
const (
	NoBond     Bond = iota
	DigitsBond      // the last digits of their callers and callees agree, and they began at about the same time
	NumberBond      // and the whole numbers agree
	NamedBond       // one names the other, or they share an id that the SBC passes on
)

// BondOf returns the firmest bond of two legs. Legs of two sources have none.
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

// callerBond returns the bond of two INVITEs whose callees have the same last digits. Callers who
// hide their numbers all have the same name, so that it ties nothing.
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

// lastDigits returns the last fewDigits digits of a number, or all of a text that has fewer, in
// lower case.
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

// Fill sets the caller and the callee that a row lacks from the first INVITE of l, another leg of
// its call, and notes w as their witness. plan writes a number as the trunk's numbering plan has
// it.
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
