package graphjson

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// A property is a field of a row, or one of the following.
type property uint8

const (
	propertyValue property = property(call.NumFields) + iota // of an answer: its rows
	propertyError                                            // of an answer that is an error
	propertyUnknown
	numProperties
)

// A value is where a property's value lies in the record, and what it is.
type value struct {
	from, to      int
	kind          kind
	escaped, wide bool // a text with escapes; with bytes beyond ASCII
}

// A record collects the values of one row and makes an event of them.
type record struct {
	values [numProperties]value
	// names remembers which property came as the nth one in the rows before,
	// because rows name them in the same order.
	names []named
	// text holds the texts of the row, which become parts of one string.
	text []byte
	at   [call.NumFields][2]int // where they lie in text
}

type named struct {
	name     string
	property property
}

func (r *record) reset() { r.values = [numProperties]value{} }

// property returns the property with the given name, the nth of its object.
func (r *record) property(n int, name []byte) property {
	const most = 64
	if n < len(r.names) && r.names[n].name == string(name) {
		return r.names[n].property
	}
	if len(name) > 64 {
		return propertyUnknown
	}
	text := string(name)
	p := propertyUnknown
	switch f, ok := call.FieldNamed(text); {
	case ok:
		p = property(f)
	case strings.EqualFold(text, "value"):
		p = propertyValue
	case strings.EqualFold(text, "error"):
		p = propertyError
	}
	switch {
	case n < len(r.names):
		r.names[n] = named{text, p}
	case n == len(r.names) && n < most:
		r.names = append(r.names, named{text, p})
	}
	return p
}

// note notes the value of a property. Of several the last one stands, as in
// other readers of JSON.
func (r *record) note(p property, v value) { r.values[p] = v }

// event makes an event of the values, which lie in b.
func (r *record) event(b []byte) (e call.Event, err error) {
	if r.values[propertyError].kind == '{' {
		return e, fmt.Errorf("%w: an error that Graph answered, not a record", call.ErrInvalid)
	}
	r.text = r.text[:0]
	row := &e.Row
	for f := range call.NumFields {
		v := r.values[f]
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
		return e, fmt.Errorf("%w: the record has no startDateTime, inviteDateTime, failureDateTime or endDateTime", call.ErrInvalid)
	}
	if e.Call == "" {
		e.Call = naturalKey(row)
	}
	e.Kind = call.RecordEvent
	return e, nil
}

// settle notes Graph as the witness of what the record names. A record with some of
// the properties, as $select and Select-Object make it, says nothing of the others;
// one that names them all is complete.
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
	r.text = appendText(r.text, b[v.from+1:v.to-1], v)
	if n := len(r.text) - from; n > call.MaxText {
		return fmt.Errorf("%w: %s has %d bytes, more than %d", call.ErrInvalid, f, n, call.MaxText)
	}
	if v.wide && !utf8.Valid(r.text[from:]) {
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
			// An id that is no GUID is left to whoever knows the source.
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

// textGUID returns the GUID that s is, or the one that stands for it.
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

// naturalKey names a row without an id by what makes a call unlike others. It
// is a hash, because the name of a call may be logged and numbers may not.
func naturalKey(r *call.Row) string {
	tick := func(t time.Time) string { return strconv.FormatUint(call.Ticks(t), 10) }
	return call.NameGUID("graph row", r.CorrelationID.String(), tick(r.Invite), tick(r.Start),
		r.Caller, r.Callee, r.CallType, r.Trunk).String()
}

// appendText appends what the text in b, between its quotes, stands for.
func appendText(dst, b []byte, v value) []byte {
	if !v.escaped {
		return append(dst, b...)
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			dst = append(dst, b[i])
			continue
		}
		i++
		switch b[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			c, n := unescape(b[i-1:])
			dst = utf8.AppendRune(dst, c)
			i += n - 2
		default:
			dst = append(dst, b[i])
		}
	}
	return dst
}

// unescape returns the character that \uXXXX at the beginning of b stands for,
// or two of them together, and how long they are. Half a pair stands for
// U+FFFD.
func unescape(b []byte) (c rune, n int) {
	const length = len(`\u0000`)
	c = hex4(b)
	if c < 0xd800 || c > 0xdfff {
		return c, length
	}
	if c < 0xdc00 && len(b) >= 2*length && b[length] == '\\' && b[length+1] == 'u' {
		if low := hex4(b[length:]); 0xdc00 <= low && low <= 0xdfff {
			return 0x10000 + (c-0xd800)<<10 + (low - 0xdc00), 2 * length
		}
	}
	return utf8.RuneError, length
}

func hex4(b []byte) (c rune) {
	for _, d := range b[2:6] {
		switch {
		case d <= '9':
			c = c<<4 | rune(d-'0')
		default:
			c = c<<4 | rune(d|0x20-'a'+10)
		}
	}
	return c
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
	if v.kind != '"' {
		return b[v.from:v.to]
	}
	b = b[v.from+1 : v.to-1]
	if v.escaped {
		b = appendText(nil, b, v)
	}
	return b
}

// quote returns the beginning of a value that is no person's.
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

// setNumber takes 5, 5.0, 5e0 and the same as texts.
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
	if !json.Valid(s) { // not all that ParseFloat takes is a number in JSON
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

// setUnits reads [{"id":"…"},…]. Only Graph's beta has it, and few rows do.
func setUnits(r *call.Row, v value, b []byte) error {
	const most = 256
	if v.kind != '[' {
		return wrongKind(call.FieldAdministrativeUnits, v.kind)
	}
	var units []*struct{ ID *string }
	if err := json.Unmarshal(b[v.from:v.to], &units); err != nil {
		return fmt.Errorf("%w: %s is not a list of objects with an id", call.ErrInvalid, call.FieldAdministrativeUnits)
	}
	if len(units) > most {
		return fmt.Errorf("%w: %s has %d entries, more than %d", call.ErrInvalid, call.FieldAdministrativeUnits, len(units), most)
	}
	for _, u := range units {
		if u != nil && u.ID != nil && *u.ID != "" {
			r.AdministrativeUnits = append(r.AdministrativeUnits, textGUID(*u.ID))
		}
	}
	return nil
}
