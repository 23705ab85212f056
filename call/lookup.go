package call

import "strings"

// A LookupKind says by what a [Lookup] finds rows. The set is closed.
type LookupKind uint8

// The kinds of look-ups.
const (
	// FindID finds the row with the id.
	FindID LookupKind = iota + 1
	// FindCorrelation finds the rows with the correlation id.
	FindCorrelation
	// FindWritten finds exactly the rows whose caller or callee has the digits and '*' of Text, in
	// this order.
	FindWritten
	// FindNumber finds the rows whose caller or callee can be the number Text: those with its
	// digits, and masked ones.
	FindNumber
	// FindMasked finds the rows whose caller or callee can be one of the numbers that Text, which
	// has a '*', stands for.
	FindMasked
	// FindName finds the rows whose principal name folds to Text, see [Fold].
	FindName
	// FindUser finds the rows with the user id.
	FindUser
)

// A Lookup is a question that an index answers. Two equal ones find the same rows.
type Lookup struct {
	By   LookupKind
	ID   GUID   // of FindID, FindCorrelation and FindUser
	Text string // of FindNumber, FindMasked and FindWritten digits and '*' only
}

// Finds reports whether l finds r.
func (l Lookup) Finds(r *Row) bool {
	switch l.By {
	case FindID:
		return r.ID == l.ID
	case FindCorrelation:
		return r.CorrelationID == l.ID
	case FindUser:
		return r.UserID == l.ID
	case FindName:
		return Fold(r.UserPrincipalName) == l.Text
	case FindNumber, FindMasked:
		return Digits(l.Text).Match(r)
	case FindWritten:
		return Symbols(r.Caller) == l.Text || Symbols(r.Callee) == l.Text
	}
	return false
}

// Shown returns the digits of Text before its first '*'.
func (l Lookup) Shown() string {
	shown, _, _ := strings.Cut(l.Text, "*")
	return shown
}

// rows ranks l by how many rows it may find, compared with other kinds.
func (l Lookup) rows() int {
	switch l.By {
	case FindID:
		return 1
	case FindCorrelation:
		return 10
	case FindWritten:
		return 990
	case FindNumber:
		return 1000
	case FindName:
		return 2000
	case FindUser:
		return 2001
	}
	return 10_000
}

// Symbols returns the digits and '*' of a number; comparisons of numbers use only these.
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
