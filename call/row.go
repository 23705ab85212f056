package call

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Row is one call on one trunk, with the fields of Microsoft Graph's
// callRecords.directRoutingLogRow. The zero value of a field means not known. Times are UTC and
// have a resolution of 100 ns.
//
// Its place in the log is (Start, ID). Its id never changes once it is written; its start changes
// when a better witness gives another.
type Row struct {
	Tenant GUID // the Entra tenant that owns the row; never on the wire
	ID     GUID

	CorrelationID     GUID // shared by the legs of one call; not unique
	UserID            GUID // the user's Entra object id; unknown for bots
	UserPrincipalName string
	UserDisplayName   string

	// Start is when the call was answered (outbound) or passed on inwards (inbound); for a failed
	// call it may be Invite or Failure.
	Start   time.Time
	Invite  time.Time // first INVITE
	Failure time.Time // only of a call that failed
	End     time.Time // only of a call that was established

	Duration         int32  // seconds
	CallType         string // an open set: "ByotIn", "ByotOut", …; see [CallType]
	Successful       bool
	Caller           string // E.164, or the text that was dialled or shown
	Callee           string
	MediaLocation    string // of the media of a call without media bypass
	SignalLocation   string
	FinalSIPCode     int32 // 0 is a normal end
	CallEndSubReason int32 // Microsoft's subcode
	FinalSIPPhrase   string
	Trunk            string // host name of the SBC
	MediaBypass      bool

	// Only in Graph's beta.
	UserCountry         string // ISO 3166-1 alpha-2
	OtherCountry        string
	TransferorID        GUID // CorrelationID of the call to the transferor
	AdministrativeUnits []GUID

	// SharedID links the legs of transfers and forwards; only the admin centre's export has it. Not
	// on the wire.
	SharedID GUID
	// CallerRaw and CalleeRaw are the numbers as dialled or shown, where a dial plan has rewritten
	// Caller or Callee. Not on the wire.
	CallerRaw, CalleeRaw string
	// ClaimedStart is the start that the best witness has given a row of the first release. That
	// release could not move rows, and kept them under an earlier start. Nothing sets it any more,
	// and [Row.Fold] makes it the Start.
	ClaimedStart time.Time

	// By holds the witness of each shown field, and Seen the kinds of source that have spoken of
	// the call at all. By of a Start that is only assumed is 0. See [Row.Fold].
	By   [NumFields]Witness
	Seen Kinds

	// Source is the name of the source that has reported the row, and Faces says that this source
	// surely faces Microsoft. If several have, it is the most trusted one. Graph and AdminExport
	// are one voice each, by whatever way they came: a row that they alone have reported has no
	// Source.
	Source string
	Faces  bool
	// Said holds what each voice has said, where the fields above do not show it: see [Row.Claims].
	// It is empty for a row of one source. Its times are distances from Start, so never change
	// Start without it. A reader who may not see a field of the row may not see Said either.
	Said string
	// Rest holds extensions that a newer binary wrote and this one does not know.
	Rest string

	// Met is where a walk has met the row, if that is not its present place. Stores do not keep it.
	// See [Query.Walk].
	Met Cursor
}

// MaxText is the most bytes that a text field of a row may have.
const MaxText = 1024

// Check reports whether a store can keep r: it has an id and a start, the wire form can write its
// times, and its texts are UTF-8 of at most [MaxText] bytes.
func (r *Row) Check() error {
	switch {
	case r.ID.IsZero():
		return fmt.Errorf("%w: the row has no id", ErrInvalid)
	case r.Start.IsZero():
		return fmt.Errorf("%w: the row has no startDateTime, inviteDateTime, failureDateTime or endDateTime", ErrInvalid)
	}
	for f := range NumFields {
		switch f.Type() {
		case Time:
			if t := r.timeAt(f); !inYears(t) {
				return fmt.Errorf("%w: %s is in the year %d", ErrInvalid, f, t.Year())
			}
		case Text:
			if s := *r.textAt(f); s != "" {
				if err := checkText(f.String(), s); err != nil {
					return err
				}
			}
		}
	}
	if len(r.AdministrativeUnits) > 256 {
		return fmt.Errorf("%w: administrativeUnitInfos has %d entries, more than 256", ErrInvalid, len(r.AdministrativeUnits))
	}
	return r.checkExtensions()
}

