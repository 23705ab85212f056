package call

import "strings"

// A LookupKind says by what a [Lookup] finds rows. The set is closed.
type LookupKind uint8

// The kinds of look-ups.
const (
	// ByID finds the row with the id.
	ByID LookupKind = iota + 1
	// ByCorrelation finds the rows with the correlation id.
	ByCorrelation
	// ByWritten finds the rows whose caller or callee has the digits and '*' of
	// Text, in this order, and no others.
	ByWritten
	// ByNumber finds the rows whose caller or callee can be the number Text: those
	// with its digits, and masked ones.
	ByNumber
	// ByMasked finds the rows whose caller or callee can be one of the numbers that
	// Text, in which there is a '*', stands for.
	ByMasked
	// ByName finds the rows whose principal name is folded to Text, see [Fold].
	ByName
	// ByUser finds the rows with the user id.
	ByUser
)

// A Lookup is a question that an index answers. Two that are equal find the
// same rows.
type Lookup struct {
	By   LookupKind
	ID   GUID   // of ByID, ByCorrelation and ByUser
	Text string // of ByNumber, ByMasked and ByWritten digits and '*' only
}

// Finds reports whether l finds r.
func (l Lookup) Finds(r *Row) bool {
	switch l.By {
	case ByID:
		return r.ID == l.ID
	case ByCorrelation:
		return r.CorrelationID == l.ID
	case ByUser:
		return r.UserID == l.ID
	case ByName:
		return Fold(r.UserPrincipalName) == l.Text
	case ByNumber, ByMasked:
		return Digits(l.Text).Match(r)
	case ByWritten:
		return Symbols(r.Caller) == l.Text || Symbols(r.Callee) == l.Text
	}
	return false
}

// Shown returns the digits of Text before its first '*'.
func (l Lookup) Shown() string {
	shown, _, _ := strings.Cut(l.Text, "*")
	return shown
}

// rows returns how many rows l may find, compared with others.
func (l Lookup) rows() int {
	switch l.By {
	case ByID:
		return 1
	case ByCorrelation:
		return 10
	case ByWritten:
		return 990
	case ByNumber:
		return 1000
	case ByName:
		return 2000
	case ByUser:
		return 2001
	}
	return 10_000
}

// Symbols returns the digits and '*' of a number, which are what counts when it
// is compared with another.
func Symbols(number string) string {
	for i := range len(number) {
		if !isSymbol(number[i]) {
			b := make([]byte, i, len(number))
			copy(b, number)
			for ; i < len(number); i++ {
				if isSymbol(number[i]) {
					b = append(b, number[i])
				}
			}
			return string(b)
		}
	}
	return number
}

func isSymbol(c byte) bool { return isDigit(c) || c == '*' }
