package call

import (
	"math"
	"slices"
	"strings"
	"time"
)

// What a row shows is a function of the set of its testimonies:
//
//   - A number is that of the best testimony; but if it is masked, the whole number
//     of the best one among those that agree with it in the digits that both show.
//   - The times, the duration and whether the call was answered are one group. They
//     are those of one testimony, the best one that tells when the call began and how
//     it went; others add what it does not tell, as long as nothing contradicts
//     anything else.
//   - The SIP code, its phrase and the subcode go with them.
//   - Each other field is that of the best testimony that tells it.
//
// All of this is decided for those who are authenticated first. The others add what
// is not told then, and the digits behind a mask, and change nothing.

var (
	// times are the fields that are taken from one testimony, in the order in which
	// what it does not tell is looked for elsewhere.
	times = [...]Field{FieldStart, FieldSuccessful, FieldFailure, FieldEnd, FieldInvite, FieldDuration}

	timeSet   = setOf(times[:]...)
	codeSet   = setOf(FieldFinalSIPCode, FieldCallEndSubReason, FieldFinalSIPPhrase)
	numberSet = setOf(FieldCaller, FieldCallee)

	allFields   = fieldSet(1)<<NumFields - 1
	plainFields = allFields &^ (timeSet | codeSet | numberSet | 1<<FieldCallType)
)

// decide makes r show what the testimonies say, which are in the order of
// compare. Its id and tenant stay.
func (r *Row) decide(all []*testimony) {
	r.By = [NumFields]Witness{}
	for f := range ((timeSet | codeSet | 1<<FieldCallType) &^ (1 << FieldStart)).all {
		r.clear(f)
	}
	if len(all) == 1 {
		r.show(all[0], all[0].said&^timeSet|all[0].times())
		r.measure()
		r.assume(all)
		return
	}
	rest := plainFields
	for _, t := range all {
		r.show(t, t.said&rest)
		rest &^= t.said
	}
	r.decideNumber(FieldCaller, all)
	r.decideNumber(FieldCallee, all)
	n := 0
	for n < len(all) && all[n].by.Authenticated() {
		n++
	}
	r.decideCall(all[:n])
	r.decideCall(all[n:])
	r.assume(all)
}

// show gives r what a testimony says of some fields.
func (r *Row) show(t *testimony, fields fieldSet) {
	for f := range fields.all {
		if r.By[f] = t.by; f != FieldID {
			r.take(&t.row, f)
		}
	}
}

func (r *Row) decideNumber(f Field, all []*testimony) {
	var best *testimony
	for _, t := range all {
		switch {
		case !t.said.has(f):
		case best == nil:
			if best = t; !masked(t.row.Text(f)) {
				r.show(best, 1<<f)
				return
			}
		case unmasks(t.row.Text(f), best.row.Text(f)):
			r.show(t, 1<<f)
			return
		}
	}
	if best != nil {
		r.show(best, 1<<f)
	}
}

func masked(number string) bool { return strings.Contains(number, "*") }

// unmasks reports whether a number is a whole one that agrees with a masked one in
// every digit that this shows. There must be one, or any number would do.
func unmasks(whole, part string) bool {
	return whole != "" && !masked(whole) && strings.ContainsAny(part, "0123456789") && sameNumber(whole, part)
}

// decideCall decides what of a call belongs together, as far as it is not decided yet.
func (r *Row) decideCall(all []*testimony) {
	for _, t := range all {
		if r.By[FieldCallType] == 0 && t.said.has(FieldCallType) && subcodeOfType(r.CallEndSubReason, t.row.CallType) {
			r.show(t, 1<<FieldCallType)
		}
	}
	var chief *testimony
	if r.told()&(timeSet|codeSet) == 0 {
		chief = r.follow(all)
	}
	r.fill(all, nil)
	r.measure()
	r.decideCodes(chief, all)
}

// told returns the fields that a witness has told.
func (r *Row) told() (s fieldSet) {
	for f, w := range r.By {
		if w != 0 {
			s |= 1 << f
		}
	}
	return s
}

// follow takes the times of one testimony whole, and returns it: the best that tells
// both when the call began and how it went. If none does it is the best of a source
// that tells so in all, what it has only concluded included; or else the best that
// tells anything of it.
func (r *Row) follow(all []*testimony) (chief *testimony) {
	for _, t := range all {
		if t.complete() {
			r.show(t, t.times())
			return t
		}
	}
	for _, t := range all {
		if t.said&timeSet == 0 {
			continue
		}
		if chief == nil {
			chief = t
		}
		try := *r
		try.show(t, t.times())
		if try.fill(all, t); try.over() {
			*r = try
			return t
		}
	}
	if chief != nil {
		r.show(chief, chief.times())
	}
	return chief
}

