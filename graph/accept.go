package graph

import (
	"net/http"
	"strconv"
	"strings"
)

// A level is how much control information an answer has besides the rows.
type level string

// The levels of OData JSON Format 4.01, section 3.1.
const (
	none    level = "none"
	minimal level = "minimal"
	full    level = "full"
)

// contentType returns the Content-Type of an answer, as Graph writes it.
func (l level) contentType() string {
	switch l {
	case none:
		return "application/json;odata.metadata=none;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
	case full:
		return "application/json;odata.metadata=full;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
	}
	return "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
}

// acceptedLevel returns the level that the client asks for in $format, or else in Accept. Without
// either it is minimal. A client that accepts no JSON gets 406.
func acceptedLevel(format string, head http.Header) (level, error) {
	if strings.EqualFold(format, "json") {
		return minimal, nil
	}
	if format != "" {
		if l, q := mediaRange(format); q > 0 {
			return l, nil
		}
		return "", notAcceptable("The $format '" + clip(format, 64) + "' is not offered: the answer is application/json.")
	}
	best, bestQ, asked := minimal, 0, false
	for part := range elements(head["Accept"]) {
		asked = true
		if l, q := mediaRange(part); q > bestQ {
			best, bestQ = l, q
		}
	}
	if asked && bestQ == 0 {
		return "", notAcceptable("None of the media types in Accept is offered: the answer is application/json.")
	}
	return best, nil
}

// mediaRange returns the level that one media range asks for, and its weight in thousandths, which
// is 0 if the answer cannot have that type. A browser that asks for a page gets JSON, as from
// Graph.
func mediaRange(s string) (level, int) {
	name, params, _ := strings.Cut(s, ";")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "application/json", "application/*", "*/*", "text/html", "application/xhtml+xml":
	default:
		return minimal, 0
	}
	l, q := minimal, 1000
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		value = strings.ToLower(strings.Trim(strings.TrimSpace(value), `"`))
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "odata.metadata", "metadata":
			switch m := level(value); m {
			case none, minimal, full:
				l = m
			default:
				return minimal, 0
			}
		case "q":
			q = quality(value)
		}
	}
	return l, q
}

// quality reads a weight (RFC 9110, section 12.4.2) in thousandths. A text that is no weight counts
// as 1000, the greatest.
func quality(s string) int {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return 1000
	}
	return int(f * 1000)
}

// acceptsGzip reports whether the client wants gzip at least as much as the
// plain answer (RFC 9110, section 12.5.3).
func acceptsGzip(head http.Header) bool {
	gzip, other, plain := -1, -1, -1
	for part := range elements(head["Accept-Encoding"]) {
		name, params, _ := strings.Cut(part, ";")
		q := 1000
		if key, value, ok := strings.Cut(params, "="); ok && strings.EqualFold(strings.TrimSpace(key), "q") {
			q = quality(strings.TrimSpace(value))
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			gzip = q
		case "*":
			other = q
		case "identity":
			plain = q
		}
	}
	if gzip < 0 {
		gzip = other
	}
	return gzip > 0 && gzip >= plain
}

// preferredSize returns the page size that Prefer asks for, at most maxPage, or 0 if it asks for
// none (OData Protocol 4.01, section 8.2.8.6).
func preferredSize(head http.Header) int {
	for part := range elements(head["Prefer"]) {
		name, value, _ := strings.Cut(part, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "odata.maxpagesize", "maxpagesize":
			value, _, _ = strings.Cut(value, ";")
			n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
			if err == nil && n > 0 {
				return int(min(n, maxPage))
			}
		}
	}
	return 0
}

// elements yields the first hundred elements of a list header.
func elements(lines []string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		n := 0
		for _, line := range lines {
			for part := range strings.SplitSeq(line, ",") {
				part = strings.TrimSpace(part)
				if part == "" {
					continue
				}
				if n++; n > 100 || !yield(part) {
					return
				}
			}
		}
	}
}
