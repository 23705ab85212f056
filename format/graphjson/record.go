package graphjson

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/trunklog/trunklog/call"
)

// A property is a field of a row, one of the following, or a mark of another kind of record.
type property uint8

const (
	propertyValue     property = property(call.NumFields) + iota // of an answer: its rows
	propertyBody                                                 // of a saved request: the answer
	propertyResponses                                            // of an answer to $batch: the answers in it
	propertyError                                                // of an answer that is an error
	propertyStatus                                               // of a saved request: the HTTP status
	propertyContext                                              // of an answer: the kind of its rows
	propertyNext                                                 // of an answer: the link to the next one
	propertyUnknown
	numProperties
)

// properties are those besides the fields, by their names in lower case.
var properties = map[string]property{
	"value":           propertyValue,
	"body":            propertyBody, // Power Automate, Logic Apps, $batch
	"outputs":         propertyBody, // Logic Apps: with a body in it
	"content":         propertyBody, // PowerShell: Invoke-WebRequest
	"$content":        propertyBody, // Logic Apps: in base64
	"responses":       propertyResponses,
	"error":           propertyError,
	"status":          propertyStatus,
	"statuscode":      propertyStatus,
	"@odata.context":  propertyContext,
	"@odata.nextlink": propertyNext,
}

// wraps reports whether records may be within the value of the property.
func (p property) wraps() bool { return propertyValue <= p && p <= propertyResponses }

// A value is the place of a property's value in the record, and its kind.
type value struct {
	from, to int32
	kind     kind
}

// A record collects the values of one row and makes an event of them.
type record struct {
	values [numProperties]value
	isRow  bool             // it has a property of rows besides the id
	inner  property         // the one in front of whose value reading has stopped
	marks  [numFamilies]int // the evidence for each other kind of record

	// names remembers the nth property of the earlier rows, because rows have them in the same
	// order.
	names []named
	// text holds the texts of the row, which become parts of one string.
	text []byte
	at   [call.NumFields][2]int // where they lie in text
	// cut counts the properties that ConvertTo-Json has cut to text.
	cut int
}

type named struct {
	name     string // as it stands in the input, with its quotes
	property property
}

func (r *record) reset() {
	r.values = [numProperties]value{}
	r.isRow, r.inner, r.marks, r.cut = false, propertyUnknown, [numFamilies]int{}, 0
}

// property returns the property with the given name in quotes, the nth of its
// object.
func (r *record) property(n int, name []byte) property {
	const most = 64
	if n < len(r.names) && r.names[n].name == string(name) {
		return r.names[n].property
	}
	if len(name) > 64 {
		return propertyUnknown
	}
	unquoted, _ := jsontext.AppendUnquote(nil, name)
	p := propertyNamed(string(unquoted))
	switch {
	case n < len(r.names):
		r.names[n] = named{string(name), p}
	case n == len(r.names) && n < most:
		r.names = append(r.names, named{string(name), p})
	}
	return p
}

func propertyNamed(name string) property {
	if f, ok := call.FieldNamed(name); ok {
		return property(f)
	}
	name = strings.ToLower(name)
	if p, ok := properties[name]; ok {
		return p
	}
	if i, ok := marked[name]; ok {
		return numProperties + property(i)
	}
	return propertyUnknown
}

// note notes the value of a property. The last of several stands, as in other readers of JSON.
func (r *record) note(p property, v value) {
	switch {
	case p < numProperties:
		r.values[p] = v
		r.isRow = r.isRow || p < property(call.NumFields) && p != property(call.FieldID)
	case v.kind != 'n':
		m := marks[p-numProperties]
		r.marks[m.family] += m.weight
	}
}

// event makes an event of the values, which lie in b.
func (r *record) event(b []byte, page family) (e call.Event, err error) {
	if err := r.otherwise(b, page); err != nil {
		return e, err
	}
	r.text = r.text[:0]
	row := &e.Row
	for f := range call.NumFields {
		v := r.values[f]
		if v.kind == '{' || v.kind == '"' {
			v = r.scalar(f, v, b)
		}
		if v.kind == 0 || v.kind == 'n' {
			continue
		}
		switch f.Type() {
		case call.ID, call.Text:
			err = r.copyText(f, v, b)
		case call.Time:
			err = setTime(row, f, v, b)
		case call.Number:
			err = setNumber(row, f, v, b)
		case call.Bool:
			err = setBool(row, f, v, b)
		case call.List:
			err = setUnits(row, v, b)
		}
		if err != nil {
			return e, err
		}
	}
	r.setTexts(&e)
	r.settle(row)
	if row.Start.IsZero() {
		return e, r.noTime()
	}
	if e.Call == "" {
		e.Call = naturalKey(row)
	}
	e.Kind = call.RecordEvent
	return e, nil
}

