package call

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Row is one call on one trunk, in the words of Microsoft Graph's
// callRecords.directRoutingLogRow. The zero value of a field means not known.
// Times are UTC and have a resolution of 100 ns.
//
// Its place in the log is (Start, ID). It moves when a better witness, or the same
// one later, tells another start.
type Row struct {
	Tenant GUID // the Entra tenant that owns the row; never on the wire
	ID     GUID

	CorrelationID     GUID // shared by the legs of one call; not unique
	UserID            GUID // the user's Entra object id; unknown for bots
	UserPrincipalName string
	UserDisplayName   string

	// Start is when the call was answered (outbound) or passed on inwards
	// (inbound); of a failed call it may be Invite or Failure.
	Start   time.Time
	Invite  time.Time // first INVITE
	Failure time.Time // only of a call that failed
	End     time.Time // only of a call that was established

	Duration         int32  // seconds
	CallType         string // an open set: "ByotIn", "ByotOut", …; see [CallType]
	Successful       bool
	Caller           string // E.164, or whatever was dialled or shown
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

	// SharedID links the legs of transfers and forwards; only the admin
	// centre's export has it. Not on the wire.
	SharedID GUID
	// CallerRaw and CalleeRaw are the numbers as they were dialled or shown,
	// where a dial plan has written Caller or Callee in another way. Not on the
	// wire.
	CallerRaw, CalleeRaw string
	// ClaimedStart is what the best witness says of Start if that differs from
	// the Start under which the row was published. Not on the wire.
	ClaimedStart time.Time

	// By says which witness settled each field, and Seen which kinds of source
	// have spoken of the call at all. See [Row.Fold].
	By   [NumFields]Witness
	Seen Kinds

	// Met is where a walk has met the row, if that is not where it stands now.
	// It is not kept. See [Query.Walk].
	Met Cursor
}

// MaxText is the most bytes that a text field of a row may have.
const MaxText = 1024

// Check reports whether r can be kept: it has an id and a start, its times can
// be written, and its texts are UTF-8 of at most [MaxText] bytes.
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
			if t := r.Time(f); t.Year() < 1 || t.Year() > 9999 {
				return fmt.Errorf("%w: %s is in the year %d", ErrInvalid, f, t.Year())
			}
		case Text:
			s := r.Text(f)
			if len(s) > MaxText {
				return fmt.Errorf("%w: %s has %d bytes, more than %d", ErrInvalid, f, len(s), MaxText)
			}
			if !utf8.ValidString(s) {
				return fmt.Errorf("%w: %s is not UTF-8", ErrInvalid, f)
			}
		}
	}
	if len(r.AdministrativeUnits) > 256 {
		return fmt.Errorf("%w: administrativeUnitInfos has %d entries, more than 256", ErrInvalid, len(r.AdministrativeUnits))
	}
	return nil
}

// Settle brings a row that one witness has filled in into the form that is
// kept: times in UTC without what 100 ns cannot hold, a Start where one can be
// told, and w noted as the witness of every field that it settles.
//
// A complete witness speaks of the whole call, so that its zero number, false
// or missing time says "none" rather than "not known", and is settled too. A
// missing text or id is left for others to fill in either way.
func (r *Row) Settle(w Witness, complete bool) {
	for f := range NumFields {
		if f.Type() == Time {
			if p := r.timeAt(f); !p.IsZero() {
				*p = p.UTC().Truncate(100 * time.Nanosecond)
			}
		}
	}
	if r.Start.IsZero() {
		for _, t := range [...]time.Time{r.Invite, r.Failure, r.End} {
			if !t.IsZero() {
				r.Start = t
				break
			}
		}
	}
	for f := range NumFields {
		known := r.Known(f)
		switch f.Type() {
		case Time, Number, Bool:
			// Every call has a start, so that a missing one says nothing.
			known = known || complete && f != FieldStart
		}
		if r.By[f] = 0; known {
			r.By[f] = w
		}
	}
	r.Seen |= w.Kind().Set()
}

// Normalize writes the numbers of r as plan does. What it changes is kept as it
// came, unless that is known already.
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
	if r.Tenant != w.Tenant || r.By != w.By || r.Seen != w.Seen || !r.ClaimedStart.Equal(w.ClaimedStart) {
		return false
	}
	for f := range NumFields {
		if !r.same(w, f) {
			return false
		}
	}
	return true
}
