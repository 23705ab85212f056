package call

import (
	"slices"
	"strings"
	"time"
)

// A Field is one field of a [Row]. The numbers are part of the format on disk: add new ones at the
// end.
type Field uint8

// The fields, in the order in which Graph writes them. Those from
// FieldSharedID on are ours and never on the wire.
const (
	FieldID Field = iota
	FieldCorrelationID
	FieldUserID
	FieldUserPrincipalName
	FieldUserDisplayName
	FieldStart
	FieldInvite
	FieldFailure
	FieldEnd
	FieldDuration
	FieldCallType
	FieldSuccessful
	FieldCaller
	FieldCallee
	FieldMediaLocation
	FieldSignalLocation
	FieldFinalSIPCode
	FieldCallEndSubReason
	FieldFinalSIPPhrase
	FieldTrunk
	FieldMediaBypass
	FieldUserCountry
	FieldOtherCountry
	FieldTransferorID
	FieldAdministrativeUnits
	FieldSharedID
	FieldCallerRaw
	FieldCalleeRaw
	NumFields
)

// A Type is the type of a field.
type Type uint8

// The types of fields. A List is a list of GUIDs.
const (
	ID Type = iota
	Text
	Time
	Number
	Bool
	List
)

// fields gives each field its name in Graph, and ours a name in the same manner.
var fields = [NumFields]struct {
	name string
	typ  Type
}{
	FieldID:                  {"id", ID},
	FieldCorrelationID:       {"correlationId", ID},
	FieldUserID:              {"userId", ID},
	FieldUserPrincipalName:   {"userPrincipalName", Text},
	FieldUserDisplayName:     {"userDisplayName", Text},
	FieldStart:               {"startDateTime", Time},
	FieldInvite:              {"inviteDateTime", Time},
	FieldFailure:             {"failureDateTime", Time},
	FieldEnd:                 {"endDateTime", Time},
	FieldDuration:            {"duration", Number},
	FieldCallType:            {"callType", Text},
	FieldSuccessful:          {"successfulCall", Bool},
	FieldCaller:              {"callerNumber", Text},
	FieldCallee:              {"calleeNumber", Text},
	FieldMediaLocation:       {"mediaPathLocation", Text},
	FieldSignalLocation:      {"signalingLocation", Text},
	FieldFinalSIPCode:        {"finalSipCode", Number},
	FieldCallEndSubReason:    {"callEndSubReason", Number},
	FieldFinalSIPPhrase:      {"finalSipCodePhrase", Text},
	FieldTrunk:               {"trunkFullyQualifiedDomainName", Text},
	FieldMediaBypass:         {"mediaBypassEnabled", Bool},
	FieldUserCountry:         {"userCountryCode", Text},
	FieldOtherCountry:        {"otherPartyCountryCode", Text},
	FieldTransferorID:        {"transferorCorrelationId", ID},
	FieldAdministrativeUnits: {"administrativeUnitInfos", List},
	FieldSharedID:            {"sharedCorrelationId", ID},
	FieldCallerRaw:           {"callerNumberRaw", Text},
	FieldCalleeRaw:           {"calleeNumberRaw", Text},
}

// String returns the field's name in Graph, such as "startDateTime".
func (f Field) String() string { return fields[f].name }

// OnWire reports whether Graph has the field, at least in beta.
func (f Field) OnWire() bool { return f < FieldSharedID }

// Type returns the field's type.
func (f Field) Type() Type { return fields[f].typ }

// FieldNamed returns the field with the given name, in any case.
func FieldNamed(name string) (Field, bool) {
	for f := range NumFields {
		if strings.EqualFold(fields[f].name, name) {
			return f, true
		}
	}
	return 0, false
}

// The accessors by type. Each panics if the field is of another type, which is a bug of the caller.

// GUID returns the value of an [ID] field.
func (r *Row) GUID(f Field) GUID { return *r.idAt(f) }

// Text returns the value of a [Text] field.
func (r *Row) Text(f Field) string { return *r.textAt(f) }

// Time returns the value of a [Time] field.
func (r *Row) Time(f Field) time.Time { return *r.timeAt(f) }

// Number returns the value of a [Number] field.
func (r *Row) Number(f Field) int32 { return *r.numberAt(f) }

// Bool returns the value of a [Bool] field.
func (r *Row) Bool(f Field) bool { return *r.boolAt(f) }

// SetGUID sets the value of an [ID] field.
func (r *Row) SetGUID(f Field, v GUID) { *r.idAt(f) = v }

// SetText sets the value of a [Text] field.
func (r *Row) SetText(f Field, v string) { *r.textAt(f) = v }

