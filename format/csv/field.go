package csv

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// text returns a record's value of a field, after the map's translations.
func (b *binding) text(f *boundField, record []string) (string, error) {
	if len(f.at) == 0 {
		return f.constant, nil
	}
	var s string
	for n, i := range f.at {
		if i >= len(record) && len(b.columns) == 0 {
			return "", fmt.Errorf("%w: %s: the record has no column %d", call.ErrInvalid, f.field, i+1)
		}
		part := field(record, i)
		if n == 0 {
			s = part
		} else {
			s = strings.TrimSpace(s + " " + part)
		}
	}
	if v, ok := f.values[s]; ok {
		return v, nil
	}
	if f.values != nil {
		b.meet(f, s)
	}
	if f.fallback != nil && (f.values != nil || s == "") {
		return *f.fallback, nil
	}
	return s, nil
}

// A draft is the event under construction.
type draft struct {
	call.Event
	said fieldSet // the fields that the record has
	// again holds the second moment of each time in the hour that comes twice.
	again map[call.Field]time.Time
}

// set gives the row its value of a field.
func (b *binding) set(d *draft, bf *boundField, s string) error {
	f, r := bf.field, &d.Row
	if s == "" || s == none && f.Type() == call.Number {
		return nil
	}
	d.said |= 1 << f
	if f == call.FieldID {
		return setID(&d.Event, s)
	}
	switch f.Type() {
	case call.ID:
		id, err := call.ParseGUID(s)
		if err != nil {
			id = call.NameGUID("text", s)
		}
		r.SetGUID(f, id)
	case call.Text:
		if f == call.FieldCaller || f == call.FieldCallee {
			var err error
			if s, err = call.TidyNumber(s); err != nil {
				return fmt.Errorf("%w: %s: %s", call.ErrInvalid, f, withoutInvalid(err))
			}
		}
		if len(s) > call.MaxText {
			return fmt.Errorf("%w: %s has %d bytes, more than %d", call.ErrInvalid, f, len(s), call.MaxText)
		}
		r.SetText(f, s)
	case call.Time:
		m, err := b.time(s)
		if err != nil {
			return fmt.Errorf("%w: %s: %s %w", call.ErrInvalid, f, quote(s), err)
		}
		r.SetTime(f, m.first)
		if !m.second.IsZero() {
			if d.again == nil {
				d.again = map[call.Field]time.Time{}
			}
			d.again[f] = m.second
		}
	case call.Number:
		n, err := bf.number(s)
		if err != nil {
			return fmt.Errorf("%w: %s: %s %w", call.ErrInvalid, f, quote(s), err)
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

// setID keeps a GUID as the row's id, and any other id as the name of the call within its source.
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

// quote returns the beginning of a value, for fields that are not personal.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}

// none is how tables write that there is no number or time.
const none = "-1"

// number reads a whole number, or the whole seconds of a duration.
func (f *fieldMap) number(s string) (int32, error) {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil && f.field != call.FieldDuration {
		return int32(n), nil
	}
	if f.field == call.FieldDuration {
		d, err := parseDuration(call.Visible(s), f.unit)
		return int32(d / time.Second), err
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || x != math.Trunc(x) || x < math.MinInt32 || x > math.MaxInt32 {
		return 0, errors.New("is not a whole number of 32 bits")
	}
	return int32(x), nil
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

// time reads a time in one of the map's layouts. Some tables write nothing but zeros for a missing
// one.
func (b *binding) time(s string) (moment, error) {
	s = call.Visible(s)
	zeros := s == "" || s[0] < '1' || s[0] > '9' // only these can be all zeros
	if s == none || zeros && strings.Trim(s, "0-+:/.,* TZ") == "" {
		return moment{}, nil
	}
	layouts := b.layouts
	if len(layouts) == 0 {
		layouts = []layout{defaultLayout}
	}
	wrong := errNoTime
	for _, l := range layouts {
		r, ok := l.read(s)
		if !ok {
			continue
		}
		m, err := r.in(b.zone)
		if err == nil {
			return m, nil
		}
		wrong = err
	}
	return moment{}, wrong
}

var errNoTime = errors.New("is not a time in the layouts of the map")

// checkTimes reports whether a store can keep the times of r; one computed from another may be out
// of range.
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
