package csv

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// text returns what a record says of a field, in the map's words.
func (f *boundField) text(record []string) (string, error) {
	if len(f.at) == 0 {
		return f.constant, nil
	}
	var s string
	for n, i := range f.at {
		if i >= len(record) {
			return "", fmt.Errorf("%w: %s: the record has no column %d", call.ErrInvalid, f.field, i+1)
		}
		part := strings.TrimSpace(record[i])
		if n == 0 {
			s = part
		} else {
			s = strings.TrimSpace(s + " " + part)
		}
	}
	if v, ok := f.values[s]; ok {
		return v, nil
	}
	if f.fallback != nil && (f.values != nil || s == "") {
		return *f.fallback, nil
	}
	return s, nil
}

// set gives the event's row its value of a field.
func (b *binding) set(e *call.Event, bf *boundField, s string) error {
	if s == "" {
		return nil
	}
	f, r := bf.field, &e.Row
	if f == call.FieldID {
		return setID(e, s)
	}
	switch f.Type() {
	case call.ID:
		id, err := call.ParseGUID(s)
		if err != nil {
			id = call.NameGUID("text", s)
		}
		r.SetGUID(f, id)
	case call.Text:
		if len(s) > call.MaxText {
			return fmt.Errorf("%w: %s has %d bytes, more than %d", call.ErrInvalid, f, len(s), call.MaxText)
		}
		r.SetText(f, s)
	case call.Time:
		t, ok := b.time(s)
		if !ok {
			return fmt.Errorf("%w: %s: %s is not a time in the layouts of the map", call.ErrInvalid, f, quote(s))
		}
		r.SetTime(f, t)
	case call.Number:
		n, ok := wholeNumber(f, s)
		if !ok {
			return fmt.Errorf("%w: %s: %s is not a whole number of 32 bits", call.ErrInvalid, f, quote(s))
		}
		r.SetNumber(f, n)
	case call.Bool:
		v, ok := yes(s)
		if !ok {
			return fmt.Errorf("%w: %s: %s is neither true nor false: say in the map, under values, what it means", call.ErrInvalid, f, quote(s))
		}
		r.SetBool(f, v)
	}
	return nil
}

// setID keeps a GUID as the row's id, and any other id as the name of the call
// within its source.
func setID(e *call.Event, s string) error {
	if len(s) > call.MaxText {
		return fmt.Errorf("%w: %s has %d bytes, more than %d", call.ErrInvalid, call.FieldID, len(s), call.MaxText)
	}
	if id, err := call.ParseGUID(s); err == nil {
		e.Row.ID = id
	}
	e.Call = s
	return nil
}

// quote returns the beginning of a value that is no person's.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}

// wholeNumber reads a whole number. Of a duration it takes the whole seconds.
func wholeNumber(f call.Field, s string) (int32, bool) {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return int32(n), true
	}
	x, err := strconv.ParseFloat(s, 64)
	if f == call.FieldDuration {
		x = math.Trunc(x)
	}
	if err != nil || x != math.Trunc(x) || x < math.MinInt32 || x > math.MaxInt32 {
		return 0, false
	}
	return int32(x), true
}

func yes(s string) (v, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "1":
		return true, true
	case "false", "no", "0":
		return false, true
	}
	return false, false
}

// time reads a time in one of the map's layouts. Nothing but zeros is how some
// write that there was none.
func (b *binding) time(s string) (t time.Time, ok bool) {
	if strings.Trim(s, "0-:/. TZ") == "" {
		return t, true
	}
	if len(b.layouts) == 0 {
		return defaultLayout.parse(s, b.zone)
	}
	for _, l := range b.layouts {
		if t, ok = l.parse(s, b.zone); ok {
			return t, true
		}
	}
	return t, false
}

// checkTimes reports whether r can be kept, which a time that was counted from
// another may have spoilt.
func checkTimes(r *call.Row) error {
	for f := range call.NumFields {
		if f.Type() == call.Time && (r.Time(f).Year() < 1 || r.Time(f).Year() > 9999) {
			return fmt.Errorf("%w: %s is not within the years 1 to 9999", call.ErrInvalid, f)
		}
	}
	if r.Start.IsZero() {
		return fmt.Errorf("%w: the record has no time at all", call.ErrInvalid)
	}
	return nil
}
