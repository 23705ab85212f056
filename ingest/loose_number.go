package ingest

import (
	"iter"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// A spelling is one way to read a number: digits, of which so many at the end are
// masked.
type spelling struct {
	digits string
	masked int
	// abroad says that the country code is among the digits.
	abroad bool
	// trunk says that the digits followed a 0, so that only a country code can be
	// missing.
	trunk bool
}

const (
	longestCountryCode = 3 // ITU-T E.164, section 6.2.1
	longestExtension   = 5 // a 0 in front of so few digits is one of them
)

// sharedDigits returns how many digits show that two numbers are one, as an SBC and
// Microsoft may write it: with a country code or without, behind a 0, a 00 or the digit
// for a line, masked at the end, or as an extension. It is 0 for two numbers of which
// one is another one; known is false if one of them is no number at all.
func sharedDigits(a, b string) (digits int, known bool) {
	x, y := spellings(a), spellings(b)
	if len(x) == 0 || len(y) == 0 {
		return 0, false
	}
	for _, x := range x {
		for _, y := range y {
			digits = max(digits, x.same(y))
		}
	}
	return digits, true
}

// spellings returns the ways to read a number; none for what is not one.
func spellings(number string) (all []spelling) {
	plain, ok := plainNumber(number)
	if !ok {
		return nil
	}
	b, masked := call.AppendDigits(nil, plain)
	digits := string(b)
	if strings.HasPrefix(plain, "+") {
		return []spelling{{digits: digits, masked: masked, abroad: true}}
	}
	read := func(digits string) {
		rest := strings.TrimLeft(digits, "0")
		zeros := len(digits) - len(rest)
		if len(digits)+masked <= longestExtension {
			rest, zeros = digits, 0
		}
		all = append(all, spelling{digits: rest, masked: masked, abroad: zeros > 1, trunk: zeros == 1})
		if zeros == 2 { // or the first is for a line
			all = append(all, spelling{digits: rest, masked: masked, trunk: true})
		}
	}
	read(digits)
	const line = 8 // a number that follows the digit for a line has more
	if len(digits)+masked > line && digits[0] != '0' {
		read(digits[1:])
	}
	if rest, ok := strings.CutPrefix(digits, "011"); ok { // how America dials abroad
		all = append(all, spelling{digits: rest, masked: masked, abroad: true})
	}
	return all
}

// isKnown reports whether something is a number that calls can be told apart by.
func isKnown(number string) bool {
	_, ok := plainNumber(number)
	return ok
}

// plainNumber returns the digits in a number, perhaps masked or behind a plus, and
// reports whether there are any that tell something.
func plainNumber(number string) (string, bool) {
	plain, ok := call.Dialled(call.NumberIn(number), "")
	shown, _, _ := strings.Cut(plain, "*")
	return plain, ok && strings.ContainsAny(shown, "123456789")
}

// numberKeys yields numbers of two digits each, of which two rows have one in common
// whose numbers agree: the digits before those that Microsoft masks, the last three.
func numberKeys(r *call.Row) iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, number := range [...]string{r.Caller, r.Callee} {
			plain, ok := plainNumber(number)
			if !ok {
				continue
			}
			plain = call.Symbols(plain)
			n := len(plain) - 3
			if n < 2 || plain[n-2] == '*' || plain[n-1] == '*' {
				continue
			}
			if !yield(10*int(plain[n-2]-'0') + int(plain[n-1]-'0')) {
				return
			}
		}
	}
}

// same returns how many digits two spellings share, compared from the end, if the
// shorter one is the end of the longer one; else 0.
func (x spelling) same(y spelling) (n int) {
	long, short := x, y
	if len(long.digits)+long.masked < len(short.digits)+short.masked {
		long, short = short, long
	}
	missing := len(long.digits) + long.masked - len(short.digits) - short.masked
	hidden := max(x.masked, y.masked)
	switch {
	case missing > 0 && x.abroad && y.abroad:
		return x.begins(y)
	case missing > 0 && (short.abroad || short.trunk && missing > longestCountryCode):
		return 0
	}
	for i := hidden; i < len(short.digits)+short.masked; i++ { // from the end
		if long.digits[len(long.digits)+long.masked-1-i] != short.digits[len(short.digits)+short.masked-1-i] {
			return 0
		}
		n++
	}
	return n
}

// begins returns how many digits a masked number shows, if another one, which is not as
// long, begins with them; else 0. Masks need not be as long as what they hide.
func (x spelling) begins(y spelling) int {
	if x.masked == 0 && y.masked == 0 || x.masked > 0 && y.masked > 0 {
		return 0
	}
	if x.masked == 0 {
		x, y = y, x
	}
	if !strings.HasPrefix(y.digits, x.digits) {
		return 0
	}
	return len(x.digits)
}