// fill takes those of the times that are not told yet, from the best that agrees; of
// the one source only of which a testimony is given.
func (r *Row) fill(all []*testimony, of *testimony) {
	for _, f := range times {
		for _, t := range all {
			if r.By[f] == 0 && t.said.has(f) && (of == nil || t.source == of.source) && r.agrees(t, f) {
				r.show(t, 1<<f)
			}
		}
	}
}

// over reports whether r shows how the call went, and when that was.
func (r *Row) over() bool {
	switch r.went(r.told()) {
	case wentWell:
		return !r.End.IsZero()
	case wentWrong:
		return !r.Failure.IsZero()
	}
	return false
}

// complete reports whether t tells when the call began and how it went. A call that
// failed began with its INVITE.
func (t *testimony) complete() bool {
	said := t.times()
	if t.tells(FieldFailure) {
		return said.has(FieldStart) || said.has(FieldInvite) && t.tells(FieldInvite)
	}
	return said.has(FieldStart) && (t.tells(FieldEnd) || t.said.has(FieldDuration) && t.said.has(FieldSuccessful))
}

// times returns which of the times t says. A voice that has said them one after another,
// as a source does by whose clock messages came from different hours, may contradict
// itself: then the start, or the INVITE, counts as not said if it lies behind the end.
// Microsoft's own records stand as they are.
func (t *testimony) times() fieldSet {
	said := t.said & timeSet
	if t.by.oneVoice() {
		return said
	}
	for _, f := range [...]Field{FieldStart, FieldInvite} {
		for _, over := range [...]Field{FieldFailure, FieldEnd} {
			if said.has(f) && t.tells(over) && before(t.row.Time(over), t.row.Time(f)) {
				said &^= 1 << f
			}
		}
	}
	if said.has(FieldStart) && said.has(FieldInvite) && t.tells(FieldInvite) && before(t.row.Start, t.row.Invite) {
		said &^= 1 << FieldStart
	}
	return said
}

// tells reports whether t says something of f, and not that there is none.
func (t *testimony) tells(f Field) bool { return t.said.has(f) && t.row.Known(f) }

// assume adds what follows from what is shown and nobody has told, unless Graph
// alone speaks, which stands as it is told: a start; that a call which has ended and
// has not failed was answered; and how long it lasted.
func (r *Row) assume(all []*testimony) {
	r.assumeStart(all)
	if !slices.ContainsFunc(all, func(t *testimony) bool { return t.by.Kind() != Graph }) {
		return
	}
	if r.By[FieldSuccessful] == 0 {
		r.Successful = !r.End.IsZero() && r.Failure.IsZero()
	}
	if r.By[FieldDuration] == 0 {
		if r.Duration = 0; r.Successful && !r.End.IsZero() {
			r.Duration = wholeSeconds(r.End.Sub(r.Start))
		}
	}
}

func wholeSeconds(d time.Duration) int32 {
	return int32(max(0, min(d/time.Second, math.MaxInt32)))
}

// measure makes the duration what lies between the start and the end, if it was we
// who have counted it: what SIP tells of a call may come in pieces long after each
// other. That of other witnesses is a fact of its own.
func (r *Row) measure() {
	told, start, end := r.By[FieldDuration], r.By[FieldStart], r.By[FieldEnd]
	ours := told.Kind() == SIP || told.Kind() == Inferred
	alike := told.Authenticated() == start.Authenticated() && told.Authenticated() == end.Authenticated()
	if ours && alike && start != 0 && end != 0 && !r.End.IsZero() && r.went(r.told()) == wentWell {
		r.Duration = wholeSeconds(r.End.Sub(r.Start))
	}
}

// assumeStart gives r a start if nobody has told it: when the INVITE came, or else
// the call failed or ended. By says of such a start that nobody has told it.
func (r *Row) assumeStart(all []*testimony) {
	if r.By[FieldStart] != 0 {
		return
	}
	if t := firstTime(r.Invite, r.Failure, r.End); !t.IsZero() {
		r.Start = t
		return
	}
	for _, t := range all {
		for _, f := range [...]Field{FieldStart, FieldInvite, FieldFailure, FieldEnd} {
			if t.tells(f) {
				r.Start = t.row.Time(f)
				return
			}
		}
	}
}

