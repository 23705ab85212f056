package ingest

import (
	"iter"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// A spelling is one way to read a number: its digits, and how many more at the end are masked.
type spelling struct {
	digits string
	masked int
	// abroad says that the digits begin with the country code.
	abroad bool
	// trunk says that the digits followed a 0, so that only the country code can be missing.
	trunk bool
}

const (
	longestCountryCode = 3 // ITU-T E.164, section 6.2.1
	longestExtension   = 5 // with so few digits, a leading 0 is part of the number
)

// sharedDigits returns how many digits two numbers share if they may be one, as an SBC and
// Microsoft write it: with a country code or without, behind a 0, a 00 or the digit for a line,
// masked at the end, or as an extension. It returns 0 for two different numbers; known is false if
// one of the texts is no number.
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

// spellings returns the ways to read a number; none if it is not one.
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
		if zeros == 2 { // or the first 0 is for a line
			all = append(all, spelling{digits: rest, masked: masked, trunk: true})
		}
	}
	read(digits)
	const line = 8 // a number behind the digit for a line has more digits
	if len(digits)+masked > line && digits[0] != '0' {
		read(digits[1:])
	}
	if rest, ok := strings.CutPrefix(digits, "011"); ok { // how North America dials abroad
		all = append(all, spelling{digits: rest, masked: masked, abroad: true})
	}
	return all
}

// isKnown reports whether a text is a number that tells calls apart.
func isKnown(number string) bool {
	_, ok := plainNumber(number)
	return ok
}

// plainNumber returns a number as digits, with its plus and its masks if it has them, and reports
// whether it shows a digit other than 0.
func plainNumber(number string) (string, bool) {
	plain, ok := call.Dialled(call.NumberIn(number), "")
	shown, _, _ := strings.Cut(plain, "*")
	return plain, ok && strings.ContainsAny(shown, "123456789")
}

// numberKeys yields a number of two digits for the caller and one for the callee. Two rows whose
// numbers agree share one: the digits before the last three, which Microsoft masks.
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

// same returns how many digits two spellings share, compared from the end, if the shorter one is
// the end of the longer one; else 0.
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
	for i := hidden; i < len(short.digits)+short.masked; i++ { // counted from the end
		if long.digits[len(long.digits)+long.masked-1-i] != short.digits[len(short.digits)+short.masked-1-i] {
			return 0
		}
		n++
	}
	return n
}

// begins returns how many digits a masked number shows, if the other one, which is of another
// length, begins with them; else 0. A mask need not be as long as the digits that it hides.
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
