package call

import (
	"math"
	"slices"
	"strings"
	"time"
)

// What a row shows is a function of the set of its testimonies:
//
//   - A number is that of the best testimony. If that one is masked, the row shows the whole number
//     of the best testimony that agrees with it in the digits that both show.
//   - The times, the duration and whether the call was answered are one group. They come from one
//     testimony, the best one that knows when the call began and how it went. Others fill its gaps
//     where nothing contradicts anything else.
//   - The SIP code, its phrase and the subcode go with them.
//   - Each other field is that of the best testimony that has it.
//
// Authenticated voices decide first. The others fill gaps and the digits behind a mask, and change
// nothing.

var (
	// times are the fields that come from one testimony, in the order in which fill looks elsewhere
	// for missing ones.
	times = [...]Field{FieldStart, FieldSuccessful, FieldFailure, FieldEnd, FieldInvite, FieldDuration}

	timeSet   = setOf(times[:]...)
	codeSet   = setOf(FieldFinalSIPCode, FieldCallEndSubReason, FieldFinalSIPPhrase)
	numberSet = setOf(FieldCaller, FieldCallee)

	allFields   = fieldSet(1)<<NumFields - 1
	plainFields = allFields &^ (timeSet | codeSet | numberSet | 1<<FieldCallType)
)

// decide makes r show what the testimonies say, which must be in the order of compare. Its id and
// tenant stay.
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

// show copies some fields of a testimony into r.
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

// unmasks reports whether a whole number agrees with a masked one in every digit that this shows.
// The masked one must show a digit, or any number would do.
func unmasks(whole, part string) bool {
	return whole != "" && !masked(whole) && strings.ContainsAny(part, "0123456789") && sameNumber(whole, part)
}

// decideCall decides the fields of a call that belong together, where they are still open.
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

// told returns the fields that have a witness.
func (r *Row) told() (s fieldSet) {
	for f, w := range r.By {
		if w != 0 {
			s |= 1 << f
		}
	}
	return s
}

// follow takes the times of one testimony whole, and returns it: the best one that knows both when
// the call began and how it went. If none does, it takes the best one of a source whose testimonies
// together know both, conclusions included; or else the best one that has any of the times.
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

// fill sets those of the times that are still open, from the best testimony that agrees. If of is
// not nil, only the source of that testimony counts.
func (r *Row) fill(all []*testimony, of *testimony) {
	for _, f := range times {
		for _, t := range all {
			if r.By[f] == 0 && t.said.has(f) && (of == nil || t.source == of.source) && r.agrees(t, f) {
				r.show(t, 1<<f)
			}
		}
	}
}

// over reports whether r shows how the call went, and when.
func (r *Row) over() bool {
	switch r.went(r.told()) {
	case wentWell:
		return !r.End.IsZero()
	case wentWrong:
		return !r.Failure.IsZero()
	}
	return false
}

// complete reports whether t knows when the call began and how it went. A failed call began with
// its INVITE.
func (t *testimony) complete() bool {
	said := t.times()
	if t.tells(FieldFailure) {
		return said.has(FieldStart) || said.has(FieldInvite) && t.tells(FieldInvite)
	}
	return said.has(FieldStart) && (t.tells(FieldEnd) || t.said.has(FieldDuration) && t.said.has(FieldSuccessful))
}

// times returns the times that t has. A voice may contradict itself if it learned them one after
// another, from messages whose clocks were hours apart: then the start, or the INVITE, counts as
// missing if it lies behind the end. Microsoft's own records stand as they are.
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

// tells reports whether t has a value of f, and not just the word that there is none.
func (t *testimony) tells(f Field) bool { return t.said.has(f) && t.row.Known(f) }

// assume adds what follows from the shown fields where no voice has spoken: a start; that a call
// which has ended and has not failed was answered; and how long it lasted. It leaves a row of Graph
// alone as Graph sent it.
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

// measure sets the duration to the time between start and end if trunklog computed it, from SIP or
// by inference: SIP messages of one call may arrive long after each other. The duration of another
// witness is a fact of its own.
func (r *Row) measure() {
	told, start, end := r.By[FieldDuration], r.By[FieldStart], r.By[FieldEnd]
	ours := told.Kind() == SIP || told.Kind() == Inferred
	alike := told.Authenticated() == start.Authenticated() && told.Authenticated() == end.Authenticated()
	if ours && alike && start != 0 && end != 0 && !r.End.IsZero() && r.went(r.told()) == wentWell {
		r.Duration = wholeSeconds(r.End.Sub(r.Start))
	}
}

// assumeStart gives r a start if no voice has: the time of the INVITE, or else of the failure or
// the end. By of such a start is 0.
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

// agrees reports whether r may take field f of the times from t without contradicting itself. It
// takes how the call went only with the time of it.
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

// isDuration reports whether a call may have lasted so long, given its begin and end where they are
// known.
func isDuration(start, end time.Time, seconds int32) bool {
	return start.IsZero() || end.IsZero() || time.Duration(seconds)*time.Second == end.Sub(start).Truncate(time.Second)
}

// outcome is how a call went, if that is known.
type outcome uint8

const (
	wentUnknown outcome = iota
	wentWell            // it was answered
	wentWrong           // it failed
)

// failing is the least SIP code that is no success (RFC 3261, section 7.2).
const failing = 300

// went returns how the call went, judged by those fields that are in told.
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

// decideCodes sets the SIP code, its phrase and the subcode: those of the chief unchanged, or else
// those of others for a call that went the same way.
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

// takesCode reports whether t's code field f fits how the call went.
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

// takesSubcode reports whether the subcode of t fits the code and the type that r shows, or whether
// t is the source of both.
func (r *Row) takesSubcode(t *testimony) bool {
	code := r.FinalSIPCode
	if r.went(r.told()) == wentWell {
		code = 0
	}
	of := func(f Field) bool { return t.said.has(f) && t.row.same(r, f) }
	return (of(FieldFinalSIPCode) || subcodeOfCode(t.row.CallEndSubReason, code)) &&
		(of(FieldCallType) || subcodeOfType(t.row.CallEndSubReason, r.CallType))
}
