// Package odata turns the system query options of an OData 4 request into the parts of a
// [call.Query], and a [call.Expr] back into a $filter.
//
// It consists of pure functions. It does not know HTTP, paging or JSON, and not the version of the
// API: the caller decides whether a property belongs to v1.0 or only to beta.
//
// The grammar is that of OData Version 4.01, Part 2: URL Conventions (OASIS Standard, 23 April
// 2020), as far as it makes sense for rows of calls. The texts of the errors are those of Microsoft
// Graph where it has any.
package odata

import (
	"strings"

	"github.com/trunklog/trunklog/call"
)

// Limits of a request. The package refuses a request beyond them before it does any other work.
const (
	maxQuery   = 32 << 10 // bytes of the raw query
	maxOptions = 100      // options in it, those of others included
	maxSelect  = 100      // names in $select
)

// Options are the system query options of one request. The zero value is a
// request without any.
type Options struct {
	Top     int // $top, not negative; only if HasTop
	HasTop  bool
	Skip    int64 // $skip, not negative; only if HasSkip
	HasSkip bool
	// SkipToken is $skiptoken, unchanged.
	SkipToken string
	// Count is $count; nil if the request has none.
	Count *bool
	// Filter is the condition that $filter states; nil matches every row.
	Filter call.Expr
	// FilterText is $filter as the client wrote it, decoded. It may hold phone numbers and user
	// names: never log it.
	FilterText string
	// Reverse is set if $orderby asks for the newest rows first.
	Reverse bool
	// Select holds the properties in $select, each once, in the client's
	// order; nil stands for all.
	Select []call.Field
	// Aliases are the values of parameter aliases such as "@a", as written.
	Aliases map[string]string
	// Format is $format, such as "json" or a media type.
	Format string
}

// Parse reads the query of a URL, the part behind "?", undecoded. It ignores options whose name
// does not begin with "$" or "@", because they are not OData's.
//
// The error is an [*Error]; its text is safe to show to the client.
func Parse(rawQuery string) (Options, error) {
	return parse(rawQuery, false)
}

// ParseStrict reads a query as Parse does, but ignores $top, $filter, $orderby, $select and $count,
// whatever their values, as Microsoft's own log does.
func ParseStrict(rawQuery string) (Options, error) {
	return parse(rawQuery, true)
}

func parse(rawQuery string, strict bool) (Options, error) {
	pairs, err := split(rawQuery)
	if err != nil {
		return Options{}, err
	}
	var o Options
	for _, p := range pairs {
		switch {
		case p.name[0] == '@':
			if o.Aliases == nil {
				o.Aliases = make(map[string]string)
			}
			o.Aliases[p.name] = p.value
		case strict && ignoredByGraph(p.name):
		default:
			if err := o.set(p.name, p.value); err != nil {
				return Options{}, err
			}
		}
	}
	return o, nil
}

// ignoredByGraph reports whether Microsoft's log ignores an option.
func ignoredByGraph(name string) bool {
	switch name {
	case "$top", "$filter", "$orderby", "$select", "$count":
		return true
	}
	return false
}

// set sets one option, whose name is in lower case.
func (o *Options) set(name, value string) (err error) {
	switch name {
	case "$top":
		var n int64
		n, err = parseNumber(name, value, maxTop)
		o.Top, o.HasTop = int(n), true
	case "$skip":
		o.Skip, err = parseNumber(name, value, maxSkip)
		o.HasSkip = true
	case "$skiptoken":
		o.SkipToken, err = notEmpty(name, value)
	case "$count":
		o.Count, err = parseCount(value)
	case "$filter":
		if o.FilterText, err = notEmpty(name, value); err == nil {
			o.Filter, err = ParseFilter(o.FilterText)
		}
	case "$orderby":
		o.Reverse, err = parseOrderBy(value)
	case "$select":
		o.Select, err = parseSelect(value)
	case "$format":
		o.Format, err = notEmpty(name, value)
	default:
		err = notAllowed(name)
	}
	return err
}

// foreign are the options of OData that this log does not offer, by the names that Microsoft's
// servers give them in errors.
var foreign = map[string]string{
	"$apply":      "Apply",
	"$compute":    "Compute",
	"$deltatoken": "DeltaToken",
	"$expand":     "Expand",
	"$search":     "Search",
}

func notAllowed(name string) error {
	if known, ok := foreign[name]; ok {
		return errorf(name, "The query specified in the URI is not valid. Query option '%s' is not allowed. "+
			"To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings.", known)
	}
	return errorf(clip(name), "The query parameter '%s' is not supported.", clip(name))
}

func notEmpty(name, value string) (string, error) {
	value = strings.TrimSpace(value)
	if value == "" {
		return "", errorf(name, "The value for OData query '%s' cannot be empty.", name)
	}
	return value, nil
}
