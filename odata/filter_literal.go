package odata

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// An edm is a primitive type of OData's Entity Data Model.
type edm uint8

const (
	edmNull edm = iota
	edmBoolean
	edmDate
	edmDateTimeOffset
	edmDecimal
	edmGUID
	edmInt32
	edmInt64
	edmString
)

func (e edm) String() string {
	return [...]string{
		edmNull:           "null",
		edmBoolean:        "Edm.Boolean",
		edmDate:           "Edm.Date",
		edmDateTimeOffset: "Edm.DateTimeOffset",
		edmDecimal:        "Edm.Decimal",
		edmGUID:           "Edm.Guid",
		edmInt32:          "Edm.Int32",
		edmInt64:          "Edm.Int64",
		edmString:         "Edm.String",
	}[e]
}

// edmOf returns the type in which values of a field compare. Graph's schema calls ids strings; they
// compare as GUIDs.
func edmOf(f call.Field) edm {
	switch f.Type() {
	case call.ID:
		return edmGUID
	case call.Time:
		return edmDateTimeOffset
	case call.Number:
		return edmInt32
	case call.Bool:
		return edmBoolean
	}
	return edmString
}

// A literal is a value of a filter: nil, bool, time.Time, call.GUID, int32 or string. Numbers
// outside of int32 have no value, and compare with nothing.
type literal struct {
	edm   edm
	value any
}

// as returns the value in the type of a field, as [call.Compare] wants it. It converts a string
// that reads as a GUID or a date-time.
func (v literal) as(f call.Field) (any, bool) {
	if v.edm == edmNull {
		return zero(f), true
	}
	if s, ok := v.value.(string); ok {
		switch f.Type() {
		case call.ID:
			g, err := call.ParseGUID(s)
			return g, err == nil
		case call.Time:
			t, _, ok := parseTime(s)
			return t, ok
		}
	}
	if v.edm == edmDate {
		return v.value, f.Type() == call.Time
	}
	return v.value, v.edm == edmOf(f)
}

// zero returns the value of a field that is not known.
func zero(f call.Field) any {
	switch f.Type() {
	case call.ID:
		return call.GUID{}
	case call.Time:
		return time.Time{}
	case call.Number:
		return int32(0)
	case call.Bool:
		return false
	}
	return ""
}

// parseBare reads a value that is not quoted and begins with a digit, a sign,
// or a GUID.
func parseBare(s string) (literal, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n < math.MinInt32 || n > math.MaxInt32 {
			return literal{edmInt64, nil}, true
		}
		return literal{edmInt32, int32(n)}, true
	}
	if t, date, ok := parseTime(s); ok {
		if date {
			return literal{edmDate, t}, true
		}
		return literal{edmDateTimeOffset, t}, true
	}
	if len(s) == 36 {
		g, err := call.ParseGUID(s)
		return literal{edmGUID, g}, err == nil
	}
	if strings.ContainsAny(s, "_xX") {
		return literal{}, false
	}
	// Too great for an int64, or with a fraction.
	_, err := strconv.ParseFloat(s, 64)
	return literal{edmDecimal, nil}, err == nil || errors.Is(err, strconv.ErrRange)
}

// parseTime reads a date, which is its midnight in UTC, or a date-time as in RFC 3339 whose seconds
// and zone may be missing. It drops digits beyond 100 ns, as stores do.
func parseTime(s string) (t time.Time, date, ok bool) {
	r := reader{s: s}
	year := r.digits(4)
	r.sign("-")
	month := r.digits(2)
	r.sign("-")
	day := r.digits(2)
	var hour, minute, second, nano int
	var offset time.Duration
	if r.s == "" {
		date = true
	} else {
		r.sign("Tt")
		hour = r.digits(2)
		r.sign(":")
		minute = r.digits(2)
		if r.peek(":") {
			r.sign(":")
			second = r.digits(2)
			if r.peek(".") {
				r.sign(".")
				nano = r.fraction()
			}
		}
		offset = r.zone()
	}
	if r.bad || r.s != "" || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false, false
	}
	t = time.Date(year, time.Month(month), day, hour, minute, second, nano, time.UTC)
	if t.Month() != time.Month(month) { // there is no such day
		return time.Time{}, false, false
	}
	t = t.Add(-offset)
	return t, date, t.Year() >= 1 && t.Year() <= 9999
}

// A reader reads the parts of a date-time. An error is final.
type reader struct {
	s   string
	bad bool
}

func (r *reader) peek(set string) bool {
	for i := range len(set) {
		if r.s != "" && r.s[0] == set[i] {
			return true
		}
	}
	return false
}

// sign consumes one character of the set and returns it.
func (r *reader) sign(set string) byte {
	if !r.peek(set) {
		r.bad = true
		return 0
	}
	c := r.s[0]
	r.s = r.s[1:]
	return c
}

// digits reads a number of exactly n digits.
func (r *reader) digits(n int) int {
	if len(r.s) < n {
		r.bad = true
		return 0
	}
	v := 0
	for i := range n {
		if !isDigit(r.s[i]) {
			r.bad = true
			return 0
		}
		v = v*10 + int(r.s[i]-'0')
	}
	r.s = r.s[n:]
	return v
}

// fraction reads one or more digits as nanoseconds, cut to 100 ns.
func (r *reader) fraction() int {
	v, unit, n := 0, 100_000_000, 0
	for ; n < len(r.s) && isDigit(r.s[n]); n++ {
		if unit >= 100 {
			v += int(r.s[n]-'0') * unit
			unit /= 10
		}
	}
	r.bad = r.bad || n == 0
	r.s = r.s[n:]
	return v
}

// zone reads "Z" or an offset from UTC; nothing is UTC.
func (r *reader) zone() time.Duration {
	if r.s == "" {
		return 0
	}
	sign := r.sign("Zz+-")
	if sign != '+' && sign != '-' {
		return 0
	}
	hours := r.digits(2)
	r.sign(":")
	minutes := r.digits(2)
	if hours > 23 || minutes > 59 {
		r.bad = true
	}
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if sign == '-' {
		return -d
	}
	return d
}
