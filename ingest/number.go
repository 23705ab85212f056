package ingest

import "strings"

// subscriber returns the number in the user part of a SIP or tel URI, without
// its parameters and without what separates its digits for the eye (RFC 3966,
// section 5.1): "+1-555-0100;npdi;rn=+15550001" is "+15550100". What is no
// number stays as it is.
func subscriber(user string) string {
	number, _, _ := strings.Cut(user, ";")
	if number == user && !strings.ContainsAny(number, visual) {
		return user
	}
	if digits := strings.TrimPrefix(number, "+"); digits == "" || strings.Trim(digits, "0123456789*#"+visual) != "" || strings.Trim(digits, visual) == "" {
		return user
	}
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(visual, c) {
			return -1
		}
		return c
	}, number)
}

// visual are the separators that a number may have for the eye.
const visual = "-.()"
