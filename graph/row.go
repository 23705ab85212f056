package graph

import (
	"slices"

	"github.com/trunklog/trunklog/call"
)

// Fields is a set of the fields of a row. The zero set stands for all.
type Fields uint32

// The fields that each version of Graph has. A row's other fields, such as call.FieldSharedID, are
// never on the wire.
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

// RowOptions choose the form in which [AppendRow] writes a row. The zero value is the form of Graph
// v1.0.
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

// AppendRow appends r to b as one JSON object, without white space, its properties in the order of
// Microsoft's reference page. It does not allocate if b has room for 2 KB, six times the bytes of
// the row's texts, and 46 bytes for each administrative unit.
//
// An unknown text or id is null, an unknown time is 0001-01-01T00:00:00Z, and numbers and booleans
// are never null. callType has Graph's name, whatever its source called it.
//
// Source: learn.microsoft.com, "callRecord: getDirectRoutingCalls" and
// "directRoutingLogRow resource type", both of v1.0 and of beta.
func AppendRow(b []byte, r *call.Row, o RowOptions) []byte {
	w := newRowWriter(o)
	return w.append(b, r)
}

// A rowWriter writes rows of one form. Its methods are straight-line code on purpose: a loop over a
// table of fields takes nearly twice as long. append makes room for the whole row first, because a
// check before each piece costs more than to write it.
type rowWriter struct {
	want  Fields
	types bool
	// marks are the places in b where each property of the last row begins, and as the last mark,
	// where the last property ends. A property that the client does not want has no bytes there.
	marks [marks]int

	day  uint64   // the day of the last time, 0001-01-01 is 1; 0 is none
	date [10]byte // its text
}

const (
	// rowRoom is more than a row without texts needs: all names with all annotations, four ids,
	// four times, three numbers, two booleans.
	rowRoom  = 2048
	unitRoom = len(`,{"id":"00000000-0000-0000-0000-000000000000"}`)
	// textRoom is the most bytes that one byte of a text becomes: \u001f or \ufffd.
	textRoom = 6
	marks    = int(call.FieldSharedID) + 1
)

// room returns the most bytes that r takes.
func room(r *call.Row) int {
	return rowRoom + unitRoom*len(r.AdministrativeUnits) + textRoom*(len(r.UserPrincipalName)+len(r.UserDisplayName)+
		len(r.CallType)+len(r.Caller)+len(r.Callee)+len(r.MediaLocation)+len(r.SignalLocation)+len(r.FinalSIPPhrase)+
		len(r.Trunk)+len(r.UserCountry)+len(r.OtherCountry))
}

func newRowWriter(o RowOptions) rowWriter { return rowWriter{want: o.fields(), types: o.Types} }

// append is [AppendRow].
func (w *rowWriter) append(b []byte, r *call.Row) []byte {
	begin := len(b)
	b = slices.Grow(b, room(r))
	b = b[:cap(b)]
	n := begin
	// Every property begins with a comma; the first one becomes the brace.
	if w.types {
		n = set(b, n, `,"@odata.type":"#microsoft.graph.callRecords.directRoutingLogRow"`)
	}
	n = w.who(b, n, r)
	n = w.when(b, n, r)
	n = w.what(b, n, r)
	n = w.beta(b, n, r)
	if n == begin {
		n++
	}
	b[begin] = '{'
	w.marks[marks-1] = n
	n = set(b, n, "}")
	return b[:n]
}

// who appends the properties from id to userDisplayName.
func (w *rowWriter) who(b []byte, n int, r *call.Row) int {
	want := w.want
	w.marks[call.FieldID] = n
	if want.has(call.FieldID) {
		n = set(b, n, `,"id":`)
		n = setID(b, n, &r.ID)
	}
	w.marks[call.FieldCorrelationID] = n
	if want.has(call.FieldCorrelationID) {
		n = set(b, n, `,"correlationId":`)
		n = setID(b, n, &r.CorrelationID)
	}
	w.marks[call.FieldUserID] = n
	if want.has(call.FieldUserID) {
		n = set(b, n, `,"userId":`)
		n = setID(b, n, &r.UserID)
	}
	w.marks[call.FieldUserPrincipalName] = n
	if want.has(call.FieldUserPrincipalName) {
		n = set(b, n, `,"userPrincipalName":`)
		n = setText(b, n, r.UserPrincipalName)
	}
	w.marks[call.FieldUserDisplayName] = n
	if want.has(call.FieldUserDisplayName) {
		n = set(b, n, `,"userDisplayName":`)
		n = setText(b, n, r.UserDisplayName)
	}
	return n
}

