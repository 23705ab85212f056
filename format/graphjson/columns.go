package graphjson

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/trunklog/trunklog/call"
)

// Bind returns the function that makes an event of a record of a table whose columns have the names
// of Graph's properties. PowerShell's Export-Csv, spreadsheets and trunklog itself write such
// tables, and so does Log Analytics, whose names end with a type (duration_d). The event is that of
// a JSON row with the same properties: an empty cell is null, and a missing column is a missing
// property.
//
// The error wraps [call.ErrInvalid] if the columns are others, or too few to tell calls apart.
func Bind(header []string) (func([]string) (call.Event, error), error) {
	b := binding{columns: make([]column, len(header))}
	var has [numProperties]bool
	known := 0
	for i, name := range header {
		c := columnNamed(name)
		if c.property < property(call.NumFields) {
			known++
			has[c.property] = true
		}
		b.columns[i] = c
	}
	one := func(fields ...call.Field) bool {
		return slices.ContainsFunc(fields, func(f call.Field) bool { return has[f] })
	}
	missing := ""
	switch {
	case !one(call.FieldStart, call.FieldInvite, call.FieldFailure, call.FieldEnd):
		missing = "none of startDateTime, inviteDateTime, failureDateTime and endDateTime"
	case !has[call.FieldID] && !(has[call.FieldCaller] && has[call.FieldCallee]):
		missing = "neither id nor callerNumber and calleeNumber, which tell one call from another"
	case !one(ours...) && !has[call.FieldCallType]:
		missing = "no property that only calls on a trunk have, such as callType or trunkFullyQualifiedDomainName"
	default:
		return b.event, nil
	}
	return nil, fmt.Errorf("%w: the columns are not those of getDirectRoutingCalls: %d of %d are known, and there is %s", call.ErrInvalid, known, len(header), missing)
}

// A binding is the columns of a table, and the current record.
type binding struct {
	columns []column
	row     record
	text    []byte // the record's values as JSON
}

// A column is what the name of a column says.
type column struct {
	name     string
	property property
	utc      bool // its times have Log Analytics' form
}

// columnNamed interprets the name of a column. Log Analytics puts the type behind the names of
// custom columns, and the zone behind those of times when it exports them (learn.microsoft.com,
// "HTTP Data Collector API", record type and properties).
func columnNamed(name string) column {
	name = strings.TrimSpace(name)
	plain, utc := strings.CutSuffix(name, " [UTC]")
	p := propertyNamed(plain)
	if n := len(plain) - len("_s"); p == propertyUnknown && n > 0 && plain[n] == '_' && strings.IndexByte("sdtgb", plain[n+1]) >= 0 {
		p = propertyNamed(plain[:n])
	}
	return column{name, p, utc}
}

// event makes an event of the fields of a record.
func (b *binding) event(fields []string) (call.Event, error) {
	b.row.reset()
	b.text = b.text[:0]
	for i, c := range b.columns {
		if c.property == propertyUnknown {
			continue
		}
		v, err := b.value(c, strings.TrimSpace(fields[i]))
		if err != nil {
			return call.Event{}, err
		}
		if err := b.twin(c, v); err != nil {
			return call.Event{}, err
		}
		b.row.note(c.property, v)
	}
	return b.row.event(b.text, unsaid)
}

// twin reports whether an earlier column of the same property has another value.
func (b *binding) twin(c column, v value) error {
	if c.property >= property(call.NumFields) {
		return nil
	}
	before := b.row.values[c.property]
	if before.kind == 0 || string(b.text[before.from:before.to]) == string(b.text[v.from:v.to]) {
		return nil
	}
	return fmt.Errorf("%w: two columns are both %s, and differ here: leave one of them out", call.ErrInvalid, call.Field(c.property))
}

// value appends a cell to the text as a JSON value.
func (b *binding) value(c column, s string) (v value, err error) {
	v.from, v.kind = int32(len(b.text)), '"'
	f := call.Field(c.property)
	switch {
	case s == "":
		v.kind = 'n'
		b.text = append(b.text, "null"...)
	case c.property >= property(call.NumFields):
		b.text, err = jsontext.AppendQuote(b.text, s)
	case f.Type() == call.List:
		v.kind = '['
		b.text = appendUnits(b.text, s)
	default:
		if s, err = cell(c, f, s); err == nil {
			b.text, err = jsontext.AppendQuote(b.text, s)
		}
	}
	v.to = int32(len(b.text))
	return v, err
}

// cell returns the contents of a cell, without what tables put around it.
func cell(c column, f call.Field, s string) (string, error) {
	switch {
	case f == call.FieldCaller || f == call.FieldCallee:
		tidy, err := call.TidyNumber(s)
		if err != nil {
			err = fmt.Errorf("%w: %s: %s", call.ErrInvalid, f, strings.TrimPrefix(err.Error(), call.ErrInvalid.Error()+": "))
		}
		return tidy, err
	case f.Type() == call.Time && c.utc:
		const portal = "1/2/2006, 3:04:05.999999999 PM"
		if t, err := time.Parse(portal, call.Visible(s)); err == nil {
			return t.Format(time.RFC3339Nano), nil
		}
	case f.Type() == call.Text && len(s) > 1 && s[0] == '\'' && strings.IndexByte("=+-@\t", s[1]) >= 0:
		return s[1:], nil // lest a spreadsheet take it for a formula
	}
	return s, nil
}

// appendUnits appends ids with white space or commas between them as Graph's list.
func appendUnits(b []byte, s string) []byte {
	if s[0] == '[' {
		return append(b, s...)
	}
	b = append(b, '[')
	for i, id := range strings.FieldsFunc(s, func(c rune) bool { return c == ' ' || c == ',' || c == ';' }) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":`...)
		b, _ = jsontext.AppendQuote(b, id)
		b = append(b, '}')
	}
	return append(b, ']')
}