// inYears reports whether t is in the years 1 to 9999, by the clock of its zone. It computes the
// year only near the ends, because that is slow.
func inYears(t *time.Time) bool {
	const first, last = -unixEpoch, 253_402_300_799 // in seconds of Unix time
	if s := t.Unix(); s >= first+secondsPerDay && s <= last-secondsPerDay {
		return true
	}
	return t.Year() >= 1 && t.Year() <= 9999
}

func checkText(what, s string) error {
	if len(s) > MaxText {
		return fmt.Errorf("%w: %s has %d bytes, more than %d", ErrInvalid, what, len(s), MaxText)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: %s is not UTF-8", ErrInvalid, what)
	}
	return nil
}

// Settle brings a row that one witness has filled in into the form that stores keep: times in UTC,
// cut to 100 ns, a Start where one follows from other times, and w noted as the witness of every
// field that it settles. A start that is only assumed has no witness.
//
// A complete witness speaks of the whole call, so that its zero number, false or missing time says
// "none" rather than "not known", and is settled too. A missing text or id stays open for other
// witnesses either way.
func (r *Row) Settle(w Witness, complete bool) {
	for f := range NumFields {
		if f.Type() == Time && r.Known(f) {
			p := r.timeAt(f)
			if *p = p.UTC(); p.Nanosecond()%100 != 0 {
				*p = p.Truncate(100 * time.Nanosecond)
			}
		}
		known := r.Known(f)
		switch f.Type() {
		case Time:
			// Every call has a start, so that a missing one says nothing.
			known = known || complete && f != FieldStart
		case Number, Bool:
			known = known || complete
		}
		if r.By[f] = 0; known {
			r.By[f] = w
		}
	}
	r.assumeStart(nil)
	r.Seen |= w.Kind().Set()
}

// Normalize writes the numbers of r as plan does. It keeps the original of each that it changes in
// the raw fields, unless they are set.
func (r *Row) Normalize(plan func(number string) string) {
	for _, n := range [...]struct{ number, raw *string }{{&r.Caller, &r.CallerRaw}, {&r.Callee, &r.CalleeRaw}} {
		came := *n.number
		if *n.number = plan(came); *n.number != came && *n.raw == "" {
			*n.raw = came
		}
	}
}

// Clone returns a copy of r that shares no memory with it.
func (r *Row) Clone() Row {
	c := *r
	for f := range NumFields {
		if f.Type() == Text {
			p := c.textAt(f)
			*p = strings.Clone(*p)
		}
	}
	c.AdministrativeUnits = slices.Clone(r.AdministrativeUnits)
	for _, p := range [...]*string{&c.Source, &c.Said, &c.Rest} {
		*p = strings.Clone(*p)
	}
	return c
}

// Cursor returns the place of r in the log.
func (r *Row) Cursor() Cursor { return Cursor{r.Start, r.ID} }

// Place returns where a walk has met r.
func (r *Row) Place() Cursor {
	if r.Met.IsZero() {
		return r.Cursor()
	}
	return r.Met
}

// Inbound reports whether the call came in from the trunk.
func (r *Row) Inbound() bool { return CallType(r.CallType).Inbound() }

// Equal reports whether r and w are the same in every respect.
func (r *Row) Equal(w *Row) bool {
	if r.Tenant != w.Tenant || r.By != w.By || r.Seen != w.Seen || !r.ClaimedStart.Equal(w.ClaimedStart) ||
		r.Source != w.Source || r.Faces != w.Faces || r.Said != w.Said || r.Rest != w.Rest {
		return false
	}
	for f := range NumFields {
		if !r.same(w, f) {
			return false
		}
	}
	return true
}
