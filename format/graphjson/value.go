package graphjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/trunklog/trunklog/call"
)

// A kind is the kind of a value, named by the first byte of the value; 0 is
// none. All numbers are '0', both booleans 't'.
type kind byte

func (k kind) String() string {
	switch k {
	case '"':
		return "a text"
	case '0':
		return "a number"
	case 't':
		return "true or false"
	case 'n':
		return "null"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return "nothing"
}

func kindOf(v jsontext.Value) kind {
	if k := kind(v.Kind()); k != 'f' {
		return k
	}
	return 't'
}

func wrongKind(f call.Field, k kind) error {
	var want string
	switch f.Type() {
	case call.ID, call.Text:
		want = "a text"
	case call.Time:
		want = "a date-time"
	case call.Number:
		want = "a whole number"
	case call.Bool:
		want = "true or false"
	case call.List:
		want = "a list of objects with an id"
	}
	return fmt.Errorf("%w: %s is %s, not %s", call.ErrInvalid, f, k, want)
}

// scalar returns the digits, word or text of a value.
func scalar(v value, b []byte) []byte {
	b = b[v.from:v.to]
	switch {
	case v.kind != '"':
		return b
	case bytes.IndexByte(b, '\\') < 0:
		return b[1 : len(b)-1]
	}
	return appendText(nil, b)
}

// unwrapped returns the value out of an object in which PowerShell has put it with its own
// properties, such as {"value":"/Date(…)/","DisplayHint":2,…}; v itself if it is another object.
func unwrapped(v value, b []byte) value {
	d := jsontext.NewDecoder(bytes.NewReader(b[v.from:v.to]), duplicates, anyBytes)
	for _, err := d.ReadToken(); err == nil && d.PeekKind() == jsontext.KindString; {
		var name, inner jsontext.Value
		if name, err = d.ReadValue(); err != nil {
			break
		}
		is := bytes.EqualFold(name, []byte(`"value"`))
		if inner, err = d.ReadValue(); err == nil && is {
			to := v.from + int32(d.InputOffset())
			return value{to - int32(len(inner)), to, kindOf(inner)}
		}
	}
	return v
}

// quote returns the beginning of a value, for fields that are not personal.
func quote(b []byte) string {
	const most = 40
	if len(b) > most {
		return strconv.Quote(string(b[:most])) + "…"
	}
	return strconv.Quote(string(b))
}

func setTime(r *call.Row, f call.Field, v value, b []byte) error {
	if v.kind != '"' {
		return wrongKind(f, v.kind)
	}
	s := scalar(v, b)
	t, err := call.ParseTime(string(s))
	if err != nil {
		return fmt.Errorf("%w: %s: %s is not a date-time such as 2019-11-01T00:00:25.105Z", call.ErrInvalid, f, quote(s))
	}
	r.SetTime(f, t)
	return nil
}

// setNumber accepts 5, 5.0, 5e0 and the same as texts.
func setNumber(r *call.Row, f call.Field, v value, b []byte) error {
	if v.kind != '"' && v.kind != '0' {
		return wrongKind(f, v.kind)
	}
	s := scalar(v, b)
	if len(s) == 0 {
		return nil
	}
	n, ok := whole(s)
	if !ok {
		return fmt.Errorf("%w: %s: %s is not a whole number of 32 bits", call.ErrInvalid, f, quote(s))
	}
	r.SetNumber(f, n)
	return nil
}

func whole(s []byte) (int32, bool) {
	if len(s) <= 10 {
		if n, err := strconv.ParseInt(string(s), 10, 32); err == nil && s[0] != '+' {
			return int32(n), true
		}
	}
	if !json.Valid(s) { // ParseFloat accepts more than JSON's numbers
		return 0, false
	}
	x, err := strconv.ParseFloat(string(s), 64)
	if err != nil || x != math.Trunc(x) || x < math.MinInt32 || x > math.MaxInt32 {
		return 0, false
	}
	return int32(x), true
}

func setBool(r *call.Row, f call.Field, v value, b []byte) error {
	if v.kind != '"' && v.kind != 't' {
		return wrongKind(f, v.kind)
	}
	switch s := scalar(v, b); {
	case len(s) == 0:
	case strings.EqualFold(string(s), "true"):
		r.SetBool(f, true)
	case !strings.EqualFold(string(s), "false"):
		return fmt.Errorf("%w: %s: %s is neither true nor false", call.ErrInvalid, f, quote(s))
	}
	return nil
}

const mostUnits = 256

// setUnits reads [{"id":"…"},…]. Only Graph's beta has it, and few rows do.
func setUnits(r *call.Row, v value, b []byte) error {
	if v.kind != '[' {
		return wrongKind(call.FieldAdministrativeUnits, v.kind)
	}
	if setPlainUnits(r, b[v.from:v.to]) {
		return nil
	}
	var units []*struct{ ID *string }
	if err := json.Unmarshal(b[v.from:v.to], &units); err != nil {
		return fmt.Errorf("%w: %s is not a list of objects with an id", call.ErrInvalid, call.FieldAdministrativeUnits)
	}
	if len(units) > mostUnits {
		return fmt.Errorf("%w: %s has %d entries, more than %d", call.ErrInvalid, call.FieldAdministrativeUnits, len(units), mostUnits)
	}
	for _, u := range units {
		if u != nil && u.ID != nil && *u.ID != "" {
			r.AdministrativeUnits = append(r.AdministrativeUnits, textGUID(*u.ID))
		}
	}
	return nil
}

// setPlainUnits is setUnits for Graph's own form: a list of GUIDs without white space. It reports
// whether b has that form.
func setPlainUnits(r *call.Row, b []byte) bool {
	const before, guid, behind = `[{"id":"`, 36, `"}` // a comma takes the place of the bracket later
	const end = len(before) + guid
	var room [8]call.GUID
	units := room[:0]
	for ; len(b) > end+len(behind) && len(units) < mostUnits; b = b[end+len(behind):] {
		if string(b[1:len(before)]) != before[1:] || string(b[end:end+len(behind)]) != behind || len(units) > 0 && b[0] != ',' {
			return false
		}
		id, err := call.ParseGUID(string(b[len(before):end]))
		if err != nil {
			return false
		}
		units = append(units, id)
	}
	if string(b) != "]" && string(b) != "[]" {
		return false
	}
	r.AdministrativeUnits = append(r.AdministrativeUnits, units...)
	return true
}