func (r *record) noTime() error {
	if r.cut > 0 {
		return fmt.Errorf("%w: the record has no time: %s", call.ErrInvalid, wasCut)
	}
	return fmt.Errorf("%w: the record has no startDateTime, inviteDateTime, failureDateTime or endDateTime", call.ErrInvalid)
}

// scalar returns the value v of a field, out of the object that PowerShell has put around it; none
// if ConvertTo-Json has cut it.
func (r *record) scalar(f call.Field, v value, b []byte) value {
	if v.kind == '{' && f.Type() != call.List {
		v = unwrapped(v, b)
		r.values[f] = v
	}
	if v.kind == '"' && isCut(b[v.from+1:v.to-1]) {
		v = value{}
		r.values[f] = v
		r.cut++
	}
	return v
}

// settle notes Graph as the witness of the record's properties. A record with some of them, as
// $select and Select-Object make it, says nothing of the others; one with all of them is complete.
func (r *record) settle(row *call.Row) {
	w := call.Graph.Witness()
	row.Settle(w, false)
	for _, f := range [...]call.Field{
		call.FieldInvite, call.FieldFailure, call.FieldEnd, call.FieldDuration, call.FieldSuccessful,
		call.FieldFinalSIPCode, call.FieldCallEndSubReason, call.FieldMediaBypass,
	} {
		if r.values[f].kind != 0 { // a zero, or null, says that there is none
			row.By[f] = w
		}
	}
}

// copyText appends a text to r.text.
func (r *record) copyText(f call.Field, v value, b []byte) error {
	if v.kind != '"' {
		return wrongKind(f, v.kind)
	}
	from := len(r.text)
	r.text = appendText(r.text, b[v.from:v.to])
	if n := len(r.text) - from; n > call.MaxText {
		return fmt.Errorf("%w: %s has %d bytes, more than %d", call.ErrInvalid, f, n, call.MaxText)
	}
	if !utf8.Valid(b[v.from:v.to]) {
		return fmt.Errorf("%w: %s is not UTF-8", call.ErrInvalid, f)
	}
	r.at[f] = [2]int{from, len(r.text)}
	return nil
}

// setTexts gives the row its texts and ids, all parts of one string.
func (r *record) setTexts(e *call.Event) {
	text := string(r.text)
	for f := range call.NumFields {
		if r.values[f].kind != '"' {
			continue
		}
		s := text[r.at[f][0]:r.at[f][1]]
		switch {
		case f == call.FieldID:
			// The caller, who knows the source, makes a row id of an id that is no GUID.
			if id, err := call.ParseGUID(s); err == nil {
				e.Row.ID = id
			}
			e.Call = s
		case f.Type() == call.Text:
			e.Row.SetText(f, s)
		case f.Type() == call.ID:
			e.Row.SetGUID(f, textGUID(s))
		}
	}
	if e.Row.ID.IsZero() && strings.Trim(e.Call, "{}-0") == "" {
		e.Call = "" // .NET's empty GUID is no id
	}
}

// textGUID returns the GUID in s, or one made of s by hashing.
func textGUID(s string) call.GUID {
	if s == "" {
		return call.GUID{}
	}
	id, err := call.ParseGUID(s)
	if err != nil {
		return call.NameGUID("text", s)
	}
	return id
}

// naturalKey names a row without an id by the values that tell calls apart. It is a hash, because
// logs may hold the name of a call but no numbers.
func naturalKey(r *call.Row) string {
	tick := func(t time.Time) string { return strconv.FormatUint(call.Ticks(t), 10) }
	return call.NameGUID("graph row", r.CorrelationID.String(), tick(r.Invite), tick(r.Start),
		r.Caller, r.Callee, r.CallType, r.Trunk).String()
}

// appendText appends the decoded text in b, which has its quotes. Invalid UTF-8 and half a pair of
// surrogates become U+FFFD.
func appendText(dst, b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return append(dst, b[1:len(b)-1]...)
	}
	dst, _ = jsontext.AppendUnquote(dst, b)
	return dst
}
