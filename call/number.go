package call

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

var (
	// scientific is the form in which a spreadsheet, or pandas, writes a long number.
	scientific = regexp.MustCompile(`^[+-]?[0-9]([.,][0-9]+)?[eE]\+[0-9]{1,3}$`)
	// float is a number that passed through a floating-point type that had room for all its digits.
	float = regexp.MustCompile(`^\+?[0-9]{5,15}\.0+$`)
)

// TidyNumber returns a caller's or callee's number, or the text in its place, without the additions
// of programs: invisible characters (see [Visible]), the ="…" and the apostrophe that mark a text
// for a spreadsheet, the \ that Cisco has in front of a +, and the .0 of a floating-point number.
// It returns an error that wraps [ErrInvalid] if digits are lost: 4.91231E+11 stands for a million
// numbers.
func TidyNumber(s string) (string, error) {
	if isNumber(s) {
		return s, nil
	}
	s = Visible(s)
	if inner, ok := strings.CutPrefix(s, `="`); ok && strings.HasSuffix(inner, `"`) {
		s = strings.TrimSuffix(inner, `"`)
	}
	if len(s) > 1 && (s[0] == '\'' || s[0] == '\\') && (s[1] == '+' || isDigit(s[1])) {
		s = s[1:]
	}
	if !strings.ContainsAny(s, ".,Ee") {
		return s, nil
	}
	if scientific.MatchString(s) {
		return s, fmt.Errorf("%w: the number is written like 4.9E+11, so that a spreadsheet has lost its last digits: export it again, and open the export as text or not at all", ErrInvalid)
	}
	if float.MatchString(s) {
		s, _, _ = strings.Cut(s, ".")
	}
	return s, nil
}

// NumberIn returns the number, or user, out of its SIP wrapping: a URI (sip:+4930@sbc;user=phone,
// tel:+49-30;ext=1, +4930@sbc), perhaps with a name in front ("Anna" <sip:+4930@sbc>), or a number
// with parameters. It returns any other text unchanged.
func NumberIn(s string) string {
	if isNumber(s) || !strings.ContainsAny(s, "<:@;%") {
		return s
	}
	t := s
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		inner, _, closed := strings.Cut(s[i+1:], ">")
		t = strings.TrimSpace(inner)
		if _, isNumber := Dialled(t, ""); !isNumber && (!closed && i > 0 || i > 0 && !strings.ContainsAny(t, ":@")) {
			return s // such as a name with a sign in it
		}
	}
	scheme, rest, uri := strings.Cut(t, ":")
	if uri {
		switch strings.ToLower(scheme) {
		case "sip", "sips", "tel":
			t = rest
		default:
			return s
		}
	}
	user, _, hosted := strings.Cut(t, "@")
	if strings.Contains(user, "%") {
		if plain, err := url.PathUnescape(user); err == nil {
			user = plain
		}
	}
	number, _, _ := strings.Cut(user, ";")
	if uri && !hosted {
		if _, err := netip.ParseAddr(number); err == nil {
			return s // a URI without a user
		}
	}
	if _, isNumber := Dialled(number, ""); isNumber || uri || hosted {
		return number
	}
	return s
}

// separators divide the digits of a number for the eye (RFC 3966, section 5.1.1), together with
// what people and programs write instead.
const separators = " -.()/\t‐‑‒–—−"

// Dialled returns the digits of a number, behind its + if it has one, without separators, and
// reports whether it is a number at all. Digits may be masked (*).
//
// People dial a zero in parentheses behind a country code within the country only, so Dialled drops
// it (ITU-T E.123, section 7.2): +49 (0)30 is +4930. International is the prefix that stands for
// the + of a country code, such as 00; empty if there is none. Italian zeros stay, because they are
// part of the number from abroad too.
func Dialled(number, international string) (digits string, ok bool) {
	if isNumber(number) {
		return number, true
	}
	if !strings.ContainsAny(number, separators) {
		return number, false
	}
	if abroad(number, international) {
		number = trunkZero.ReplaceAllString(number, "")
	}
	digits = strings.Map(func(c rune) rune {
		if strings.ContainsRune(separators, c) {
			return -1
		}
		return c
	}, number)
	return digits, isNumber(digits)
}

// isNumber reports whether s is digits, perhaps masked, perhaps behind a plus.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "+")
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && c != '*' && c != '#' {
			return false
		}
	}
	return s != ""
}

var trunkZero = regexp.MustCompile(`\(\s*0\s*\)`)

// abroad reports whether a number begins with a country code after which (0) is dropped.
func abroad(number, international string) bool {
	code, ok := strings.CutPrefix(strings.TrimLeft(number, separators), "+")
	if !ok && international != "" {
		code, ok = strings.CutPrefix(code, international)
	}
	code = strings.TrimLeft(code, separators)
	return ok && code != "" && '1' <= code[0] && code[0] <= '9' && !strings.HasPrefix(code, "39")
}

// PlainNumber returns the number in s, as [TidyNumber], [NumberIn] and [Dialled] find it, or s
// unchanged if it holds none.
func PlainNumber(s string) string {
	s, err := TidyNumber(s)
	if err != nil {
		return s
	}
	if number, ok := Dialled(NumberIn(s), ""); ok {
		return number
	}
	return s
}
