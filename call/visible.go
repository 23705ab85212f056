package call

import (
	"strings"
	"unicode"
)

// Visible returns s without the characters that show nothing, such as the marks of
// direction (U+200E, U+202A to U+202E, U+2066 to U+2069) that programs put around
// numbers and times, with a plain space for every other one (U+00A0, U+202F), and
// with plain digits, signs and letters for those of full width (U+FF01 to U+FF5E).
func Visible(s string) string {
	if isPlain(s) {
		return s
	}
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		const first, last, distance = '！', '～', '！' - '!'
		switch {
		case first <= c && c <= last:
			return c - distance
		case unicode.Is(unicode.Zs, c):
			return ' '
		case unicode.Is(unicode.Cf, c) || unicode.Is(unicode.Cc, c) && c != '\t' && c != '\n' && c != '\r':
			return -1
		}
		return c
	}, s))
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
