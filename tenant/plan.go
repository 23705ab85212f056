package tenant

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// A Plan is a dial plan: how people dial and devices show numbers on a trunk that does not use
// E.164. The zero Plan leaves every number unchanged.
type Plan struct {
	Country       string `json:"country,omitempty"`       // the country code: digits such as "49"
	National      string `json:"national,omitempty"`      // in front of a number of the country, such as "0"; empty if there is nothing
	International string `json:"international,omitempty"` // in front of a country code, such as "00"
}

var planForm = regexp.MustCompile(`^\+([1-9][0-9]{0,2})/([0-9]{0,4})/([0-9]{1,6})$`)

// ParsePlan reads a plan of the form +COUNTRY/NATIONAL/INTERNATIONAL, such as
// +49/0/00 for Germany, +1/1/011 for North America, and +34//00 for Spain, where
// nothing stands in front of a national number. Errors wrap [call.ErrInvalid].
func ParsePlan(s string) (Plan, error) {
	m := planForm.FindStringSubmatch(s)
	if m == nil {
		return Plan{}, fmt.Errorf("%w: dial plan %q: +COUNTRY/NATIONAL/INTERNATIONAL is needed, such as +49/0/00, or +34//00 where no prefix stands in front of national numbers", call.ErrInvalid, s)
	}
	return Plan{Country: m[1], National: m[2], International: m[3]}, nil
}

func (p Plan) String() string {
	if p == (Plan{}) {
		return ""
	}
	return "+" + p.Country + "/" + p.National + "/" + p.International
}

// The least and the most digits of a number with its area code. A shorter number is an extension or
// a service, a longer one is none (E.164, section 6.1).
const (
	fewestDigits = 7
	mostDigits   = 15
)

// E164 returns number in the form of E.164, or unchanged if the plan does not say how: an
// extension, a name, a prefix with nothing behind it. It removes the separators of a number that
// begins with +.
func (p Plan) E164(number string) string {
	if p == (Plan{}) {
		return number
	}
	digits, ok := call.Dialled(number, p.International)
	switch {
	case !ok:
		return number
	case digits[0] == '+':
		return digits
	case strings.Trim(digits, "0123456789") != "":
		return number
	}
	e164 := ""
	if rest, ok := strings.CutPrefix(digits, p.International); ok {
		e164 = rest
	} else if rest, ok := strings.CutPrefix(digits, p.National); ok && len(rest) >= fewestDigits && rest[0] != '0' {
		e164 = p.Country + rest
	}
	if len(e164) < fewestDigits || len(e164) > mostDigits || e164[0] == '0' {
		return number
	}
	return "+" + e164
}
