package odata

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// The greatest values of $top and $skip.
const (
	maxTop  = math.MaxInt32
	maxSkip = math.MaxInt64
)

// parseNumber reads the value of $top or $skip.
func parseNumber(name, value string, limit int64) (int64, error) {
	digits := strings.TrimSpace(value)
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			digits = ""
			break
		}
	}
	if digits == "" {
		return 0, errorf(name, "Invalid value '%s' for %s query option found. The %[2]s query option requires a non-negative integer value.", clip(value), name)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > limit {
		kind := "Top"
		if name == "$skip" {
			kind = "Skip"
		}
		return 0, errorf(name, "The limit of '%d' for %s query has been exceeded. The value from the incoming request is '%s'.", limit, kind, clip(digits))
	}
	return n, nil
}

func parseCount(value string) (*bool, error) {
	var yes bool
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true":
		yes = true
	case "false":
	default:
		return nil, errorf("$count", "Invalid value '%s' for $count query option found. Valid values are 'true' and 'false'.", clip(value))
	}
	return &yes, nil
}

// parseOrderBy reports whether the client asks for the newest rows first. The log has one order,
// (startDateTime, id), which engines read either way.
func parseOrderBy(value string) (reverse bool, err error) {
	value, err = notEmpty("$orderby", value)
	if err != nil {
		return false, err
	}
	keys := strings.Split(value, ",")
	for i, key := range keys {
		words := strings.Fields(key)
		if len(words) == 0 || len(words) > 2 {
			return false, badOrder()
		}
		f, err := property("$orderby", words[0])
		if err != nil {
			return false, err
		}
		down := len(words) == 2 && strings.EqualFold(words[1], "desc")
		up := len(words) == 1 || strings.EqualFold(words[1], "asc")
		switch {
		case !down && !up:
			return false, badOrder()
		case i == 0 && f == call.FieldStart:
			reverse = down
		case i == 1 && f == call.FieldID && down == reverse:
		default:
			return false, badOrder()
		}
	}
	return reverse, nil
}

func badOrder() error {
	return errorf("$orderby", "Invalid orderby clause: possible are 'startDateTime asc' and 'startDateTime desc', "+
		"each optionally followed by ',id' of the same direction, such as 'startDateTime desc,id desc'.")
}

// parseSelect reads a list of properties; nil stands for all of them.
func parseSelect(value string) ([]call.Field, error) {
	value, err := notEmpty("$select", value)
	if err != nil {
		return nil, err
	}
	if n := strings.Count(value, ",") + 1; n > maxSelect {
		return nil, errorf("$select", "Invalid select clause: it has %d names, more than the %d that are possible.", n, maxSelect)
	}
	var fields []call.Field
	all := false
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if name == "*" {
			all = true
			continue
		}
		f, err := property("$select", name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	if all {
		return nil, nil
	}
	return fields, nil
}

// rowType is the name of the type whose properties clients can name.
const rowType = "microsoft.graph.callRecords.directRoutingLogRow"

// property returns the field that an option names.
func property(option, name string) (call.Field, error) {
	f, ok := wireField(name)
	if !ok {
		return 0, errorf(option, "Could not find a property named '%s' on type '%s'.", clip(name), rowType)
	}
	return f, nil
}

// wireField returns the field with the given wire name, in any case. It does not find fields that
// have no place on the wire.
func wireField(name string) (call.Field, bool) {
	f, ok := call.FieldNamed(name)
	return f, ok && f.OnWire()
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
