package teams

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// event makes an event of the fields of a record.
func (b *binding) event(fields []string) (e call.Event, err error) {
	r := &e.Row
	for _, c := range b.bound {
		for _, twin := range c.twins {
			if strings.TrimSpace(fields[c.at]) != strings.TrimSpace(fields[twin]) {
				return e, fmt.Errorf("%w: columns %d and %d are both named %s, and differ here: leave one of them out", call.ErrInvalid, c.at+1, twin+1, b.name[c.field])
			}
		}
		if err := b.set(r, c.field, strings.TrimSpace(fields[c.at])); err != nil {
			return e, err
		}
	}
	r.Settle(call.AdminExport.Witness(), true)
	if r.Start.IsZero() {
		return e, fmt.Errorf("%w: the record has no time at all", call.ErrInvalid)
	}
	// The export says nothing of fields that have no column.
	for f := range call.NumFields {
		if !b.has(f) && !r.Known(f) {
			r.By[f] = 0
		}
	}
	e.Call = naturalKey(r) // of the numbers as they came, to match rows of earlier imports
	e.Kind = call.RecordEvent
	r.Normalize(call.PlainNumber)
	return e, nil
}

// naturalKey names a record by the values that tell calls apart, because several legs of a call
// share the correlation id. It takes the call type by Graph's name, because the export has renamed
// some of its own. The key is a hash, because logs may hold the name of a call but no numbers.
func naturalKey(r *call.Row) string {
	tick := func(t time.Time) string { return strconv.FormatUint(call.Ticks(t), 10) }
	return call.NameGUID("admin-export", r.CorrelationID.String(), tick(r.Invite), tick(r.Start), r.Caller, r.Callee,
		strings.ToLower(string(call.CallType(r.CallType).Graph())), strings.ToLower(r.Trunk)).String()
}

// set gives r its value of a field. Its errors name the column, and the value only if it is not
// personal.
func (b *binding) set(r *call.Row, f call.Field, s string) error {
	if s == "" {
		return nil
	}
	if f == call.FieldCaller || f == call.FieldCallee {
		if _, err := call.TidyNumber(s); err != nil {
			return fmt.Errorf("%w: %s: %s", call.ErrInvalid, b.name[f], strings.TrimPrefix(err.Error(), call.ErrInvalid.Error()+": "))
		}
	}
	wrong := func(what string) error {
		return fmt.Errorf("%w: %s: %.40q is not %s", call.ErrInvalid, b.name[f], s, what)
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
			return fmt.Errorf("%w: %s has %d bytes, more than %d", call.ErrInvalid, b.name[f], len(s), call.MaxText)
		}
		r.SetText(f, s)
	case call.Time:
		t, err := call.ParseTime(s)
		if err != nil {
			return wrong("a date-time such as 2019-11-01T00:00:25.105Z")
		}
		r.SetTime(f, t)
	case call.Number:
		n, ok := whole(s)
		if !ok {
			return wrong("a whole number of 32 bits")
		}
		r.SetNumber(f, n)
	case call.Bool:
		switch strings.ToLower(s) {
		case "yes", "true", "1":
			r.SetBool(f, true)
		case "no", "false", "0":
		default:
			return wrong("Yes or No")
		}
	}
	return nil
}

// whole reads a whole number, which a spreadsheet may have written as 5.0.
func whole(s string) (int32, bool) {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return int32(n), true
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || x != math.Trunc(x) || x < math.MinInt32 || x > math.MaxInt32 {
		return 0, false
	}
	return int32(x), true
}
