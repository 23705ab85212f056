package graphjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// A family is the function or resource of Graph that a record is of.
type family uint8

const (
	unsaid family = iota
	direct        // such a row
	pstn
	callRecord
	session
	sms // these have no times of a call
	user
	notification
	elsewhere // by its context, of an unknown type
	numFamilies
)

// families describe a record that is not of getDirectRoutingCalls.
var families = [numFamilies]string{
	pstn:         "a call of getPstnCalls (Calling Plans, Operator Connect)",
	callRecord:   "a callRecord (calls and meetings within Teams, too)",
	session:      "a session of a callRecord",
	sms:          "a text message of getSmsLogs",
	user:         "a user",
	notification: "a change notification",
	elsewhere:    "of another function or resource of Graph, as its @odata.context says",
}

// contexts map the part of an @odata.context behind its #, in lower case, to a family. The names
// are those of Graph's metadata.
var contexts = []struct {
	pattern *regexp.Regexp
	family  family
}{
	{regexp.MustCompile(`directroutinglogrow`), direct},
	{regexp.MustCompile(`pstncalllogrow`), pstn},
	{regexp.MustCompile(`smslogrow`), sms},
	{regexp.MustCompile(`/sessions|callrecords\.session`), session},
	{regexp.MustCompile(`^communications/callrecords|callrecords\.callrecord`), callRecord},
	{regexp.MustCompile(`^users`), user},
	{regexp.MustCompile(`microsoft\.graph\.`), elsewhere},
}

// contextFamily returns the family of rows with the given @odata.context around them.
func contextFamily(context []byte) family {
	_, what, _ := bytes.Cut(bytes.ToLower(context), []byte("#"))
	for _, c := range contexts {
		if c.pattern.Match(what) {
			return c.family
		}
	}
	return unsaid
}

// A mark is a property that speaks for a family. Scripts add properties of their own, so one mark
// proves nothing unless only that family has it: such a mark weighs enough alone.
type mark struct {
	name   string
	family family
	weight int
}

// enough is the weight that decides for a family, and enoughOfRows the weight where rows are
// expected.
const enough, enoughOfRows = 2, 6

// marks are from Graph's metadata: pstnCallLogRow, smsLogRow, callRecord,
// session, user, changeNotification.
var marks = []mark{
	{"callId", pstn, 1},
	{"charge", pstn, 1},
	{"currency", pstn, 1},
	{"conferenceId", pstn, 1},
	{"destinationName", pstn, 1},
	{"operator", pstn, 1},
	{"usageCountryCode", pstn, 2},
	{"tenantCountryCode", pstn, 1},
	{"connectionCharge", pstn, 2},
	{"destinationContext", pstn, 1},
	{"licenseCapability", pstn, 1},
	{"inventoryType", pstn, 2},
	{"callDurationSource", pstn, 2},
	{"smsId", sms, 9},
	{"smsType", sms, 9},
	{"smsUnits", sms, 9},
	{"sentDateTime", sms, 2},
	{"sessions", callRecord, 2},
	{"participants", callRecord, 1},
	{"participants_v2", callRecord, 2},
	{"organizer", callRecord, 2},
	{"organizer_v2", callRecord, 2},
	{"modalities", callRecord, 2},
	{"joinWebUrl", callRecord, 1},
	{"lastModifiedDateTime", callRecord, 1},
	{"segments", session, 9},
	{"failureInfo", session, 1},
	{"isTest", session, 1},
	{"displayName", user, 1},
	{"givenName", user, 1},
	{"surname", user, 1},
	{"mail", user, 1},
	{"jobTitle", user, 1},
	{"businessPhones", user, 2},
	{"mobilePhone", user, 1},
	{"officeLocation", user, 1},
	{"preferredLanguage", user, 1},
	{"subscriptionId", notification, 1},
	{"changeType", notification, 1},
	{"resourceData", notification, 2},
	{"clientState", notification, 1},
}

// marked finds marks by their names in lower case.
var marked = func() map[string]int {
	m := make(map[string]int, len(marks))
	for i, k := range marks {
		m[strings.ToLower(k.name)] = i
	}
	return m
}()

// ours are fields that only rows of getDirectRoutingCalls have.
var ours = []call.Field{
	call.FieldCorrelationID, call.FieldInvite, call.FieldFailure, call.FieldSuccessful, call.FieldTrunk, call.FieldMediaBypass,
	call.FieldFinalSIPCode, call.FieldCallEndSubReason, call.FieldFinalSIPPhrase, call.FieldMediaLocation, call.FieldSignalLocation,
}