func firstTime(all ...time.Time) time.Time {
	for _, t := range all {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// agrees reports whether r may take from t another of the times without
// contradicting itself. How the call went is taken only with the time of it.
func (r *Row) agrees(t *testimony, f Field) bool {
	w := &t.row
	start := r.Start
	if r.By[FieldStart] == 0 {
		start = firstTime(r.Invite, r.Failure, r.End)
	}
	went, lasts := r.went(r.told()), r.By[FieldDuration] != 0
	switch f {
	case FieldStart:
		return !before(w.Start, r.Invite) && !before(r.End, w.Start) && !before(r.Failure, w.Start) &&
			(!lasts || isDuration(w.Start, r.End, r.Duration))
	case FieldInvite:
		return !before(start, w.Invite) && !before(r.End, w.Invite) && !before(r.Failure, w.Invite)
	case FieldSuccessful:
		return (went == wentUnknown || (went == wentWell) == w.Successful) &&
			(!t.tells(FieldEnd) || r.agrees(t, FieldEnd)) && (!t.tells(FieldFailure) || r.agrees(t, FieldFailure))
	case FieldFailure:
		return w.Failure.IsZero() && went != wentWrong || !w.Failure.IsZero() && went != wentWell && !before(w.Failure, start)
	case FieldEnd:
		return w.End.IsZero() && went != wentWell || !w.End.IsZero() && went != wentWrong && !before(w.End, start) &&
			(!lasts || isDuration(start, w.End, r.Duration))
	}
	switch went {
	case wentWrong:
		return w.Duration == 0
	case wentUnknown: // not if how it went did not agree
		return w.went(t.said&timeSet&^(1<<FieldDuration)) == wentUnknown
	}
	return isDuration(start, r.End, w.Duration)
}

// before reports whether two times are known and a lies before b.
func before(a, b time.Time) bool { return !a.IsZero() && !b.IsZero() && a.Before(b) }

// isDuration reports whether a call may have lasted so long, as far as it is known
// when it began and ended.
func isDuration(start, end time.Time, seconds int32) bool {
	return start.IsZero() || end.IsZero() || time.Duration(seconds)*time.Second == end.Sub(start).Truncate(time.Second)
}

// How a call went, as far as it is known.
type outcome uint8

const (
	wentUnknown outcome = iota
	wentWell            // it was answered
	wentWrong           // it failed
)

// failing is the least SIP code that is no success (RFC 3261, section 7.2).
const failing = 300

// went returns how the call went, by those of its fields that are told.
func (r *Row) went(told fieldSet) outcome {
	switch {
	case told.has(FieldSuccessful) && r.Successful:
		return wentWell
	case told.has(FieldSuccessful), told.has(FieldFailure) && !r.Failure.IsZero():
		return wentWrong
	case told.has(FieldEnd) && !r.End.IsZero(), told.has(FieldDuration) && r.Duration > 0:
		return wentWell
	case told.has(FieldFinalSIPCode) && r.FinalSIPCode >= failing:
		return wentWrong
	case told.has(FieldFinalSIPCode):
		return wentWell
	}
	return wentUnknown
}

// decideCodes takes the SIP code, its phrase and the subcode: those of the chief as
// they are, or else what others say of a call that went the same way.
func (r *Row) decideCodes(chief *testimony, all []*testimony) {
	for _, f := range [...]Field{FieldFinalSIPCode, FieldCallEndSubReason, FieldFinalSIPPhrase} {
		if chief != nil && chief.said.has(f) && (f != FieldCallEndSubReason || r.takesSubcode(chief)) {
			r.show(chief, 1<<f)
		}
		for _, t := range all {
			if r.By[f] == 0 && t != chief && t.said.has(f) && r.takesCode(t, f) {
				r.show(t, 1<<f)
			}
		}
	}
}

// takesCode reports whether what t says of a code goes with how the call went.
func (r *Row) takesCode(t *testimony, f Field) bool {
	went := r.went(r.told())
	if own := t.row.went(t.said & timeSet); own != wentUnknown && own != went {
		return false
	}
	switch f {
	case FieldFinalSIPCode:
		return subcodeOfCode(r.CallEndSubReason, t.row.FinalSIPCode) &&
			(went == wentUnknown || (went == wentWrong) == (t.row.FinalSIPCode >= failing))
	case FieldCallEndSubReason:
		return r.takesSubcode(t)
	}
	return !t.said.has(FieldFinalSIPCode) || t.row.FinalSIPCode == r.FinalSIPCode
}

// takesSubcode reports whether the subcode of t goes with the code and the type that
// r shows, or whether these are those of t, who then knows what it says.
func (r *Row) takesSubcode(t *testimony) bool {
	code := r.FinalSIPCode
	if r.went(r.told()) == wentWell {
		code = 0
	}
	of := func(f Field) bool { return t.said.has(f) && t.row.same(r, f) }
	return (of(FieldFinalSIPCode) || subcodeOfCode(t.row.CallEndSubReason, code)) &&
		(of(FieldCallType) || subcodeOfType(t.row.CallEndSubReason, r.CallType))
}
