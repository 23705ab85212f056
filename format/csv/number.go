package csv

import (
	"strings"

	"github.com/trunklog/trunklog/call"
)

// numberRules say how to bring numbers into the form of E.164. Without rules they stay as they
// came.
type numberRules struct {
	country       string // country code of national numbers
	international string // prefix of international numbers, such as 00
	national      string // prefix of national numbers, such as 0
}

// The least digits behind a prefix, and the most of a number (E.164, section 6.1). A shorter number
// is the prefix alone, a service or an extension, such as 0, 0049 and 0110: it stays as it came,
// because +49 alone is no caller.
const (
	fewestDigits = 4
	mostDigits   = 15
)

// clean returns a number without the parts of a URI and without separators, in the form of E.164 if
// the rules say how. A text that is no number, such as a name, stays as it came. Bare reports a
// prefix with too few digits behind it.
func (n *numberRules) clean(s string) (number string, bare bool) {
	if n == nil {
		return s, false
	}
	s = call.NumberIn(s)
	digits, ok := call.Dialled(s, n.international)
	if !ok {
		return s, false
	}
	country, prefixed := "", false
	rest := digits
	if n.international != "" {
		rest, prefixed = strings.CutPrefix(digits, n.international)
	}
	if !prefixed && n.national != "" {
		country = n.country
		rest, prefixed = strings.CutPrefix(digits, n.national)
	}
	if !prefixed {
		return digits, false
	}
	e164 := n.behind(country, rest)
	if e164 == "" {
		return digits, true
	}
	return "+" + e164, false
}

// behind returns the number that rest is behind a prefix, in a country or with its code in front;
// empty if rest can be no number.
func (n *numberRules) behind(country, rest string) string {
	if len(rest) < fewestDigits || rest[0] == '0' || len(country)+len(rest) > mostDigits {
		return ""
	}
	return country + rest
}