// when appends the four times and the duration.
func (w *rowWriter) when(b []byte, n int, r *call.Row) int {
	want := w.want
	w.marks[call.FieldStart] = n
	if want.has(call.FieldStart) {
		if w.types {
			n = set(b, n, `,"startDateTime@odata.type":"#DateTimeOffset"`)
		}
		n = set(b, n, `,"startDateTime":`)
		n = w.time(b, n, r.Start)
	}
	w.marks[call.FieldInvite] = n
	if want.has(call.FieldInvite) {
		if w.types {
			n = set(b, n, `,"inviteDateTime@odata.type":"#DateTimeOffset"`)
		}
		n = set(b, n, `,"inviteDateTime":`)
		n = w.time(b, n, r.Invite)
	}
	w.marks[call.FieldFailure] = n
	if want.has(call.FieldFailure) {
		if w.types {
			n = set(b, n, `,"failureDateTime@odata.type":"#DateTimeOffset"`)
		}
		n = set(b, n, `,"failureDateTime":`)
		n = w.time(b, n, r.Failure)
	}
	w.marks[call.FieldEnd] = n
	if want.has(call.FieldEnd) {
		if w.types {
			n = set(b, n, `,"endDateTime@odata.type":"#DateTimeOffset"`)
		}
		n = set(b, n, `,"endDateTime":`)
		n = w.time(b, n, r.End)
	}
	w.marks[call.FieldDuration] = n
	if want.has(call.FieldDuration) {
		n = set(b, n, `,"duration":`)
		n = setNumber(b, n, r.Duration)
	}
	return n
}

// what appends the properties from callType to mediaBypassEnabled.
func (w *rowWriter) what(b []byte, n int, r *call.Row) int {
	want := w.want
	w.marks[call.FieldCallType] = n
	if want.has(call.FieldCallType) {
		n = set(b, n, `,"callType":`)
		n = setText(b, n, graphType(r.CallType))
	}
	w.marks[call.FieldSuccessful] = n
	if want.has(call.FieldSuccessful) {
		n = set(b, n, `,"successfulCall":`)
		n = setBool(b, n, r.Successful)
	}
	w.marks[call.FieldCaller] = n
	if want.has(call.FieldCaller) {
		n = set(b, n, `,"callerNumber":`)
		n = setText(b, n, r.Caller)
	}
	w.marks[call.FieldCallee] = n
	if want.has(call.FieldCallee) {
		n = set(b, n, `,"calleeNumber":`)
		n = setText(b, n, r.Callee)
	}
	w.marks[call.FieldMediaLocation] = n
	if want.has(call.FieldMediaLocation) {
		n = set(b, n, `,"mediaPathLocation":`)
		n = setText(b, n, r.MediaLocation)
	}
	w.marks[call.FieldSignalLocation] = n
	if want.has(call.FieldSignalLocation) {
		n = set(b, n, `,"signalingLocation":`)
		n = setText(b, n, r.SignalLocation)
	}
	w.marks[call.FieldFinalSIPCode] = n
	if want.has(call.FieldFinalSIPCode) {
		n = set(b, n, `,"finalSipCode":`)
		n = setNumber(b, n, r.FinalSIPCode)
	}
	w.marks[call.FieldCallEndSubReason] = n
	if want.has(call.FieldCallEndSubReason) {
		n = set(b, n, `,"callEndSubReason":`)
		n = setNumber(b, n, r.CallEndSubReason)
	}
	w.marks[call.FieldFinalSIPPhrase] = n
	if want.has(call.FieldFinalSIPPhrase) {
		n = set(b, n, `,"finalSipCodePhrase":`)
		n = setText(b, n, r.FinalSIPPhrase)
	}
	w.marks[call.FieldTrunk] = n
	if want.has(call.FieldTrunk) {
		n = set(b, n, `,"trunkFullyQualifiedDomainName":`)
		n = setText(b, n, r.Trunk)
	}
	w.marks[call.FieldMediaBypass] = n
	if want.has(call.FieldMediaBypass) {
		n = set(b, n, `,"mediaBypassEnabled":`)
		n = setBool(b, n, r.MediaBypass)
	}
	return n
}

// beta appends the properties that only Graph's beta has.
func (w *rowWriter) beta(b []byte, n int, r *call.Row) int {
	want := w.want
	w.marks[call.FieldUserCountry] = n
	if want.has(call.FieldUserCountry) {
		n = set(b, n, `,"userCountryCode":`)
		n = setText(b, n, r.UserCountry)
	}
	w.marks[call.FieldOtherCountry] = n
	if want.has(call.FieldOtherCountry) {
		n = set(b, n, `,"otherPartyCountryCode":`)
		n = setText(b, n, r.OtherCountry)
	}
	w.marks[call.FieldTransferorID] = n
	if want.has(call.FieldTransferorID) {
		n = set(b, n, `,"transferorCorrelationId":`)
		n = setID(b, n, &r.TransferorID)
	}
	w.marks[call.FieldAdministrativeUnits] = n
	if want.has(call.FieldAdministrativeUnits) {
		if w.types {
			n = set(b, n, `,"administrativeUnitInfos@odata.type":"#Collection(microsoft.graph.administrativeUnitInfo)"`)
		}
		n = set(b, n, `,"administrativeUnitInfos":[`)
		for i := range r.AdministrativeUnits {
			if i > 0 {
				n = set(b, n, ",")
			}
			n = set(b, n, `{"id":`)
			n = setID(b, n, &r.AdministrativeUnits[i])
			n = set(b, n, "}")
		}
		n = set(b, n, "]")
	}
	return n
}
