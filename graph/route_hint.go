package graph

import (
	"strings"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/refuse"
)

// These errors say what the author of a script may have meant by a path that names nothing. Graph's
// message, if it has one, comes first.

// example returns the end of an error: what the client can write instead.
func example(function string) string {
	return "write " + function + "(fromDateTime=2019-11-01,toDateTime=2019-12-01)."
}

func noSegment(name string) *refuse.Error {
	name, _, _ = strings.Cut(name, "(")
	return badRequest("Resource not found for the segment '" + clip(name, 64) + "'.")
}

// unknownSegment returns the answer if the segment at the given place, behind the version, has an
// unknown name.
func unknownSegment(segments []string, at int) *refuse.Error {
	name, _, _ := strings.Cut(segments[at], "(")
	err := noSegment(name)
	known := [][]string{{"communications", "$batch", "$metadata"}, {"callRecords"}, {getCalls, getPSTN}}[at]
	function := misspelt(name[strings.LastIndexByte(name, '.')+1:], getCalls, getPSTN)
	meant := misspelt(name, known...)
	switch {
	case at == 0 && (strings.EqualFold(name, "v1.0") || strings.EqualFold(name, "beta")):
		err.Message += " The version stands in front of it already: leave it out here."
	case at < 2 && function != "":
		err.Message += " The function stands under communications/callRecords/."
	case at == 2 && function != "":
		err.Message += " Did you mean " + function + "? To ask for its calls, " + example(function)
	case meant != "":
		err.Message += " Did you mean '" + meant + "'?"
	}
	return err
}

// misspelt returns the known name that is closest to name, or "" if none is close.
func misspelt(name string, known ...string) string {
	name = strings.ToLower(name)
	best, least := "", 0
	for _, k := range known {
		low := strings.ToLower(k)
		d := call.Distance(name, low)
		if strings.HasPrefix(name, low) {
			d = 0 // the '(' may be missing behind it
		}
		if d <= len(k)/3 && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// notClosed returns the answer if no ')' closes the parameters in their segment.
func notClosed(function, name string, more []string) *refuse.Error {
	if len(more) > 0 {
		return badRequest("There is a '/' between the parentheses of " + clip(name, 64) + ", where no date has one: " +
			"write the year first and '-' between the numbers. As an example, " + example(function))
	}
	return badRequest("The parameters of " + clip(name, 64) + " are not closed by a ')': " + example(function))
}

// behindFunction returns the answer if text follows the ')', in its segment or in another one. rest
// is that text.
func behindFunction(segment, rest string) *refuse.Error {
	switch rest[0] {
	case '&', '$':
		if rest[0] == '&' || segment != rest {
			option := clip(strings.TrimLeft(rest, "&"), 64)
			return badRequest("The options of the query begin with a '?': write ?" + option + " and not " + clip(rest, 65) + ".")
		}
	case '?':
		return badRequest("The '?' in front of the query's options is escaped: write ? and not %3F.")
	case ')':
		return badRequest("There is a ')' too many behind the parameters.")
	}
	err := noSegment(segment)
	if segment != rest {
		err.Message += " Behind the parameters comes nothing more, or a '?' and options."
	}
	return err
}

// unknownParameter returns the answer if the function has no parameter of that name. A name without
// a value may be a value without its name.
func unknownParameter(function, name string, hasValue bool) *refuse.Error {
	var hint string
	meant := misspelt(name, "fromDateTime", "toDateTime")
	switch {
	case name == "":
		return badRequest("There is a ',' or '=' too many between the parentheses of " + function + ": " + example(function))
	case name[0] == '$':
		return badRequest("The option " + clip(name, 64) + " is no parameter of " + function + ": write it behind the ')' and a '?', as in )?$top=5.")
	case meant != "":
		hint = " Did you mean " + meant + "? As an example, "
	case !hasValue:
		hint = " Each value has its name in front: "
	default:
		hint = " It has two: "
	}
	return badRequest("The function " + function + " has no parameter '" + clip(name, 64) + "'." + hint + example(function))
}

// missing returns the answer if one of the parameters is missing.
func (p parameters) missing(function, text string) *refuse.Error {
	name := "fromDateTime"
	if p.from != "" {
		name = "toDateTime"
	}
	if strings.Contains(strings.ToLower(text), strings.ToLower(name)) {
		return badRequest("The parameter '" + name + "' is missing: there is no ',' in front of it. As an example, " + example(function))
	}
	return badRequest("The parameter '" + name + "' is missing: " + example(function))
}
