package call

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fold returns the text that stands for s in any case: Fold(a) == Fold(b) if and only if
// strings.EqualFold(a, b). Engines index in this form the texts that [EqualFold] asks for. It
// returns a folded text unchanged.
func Fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return s[:i] + foldAll(s[i:])
		}
	}
	return s
}

func foldAll(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, c := range s { // bytes that are not UTF-8 come as U+FFFD, as in EqualFold
		b.WriteRune(foldRune(c))
	}
	return b.String()
}

// foldRune returns the rune that stands for all that differ from c in case only: the small ASCII
// letter if they include one, as k for K and the kelvin sign, or else the first in the order of
// Unicode.
func foldRune(c rune) rune {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	if c < utf8.RuneSelf {
		return c
	}
	first := c
	for r := unicode.SimpleFold(c); r != c; r = unicode.SimpleFold(r) {
		if 'a' <= r && r <= 'z' {
			return r
		}
		first = min(first, r)
	}
	return first
}
