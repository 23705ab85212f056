package graph

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/refuse"
)

// A route is what the path of a request names.
type route struct {
	kind     routeKind
	version  string // "v1.0" or "beta"
	function string // one of functions
	args     string // text between the function's parentheses, decoded
}

type routeKind uint8

const (
	routeNone     routeKind = iota // outside of the API
	routeService                   // the service document
	routeMetadata                  // $metadata
	routeBatch                     // $batch
	routeRecords                   // the collection of call records, which is empty
	routePSTN                      // getPstnCalls, of which there are none
	routeCalls                     // getDirectRoutingCalls, or a path that names nothing
)

// The functions of the collection of call records.
const (
	getCalls = "getDirectRoutingCalls"
	getPSTN  = "getPstnCalls"
)

// parseRoute parses an escaped path. It splits the path before it decodes the segments, and decodes
// them once, by the rules of paths: "%2B" is a plus, and so is "+". It ignores the case of names.
// It also ignores empty segments, because clients join a base URL that ends in a slash to a path
// that begins with one.
//
// The error is a [*refuse.Error]. With a route other than routeNone, the server shows it only to
// authorized callers.
func parseRoute(path string) (route, error) {
	var segments []string
	for s := range strings.SplitSeq(path, "/") {
		if s == "" {
			continue
		}
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return route{}, badEscape()
		}
		segments = append(segments, decoded)
	}
	rt := route{kind: routeService}
	switch {
	case len(segments) == 0:
		return route{}, badRequest("Invalid version. The API is under /v1.0 and /beta.")
	case strings.EqualFold(segments[0], "v1.0"):
		rt.version = "v1.0"
	case strings.EqualFold(segments[0], "beta"):
		rt.version = "beta"
	default:
		return route{}, badRequest("Invalid version: " + clip(segments[0], 64) + ". The API is under /v1.0 and /beta.")
	}
	segments = segments[1:]
	switch {
	case len(segments) == 0:
		return rt, nil
	case len(segments) == 1 && strings.EqualFold(segments[0], "$metadata"):
		rt.kind = routeMetadata
		return rt, nil
	case len(segments) == 1 && strings.EqualFold(segments[0], "$batch"):
		rt.kind = routeBatch
		return rt, nil
	}
	rt.kind = routeCalls
	err := rt.resource(segments)
	return rt, err
}

// allowed returns the methods of the route.
func (rt route) allowed() string {
	if rt.kind == routeBatch {
		return "POST, OPTIONS"
	}
	return allowed
}

func badEscape() *refuse.Error {
	return badRequest("The path of the URI has a % that is not followed by two hexadecimal digits.")
}

const onlyCalls = "This server has communications/callRecords/getDirectRoutingCalls(fromDateTime={date},toDateTime={date})."

// resource parses the segments behind the version.
func (rt *route) resource(segments []string) error {
	for i, name := range []string{"communications", "callRecords"} {
		switch {
		case i == len(segments):
			return notFound(onlyCalls)
		case !strings.EqualFold(segments[i], name):
			return unknownSegment(segments, i)
		}
	}
	if len(segments) == 2 {
		rt.kind = routeRecords
		return nil
	}
	segment, more := segments[2], segments[3:]
	name, args, open := strings.Cut(segment, "(")
	rt.function = functionNamed(name)
	if rt.function == "" {
		if _, err := call.ParseGUID(name); err == nil && !open {
			return notFound("Could not find the requested call record. " + onlyCalls)
		}
		return unknownSegment(segments, 2)
	}
	args, rest, closed := strings.Cut(args, ")")
	switch {
	case !open:
		return badRequest("The function " + clip(name, 64) + " needs its parameters: " + example(rt.function))
	case !closed:
		return notClosed(rt.function, name, more)
	case rest != "":
		return behindFunction(segment, rest)
	case len(more) > 0:
		return behindFunction(more[0], more[0])
	}
	if rt.function == getPSTN {
		rt.kind = routePSTN
	}
	rt.args = args
	return nil
}

// functionNamed returns the function of the given name, or "". It accepts the name alone, as on the
// reference page, with its namespace, as in all generated SDKs, or with the last part of that, as
// in graph-rs.
func functionNamed(name string) string {
	for _, f := range []string{getCalls, getPSTN} {
		for _, namespace := range []string{"", "microsoft.graph.callRecords.", "callRecords."} {
			if strings.EqualFold(name, namespace+f) {
				return f
			}
		}
	}
	return ""
}

// parameters are the texts of the function's two parameters.
type parameters struct{ from, to string }

// parseParameters parses the text between the parentheses. The parameters may stand in either
// order. The names "from" and "to" are those of an early sample by Microsoft.
func parseParameters(function, text string) (parameters, error) {
	var p parameters
	if strings.Count(text, "'")%2 != 0 {
		return p, badRequest("There is an unterminated string literal in '" + clip(text, 200) + "'.")
	}
	for at := 0; at <= len(text); {
		part := text[at:]
		if end := comma(part); end >= 0 {
			part = part[:end]
		}
		name, value, ok := strings.Cut(part, "=")
		var field *string
		switch trimmed := strings.TrimSpace(name); {
		case trimmed == "" && !ok && text == "":
			return p, p.missing(function, text)
		case strings.EqualFold(trimmed, "fromDateTime"), strings.EqualFold(trimmed, "from"):
			field = &p.from
		case strings.EqualFold(trimmed, "toDateTime"), strings.EqualFold(trimmed, "to"):
			field = &p.to
		default:
			return p, unknownParameter(function, trimmed, ok)
		}
		switch {
		case strings.TrimSpace(value) == "":
			position := at + len(name)
			if ok {
				position++
			}
			return p, badRequest("Expression expected at position " + strconv.Itoa(position) + " in '" + clip(text, 200) + "'.")
		case *field != "":
			return p, badRequest("The parameter '" + strings.TrimSpace(name) + "' was specified more than once.")
		}
		*field = strings.TrimSpace(value)
		at += len(part) + 1
	}
	if p.from == "" || p.to == "" {
		return p, p.missing(function, text)
	}
	return p, nil
}

// comma returns the place of the first comma that is not in quotes, or -1.
func comma(s string) int {
	quoted := false
	for i := range len(s) {
		switch s[i] {
		case '\'':
			quoted = !quoted
		case ',':
			if !quoted {
				return i
			}
		}
	}
	return -1
}

// resolve returns the value of a parameter. An alias, such as "@a", has its value in the query.
func resolve(value string, aliases map[string]string) (string, error) {
	if !strings.HasPrefix(value, "@") {
		return value, nil
	}
	aliased, ok := aliases[value]
	if !ok {
		return "", badRequest("The parameter alias '" + clip(value, 64) + "' has no value in the query.")
	}
	return aliased, nil
}
