package graph

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// A route is what the path of a request names.
type route struct {
	kind    routeKind
	version string // "v1.0" or "beta"
	args    string // what stands between the function's parentheses, decoded
}

type routeKind uint8

const (
	routeNone     routeKind = iota // outside of the API
	routeService                   // the service document
	routeMetadata                  // $metadata
	routeCalls                     // getDirectRoutingCalls, or a path that names nothing
)

// parseRoute reads an escaped path. It is taken apart before it is decoded, and
// decoded once, by the rules of paths: "%2B" is a plus, and so is "+". Names
// are the same in any case, and empty segments do not count, because clients
// join a base URL with a slash to a path with one.
//
// The error is an [*Error]. With a route other than routeNone it is for callers
// that may know it.
func parseRoute(path string) (route, error) {
	var segments []string
	for s := range strings.SplitSeq(path, "/") {
		if s == "" {
			continue
		}
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return route{}, badRequest("The path of the URI has a % that is not followed by two hexadecimal digits.")
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
	}
	rt.kind = routeCalls
	err := rt.resource(segments)
	return rt, err
}

const (
	onlyCalls = "This server has one resource, communications/callRecords/getDirectRoutingCalls(fromDateTime={date},toDateTime={date})."
	noPSTN    = " This server has the calls of Direct Routing: ask for getDirectRoutingCalls. Those of calling plans are known to Microsoft alone."
)

// resource reads the segments behind the version.
func (rt *route) resource(segments []string) error {
	for i, name := range []string{"communications", "callRecords"} {
		switch {
		case i == len(segments):
			return notFound(onlyCalls)
		case !strings.EqualFold(segments[i], name):
			return noSegment(segments[i])
		}
	}
	if len(segments) == 2 {
		return notFound(onlyCalls)
	}
	function, more := segments[2], segments[3:]
	name, args, open := strings.Cut(function, "(")
	if !isGetCalls(name) {
		if _, err := call.ParseGUID(name); err == nil && !open {
			return notFound("Could not find the requested call record. " + onlyCalls)
		}
		err := noSegment(name)
		if strings.EqualFold(name[strings.LastIndexByte(name, '.')+1:], "getPstnCalls") {
			err.Message += noPSTN
		}
		return err
	}
	args, rest, closed := strings.Cut(args, ")")
	switch {
	case !open:
		return badRequest("The function " + clip(name, 64) + " needs its parameters: " + example)
	case !closed:
		return badRequest("The parameters of " + clip(name, 64) + " are not closed by a ')': " + example)
	case rest != "":
		return noSegment(function)
	case len(more) > 0:
		return noSegment(more[0])
	}
	rt.args = args
	return nil
}

const example = "write getDirectRoutingCalls(fromDateTime=2019-11-01,toDateTime=2019-12-01)."

func noSegment(name string) *Error {
	name, _, _ = strings.Cut(name, "(")
	return badRequest("Resource not found for the segment '" + clip(name, 64) + "'.")
}

// isGetCalls reports whether name is the function's: alone as on the reference
// page, with its namespace as in all generated SDKs, or with the last part of
// that as in graph-rs.
func isGetCalls(name string) bool {
	for _, known := range []string{"getDirectRoutingCalls", "microsoft.graph.callRecords.getDirectRoutingCalls", "callRecords.getDirectRoutingCalls"} {
		if strings.EqualFold(name, known) {
			return true
		}
	}
	return false
}

// parameters are the texts of the function's two parameters.
type parameters struct{ from, to string }

// parseParameters reads what stands between the parentheses, in either order.
// The names "from" and "to" are those of an early sample of Microsoft's.
func parseParameters(text string) (parameters, error) {
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
			return p, p.missing()
		case strings.EqualFold(trimmed, "fromDateTime"), strings.EqualFold(trimmed, "from"):
			field = &p.from
		case strings.EqualFold(trimmed, "toDateTime"), strings.EqualFold(trimmed, "to"):
			field = &p.to
		default:
			return p, badRequest("The function getDirectRoutingCalls has no parameter '" + clip(trimmed, 64) + "': " + example)
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
		return p, p.missing()
	}
	return p, nil
}

func (p parameters) missing() *Error {
	name := "fromDateTime"
	if p.from != "" {
		name = "toDateTime"
	}
	return badRequest("The parameter '" + name + "' is missing: " + example)
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

// resolve returns the value of a parameter that may be an alias such as "@a".
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