// SetTime sets the value of a [Time] field.
func (r *Row) SetTime(f Field, v time.Time) { *r.timeAt(f) = v }

// SetNumber sets the value of a [Number] field.
func (r *Row) SetNumber(f Field, v int32) { *r.numberAt(f) = v }

// SetBool sets the value of a [Bool] field.
func (r *Row) SetBool(f Field, v bool) { *r.boolAt(f) = v }

// Known reports whether the field's value is other than zero.
func (r *Row) Known(f Field) bool {
	switch f.Type() {
	case ID:
		return !r.idAt(f).IsZero()
	case Text:
		return *r.textAt(f) != ""
	case Time:
		return !r.timeAt(f).IsZero()
	case Number:
		return *r.numberAt(f) != 0
	case Bool:
		return *r.boolAt(f)
	}
	return len(r.AdministrativeUnits) > 0
}

// same reports whether r and w have the same value in f.
func (r *Row) same(w *Row, f Field) bool {
	switch f.Type() {
	case ID:
		return *r.idAt(f) == *w.idAt(f)
	case Text:
		return *r.textAt(f) == *w.textAt(f)
	case Time:
		return r.timeAt(f).Equal(*w.timeAt(f))
	case Number:
		return *r.numberAt(f) == *w.numberAt(f)
	case Bool:
		return *r.boolAt(f) == *w.boolAt(f)
	}
	return slices.Equal(r.AdministrativeUnits, w.AdministrativeUnits)
}

// take gives r the value that w has in f.
func (r *Row) take(w *Row, f Field) {
	switch f.Type() {
	case ID:
		*r.idAt(f) = *w.idAt(f)
	case Text:
		*r.textAt(f) = *w.textAt(f)
	case Time:
		*r.timeAt(f) = *w.timeAt(f)
	case Number:
		*r.numberAt(f) = *w.numberAt(f)
	case Bool:
		*r.boolAt(f) = *w.boolAt(f)
	case List:
		r.AdministrativeUnits = w.AdministrativeUnits
	}
}

// clear sets r's value of f to zero.
func (r *Row) clear(f Field) {
	switch f.Type() {
	case ID:
		*r.idAt(f) = GUID{}
	case Text:
		*r.textAt(f) = ""
	case Time:
		*r.timeAt(f) = time.Time{}
	case Number:
		*r.numberAt(f) = 0
	case Bool:
		*r.boolAt(f) = false
	case List:
		r.AdministrativeUnits = nil
	}
}

func (r *Row) idAt(f Field) *GUID {
	switch f {
	case FieldID:
		return &r.ID
	case FieldCorrelationID:
		return &r.CorrelationID
	case FieldUserID:
		return &r.UserID
	case FieldTransferorID:
		return &r.TransferorID
	case FieldSharedID:
		return &r.SharedID
	}
	panic("call: " + f.String() + " is not an ID")
}

func (r *Row) textAt(f Field) *string {
	switch f {
	case FieldUserPrincipalName:
		return &r.UserPrincipalName
	case FieldUserDisplayName:
		return &r.UserDisplayName
	case FieldCallType:
		return &r.CallType
	case FieldCaller:
		return &r.Caller
	case FieldCallee:
		return &r.Callee
	case FieldMediaLocation:
		return &r.MediaLocation
	case FieldSignalLocation:
		return &r.SignalLocation
	case FieldFinalSIPPhrase:
		return &r.FinalSIPPhrase
	case FieldTrunk:
		return &r.Trunk
	case FieldUserCountry:
		return &r.UserCountry
	case FieldOtherCountry:
		return &r.OtherCountry
	case FieldCallerRaw:
		return &r.CallerRaw
	case FieldCalleeRaw:
		return &r.CalleeRaw
	}
	panic("call: " + f.String() + " is not a Text")
}

func (r *Row) timeAt(f Field) *time.Time {
	switch f {
	case FieldStart:
		return &r.Start
	case FieldInvite:
		return &r.Invite
	case FieldFailure:
		return &r.Failure
	case FieldEnd:
		return &r.End
	}
	panic("call: " + f.String() + " is not a Time")
}

func (r *Row) numberAt(f Field) *int32 {
	switch f {
	case FieldDuration:
		return &r.Duration
	case FieldFinalSIPCode:
		return &r.FinalSIPCode
	case FieldCallEndSubReason:
		return &r.CallEndSubReason
	}
	panic("call: " + f.String() + " is not a Number")
}

func (r *Row) boolAt(f Field) *bool {
	switch f {
	case FieldSuccessful:
		return &r.Successful
	case FieldMediaBypass:
		return &r.MediaBypass
	}
	panic("call: " + f.String() + " is not a Bool")
}