// otherwise returns an error if the record is no row: an error of Graph, an answer without rows, or
// a record of another family. Page is the family that the page names.
func (r *record) otherwise(b []byte, page family) error {
	if v := r.values[propertyError]; v.kind == '{' && !r.has(ours...) {
		return fmt.Errorf("%w: an error that Graph answered%s, not a record", call.ErrInvalid, errorCode(b[v.from:v.to]))
	}
	if !r.isRow {
		for p := propertyValue; p.wraps(); p++ {
			if v := r.values[p]; v.kind == '"' && isCut(b[v.from+1:v.to-1]) {
				return fmt.Errorf("%w: an answer without its rows: %s", call.ErrInvalid, wasCut)
			}
		}
		if code := r.status(b); code > 0 {
			return fmt.Errorf("%w: an answer with status %d, in which there are no calls", call.ErrInvalid, code)
		}
	}
	if v := r.values[propertyContext]; v.kind == '"' {
		page = contextFamily(appendText(nil, b[v.from:v.to]))
	}
	if f := r.family(b, page); f > direct {
		return &otherError{f}
	}
	return nil
}

// An otherError says that a record is of another family.
type otherError struct{ family family }

func (e *otherError) Error() string {
	return fmt.Sprintf("%v: the record is %s: fetch getDirectRoutingCalls instead", call.ErrInvalid, families[e.family])
}

func (e *otherError) Unwrap() error { return call.ErrInvalid }

// family returns the family of a record on a page of the given family. A field that only rows have
// is proof of a row, whatever else the record has; a property that is null is no proof.
func (r *record) family(b []byte, page family) family {
	if r.has(ours...) {
		return direct
	}
	best, weight := page, enough
	if page == direct {
		weight = enoughOfRows
	}
	if v := r.values[call.FieldCallType]; v.kind == '"' && pstnTypes.Match(b[v.from+1:v.to-1]) {
		r.marks[pstn] += enough
	}
	for f := range r.marks {
		if r.marks[f] >= weight {
			best, weight = family(f), r.marks[f]+1
		}
	}
	if sms <= best && best <= notification && r.has(call.FieldStart, call.FieldEnd) {
		return unsaid
	}
	return best
}

// pstnTypes are call types of getPstnCalls. Microsoft's documents have user_out_transfer for both
// functions.
var pstnTypes = regexp.MustCompile(`^(?i:user_in|user_out|user_out_conf|user_out_forwarding|conf_in|conf_out|(oc_)?ucap_in|(oc_)?ucap_out)$`)

// has reports whether one of the fields is present and not null.
func (r *record) has(fields ...call.Field) bool {
	for _, f := range fields {
		if k := r.values[f].kind; k != 0 && k != 'n' {
			return true
		}
	}
	return false
}

// badStatus is the lowest HTTP status that reports an error.
const badStatus = 400

// status returns the HTTP status that stands beside a body, or 0.
func (r *record) status(b []byte) int32 {
	v := r.values[propertyStatus]
	if v.kind != '0' && v.kind != '"' {
		return 0
	}
	n, _ := whole(scalar(v, b))
	return n
}

// errorCode returns the code in an error of Graph, which holds no personal data, with a space and
// parentheses.
func errorCode(b []byte) string {
	var e struct{ Code string }
	if json.Unmarshal(b, &e) != nil || !plainCode.MatchString(e.Code) {
		return ""
	}
	return " (" + e.Code + ")"
}

var plainCode = regexp.MustCompile(`^[A-Za-z_.]{1,64}$`)

// wasCut tells the user how to avoid the cutting by ConvertTo-Json.
const wasCut = "ConvertTo-Json has cut it at its depth: save it with ConvertTo-Json -Depth 10"

// isCut reports whether a text is what PowerShell's ConvertTo-Json writes for an object or list
// that is deeper than its -Depth: @{a=b; c=d}, or the name of a .NET type.
func isCut(b []byte) bool {
	if len(b) < len("@{}") || b[0] != '@' && b[0] != 'S' && b[0] != 'M' {
		return false
	}
	return b[0] == '@' && b[1] == '{' && b[len(b)-1] == '}' || bytes.ContainsAny(b, ".") && typeNames.Match(b)
}

var typeNames = regexp.MustCompile("^(System\\.(Object\\[\\]|Collections\\.|Management\\.Automation\\.)|Microsoft\\.Graph\\.PowerShell\\.)[\\w.`+,= \\[\\]]*$")
