package graph

import (
	"strconv"

	"github.com/trunklog/trunklog/call"
)

// Fields is a set of the fields of a row. The zero set stands for all.
type Fields uint32

// The fields that each version of Graph has. What a row keeps besides them,
// such as call.FieldSharedID, is never on the wire.
const (
	fieldsV1   Fields = 1<<call.FieldUserCountry - 1
	fieldsBeta Fields = 1<<call.FieldSharedID - 1
)

// FieldSet returns the set of the given fields.
func FieldSet(fields ...call.Field) Fields {
	var s Fields
	for _, f := range fields {
		s |= 1 << f
	}
	return s
}

func (s Fields) has(f call.Field) bool { return s>>f&1 != 0 }

// RowOptions say in which form [AppendRow] writes a row. The zero value is the
// form of Graph v1.0.
type RowOptions struct {
	Beta   bool   // with the properties that only Graph's beta has
	Select Fields // these properties alone; zero is all
	Types  bool   // with the type annotations of odata.metadata=full
}

func (o RowOptions) fields() Fields {
	all := fieldsV1
	if o.Beta {
		all = fieldsBeta
	}
	if o.Select == 0 {
		return all
	}
	return all & o.Select
}

// AppendRow appends r to b as one JSON object, without white space, its
// properties in the order of Microsoft's reference page. It does not allocate
// if b has room.
//
// An unknown text or id is null, an unknown time 0001-01-01T00:00:00Z, numbers
// and booleans are always plain. callType goes out by Graph's name whatever
// its source called it.
//
// Source: learn.microsoft.com, "callRecord: getDirectRoutingCalls" and
// "directRoutingLogRow resource type", both of v1.0 and of beta.
func AppendRow(b []byte, r *call.Row, o RowOptions) []byte {
	w := rowWriter{b: b, want: o.fields(), types: o.Types}
	// Every property begins with a comma; the first one becomes the brace.
	brace := len(b)
	if w.types {
		w.b = append(w.b, `,"@odata.type":"#microsoft.graph.callRecords.directRoutingLogRow"`...)
	}
	w.who(r)
	w.when(r)
	w.what(r)
	if w.want&^fieldsV1 != 0 {
		w.beta(r)
	}
	if len(w.b) == brace {
		return append(w.b, "{}"...)
	}
	w.b[brace] = '{'
	return append(w.b, '}')
}

// A rowWriter appends the properties that are wanted. The methods are one
// straight run of appends on purpose: a loop over a table of fields takes
// nearly twice as long.
type rowWriter struct {
	b     []byte
	want  Fields
	types bool
}

// who appends the properties from id to userDisplayName.
func (w *rowWriter) who(r *call.Row) {
	b, want := w.b, w.want
	if want.has(call.FieldID) {
		b = appendID(append(b, `,"id":`...), &r.ID)
	}
	if want.has(call.FieldCorrelationID) {
		b = appendID(append(b, `,"correlationId":`...), &r.CorrelationID)
	}
	if want.has(call.FieldUserID) {
		b = appendID(append(b, `,"userId":`...), &r.UserID)
	}
	if want.has(call.FieldUserPrincipalName) {
		b = appendTextOrNull(append(b, `,"userPrincipalName":`...), r.UserPrincipalName)
	}
	if want.has(call.FieldUserDisplayName) {
		b = appendTextOrNull(append(b, `,"userDisplayName":`...), r.UserDisplayName)
	}
	w.b = b
}

// when appends the four times and the duration.
func (w *rowWriter) when(r *call.Row) {
	b, want := w.b, w.want
	if want.has(call.FieldStart) {
		if w.types {
			b = append(b, `,"startDateTime@odata.type":"#DateTimeOffset"`...)
		}
		b = appendTime(append(b, `,"startDateTime":`...), r.Start)
	}
	if want.has(call.FieldInvite) {
		if w.types {
			b = append(b, `,"inviteDateTime@odata.type":"#DateTimeOffset"`...)
		}
		b = appendTime(append(b, `,"inviteDateTime":`...), r.Invite)
	}
	if want.has(call.FieldFailure) {
		if w.types {
			b = append(b, `,"failureDateTime@odata.type":"#DateTimeOffset"`...)
		}
		b = appendTime(append(b, `,"failureDateTime":`...), r.Failure)
	}
	if want.has(call.FieldEnd) {
		if w.types {
			b = append(b, `,"endDateTime@odata.type":"#DateTimeOffset"`...)
		}
		b = appendTime(append(b, `,"endDateTime":`...), r.End)
	}
	if want.has(call.FieldDuration) {
		b = strconv.AppendInt(append(b, `,"duration":`...), int64(r.Duration), 10)
	}
	w.b = b
}

// what appends the properties from callType to mediaBypassEnabled.
func (w *rowWriter) what(r *call.Row) {
	b, want := w.b, w.want
	if want.has(call.FieldCallType) {
		b = appendCallType(append(b, `,"callType":`...), r.CallType)
	}
	if want.has(call.FieldSuccessful) {
		b = appendBool(append(b, `,"successfulCall":`...), r.Successful)
	}
	if want.has(call.FieldCaller) {
		b = appendTextOrNull(append(b, `,"callerNumber":`...), r.Caller)
	}
	if want.has(call.FieldCallee) {
		b = appendTextOrNull(append(b, `,"calleeNumber":`...), r.Callee)
	}
	if want.has(call.FieldMediaLocation) {
		b = appendTextOrNull(append(b, `,"mediaPathLocation":`...), r.MediaLocation)
	}
	if want.has(call.FieldSignalLocation) {
		b = appendTextOrNull(append(b, `,"signalingLocation":`...), r.SignalLocation)
	}
	if want.has(call.FieldFinalSIPCode) {
		b = strconv.AppendInt(append(b, `,"finalSipCode":`...), int64(r.FinalSIPCode), 10)
	}
	if want.has(call.FieldCallEndSubReason) {
		b = strconv.AppendInt(append(b, `,"callEndSubReason":`...), int64(r.CallEndSubReason), 10)
	}
	if want.has(call.FieldFinalSIPPhrase) {
		b = appendTextOrNull(append(b, `,"finalSipCodePhrase":`...), r.FinalSIPPhrase)
	}
	if want.has(call.FieldTrunk) {
		b = appendTextOrNull(append(b, `,"trunkFullyQualifiedDomainName":`...), r.Trunk)
	}
	if want.has(call.FieldMediaBypass) {
		b = appendBool(append(b, `,"mediaBypassEnabled":`...), r.MediaBypass)
	}
	w.b = b
}

// beta appends the properties that only Graph's beta has.
func (w *rowWriter) beta(r *call.Row) {
	b, want := w.b, w.want
	if want.has(call.FieldUserCountry) {
		b = appendTextOrNull(append(b, `,"userCountryCode":`...), r.UserCountry)
	}
	if want.has(call.FieldOtherCountry) {
		b = appendTextOrNull(append(b, `,"otherPartyCountryCode":`...), r.OtherCountry)
	}
	if want.has(call.FieldTransferorID) {
		b = appendID(append(b, `,"transferorCorrelationId":`...), &r.TransferorID)
	}
	if want.has(call.FieldAdministrativeUnits) {
		if w.types {
			b = append(b, `,"administrativeUnitInfos@odata.type":"#Collection(microsoft.graph.administrativeUnitInfo)"`...)
		}
		b = append(b, `,"administrativeUnitInfos":[`...)
		for i := range r.AdministrativeUnits {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendID(append(b, `{"id":`...), &r.AdministrativeUnits[i])
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	w.b = b
}
