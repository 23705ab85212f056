package odata

import (
	"strings"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// A pair is one option of a query: a system query option, its name in lower
// case with its "$", or a parameter alias, its name as written with its "@".
type pair struct{ name, value string }

// split splits a raw query into options and decodes them. It drops options that are neither system
// query options nor aliases.
func split(raw string) ([]pair, error) {
	if len(raw) > maxQuery {
		return nil, errorf("", "The query of the URI has %d bytes, more than the %d that are possible.", len(raw), maxQuery)
	}
	if n := strings.Count(raw, "&") + 1; n > maxOptions {
		return nil, errorf("", "The query of the URI has %d options, more than the %d that are possible.", n, maxOptions)
	}
	var pairs []pair
	for raw != "" {
		var option string
		option, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(option, "=")
		name, err := unescape("", name)
		switch {
		case err != nil:
			return nil, err
		case name == "" || name[0] != '$' && name[0] != '@':
			continue
		case name[0] == '$':
			name = strings.ToLower(name)
		}
		for _, p := range pairs {
			if p.name == name {
				return nil, errorf(clip(name), "Query option '%s' was specified more than once, but it must be specified at most once.", clip(name))
			}
		}
		if value, err = unescape(clip(name), value); err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{name, value})
	}
	return pairs, nil
}

// unescape decodes a name or a value by the rules of queries, where "+" is a space and "%2B" a
// plus. It returns UTF-8 without NUL, because no store can look for anything else.
func unescape(option, s string) (string, error) {
	if strings.ContainsAny(s, "%+") {
		b := make([]byte, 0, len(s))
		for i := 0; i < len(s); i++ {
			c := s[i]
			switch c {
			case '+':
				c = ' '
			case '%':
				high, low := byte(255), byte(255)
				if i+2 < len(s) {
					high, low = call.HexDigit(s[i+1]), call.HexDigit(s[i+2])
				}
				if high|low > 15 {
					return "", badEncoding(option, "a % that is not followed by two hexadecimal digits")
				}
				c = high<<4 | low
				i += 2
			}
			b = append(b, c)
		}
		s = string(b)
	}
	if !utf8.ValidString(s) {
		return "", badEncoding(option, "bytes that are not UTF-8")
	}
	if strings.IndexByte(s, 0) >= 0 {
		return "", badEncoding(option, "a NUL character")
	}
	return s, nil
}

func badEncoding(option, what string) error {
	if option == "" {
		return errorf("", "The query of the URI is not valid: the name of an option has %s.", what)
	}
	return errorf(option, "The query of the URI is not valid: the value of '%s' has %s.", option, what)
}
