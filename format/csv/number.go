package csv

import "strings"

// NumberRules say how numbers are brought into the form of E.164. Without
// rules they stay as they came.
type numberRules struct {
	country       string // code of the country in which national numbers are
	international string // prefix of international numbers, such as 00
	national      string // prefix of national numbers, such as 0
}

// clean returns a number without the parts of a URI and without what separates
// its digits, in the form of E.164 if the rules tell how. What is no number,
// such as a name, stays as it came.
func (n *numberRules) clean(s string) string {
	if n == nil {
		return s
	}
	bare := userPart(s)
	digits := strings.Map(withoutSeparators, bare)
	if !isNumber(digits) {
		return bare
	}
	bare = digits
	switch {
	case strings.HasPrefix(bare, "+"):
		return bare
	case n.international != "" && strings.HasPrefix(bare, n.international):
		return "+" + bare[len(n.international):]
	case n.national != "" && strings.HasPrefix(bare, n.national):
		return "+" + n.country + bare[len(n.national):]
	}
	return bare
}

func withoutSeparators(c rune) rune {
	if strings.ContainsRune(" -()/.", c) {
		return -1
	}
	return c
}

// userPart returns the user of a SIP URI, the number of a tel URI, or s.
func userPart(s string) string {
	t := strings.Trim(s, "<>")
	scheme, rest, ok := strings.Cut(t, ":")
	if ok {
		switch strings.ToLower(scheme) {
		case "sip", "sips", "tel":
		default:
			return s
		}
		t = rest
	}
	user, _, hasHost := strings.Cut(t, "@")
	if !ok && !hasHost {
		return s
	}
	user, _, _ = strings.Cut(user, ";")
	return user
}

// isNumber reports whether s is digits, perhaps masked, perhaps behind a plus.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "+")
	return s != "" && strings.Trim(s, "0123456789*") == ""
}
