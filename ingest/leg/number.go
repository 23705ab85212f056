package leg

import (
	"strings"

	"github.com/trunklog/trunklog/call"
)

// subscriber returns the number in the user part of a SIP or tel URI, without its parameters and
// visual separators (RFC 3966, section 5.1): "+1-555-0100;npdi;rn=+15550001" is "+15550100". A user
// that is no number stays as it is.
func subscriber(user string) string {
	number, _, _ := strings.Cut(user, ";")
	if digits, ok := call.Dialled(number, ""); ok {
		return digits
	}
	return user
}
