package call

import (
	"cmp"
	"strings"
	"time"
)

// An Expr is a condition on a row. The set of types is closed: [And], [Or], [Not], [Compare],
// [TextMatch], [Digits], [NumberLike], [SeenBy] and [ToldProven]. An engine may translate an Expr to its own
// language, use an index for a part of it, or call Match for each row; the answer is the same.
//
// A field whose value is not known compares as its zero value. A caller that needs "known" asks for
// Compare{f, NE, zero}.
type Expr interface {
	Match(r *Row) bool
	expr()
}

// And holds if every part does; the empty And holds.
type And []Expr

// Or holds if one of its parts does; the empty Or does not.
type Or []Expr

// Not holds if X does not.
type Not struct{ X Expr }

// An Op is a relation between two values.
type Op uint8

// The relations.
const (
	EQ Op = iota
	NE
	LT
	LE
	GT
	GE
)

// Compare holds if the field stands in relation Op to Value. Value is a GUID, string, time.Time,
// int32 or bool, the Go type of the field. Booleans and GUIDs have EQ and NE only. A Value of the
// wrong type matches no row.
type Compare struct {
	Field Field
	Op    Op
	Value any
}

// A TextOp is a relation between a text and a part of it.
type TextOp uint8

// The relations of a [TextMatch].
const (
	HasPrefix TextOp = iota
	HasSuffix
	Contains
	EqualFold // the whole text, in any case
)

// TextMatch holds if the [Text] field stands in relation Op to Part. All but
// EqualFold are exact in case.
type TextMatch struct {
	Field Field
	Op    TextOp
	Part  string
}

// Digits holds if the caller or the callee of a call is the given number. Only digits count, so
// that "+49 30 1234-567" is the same as "49301234567". A stored number that Microsoft has masked
// ("+49301234***") matches every number that it can stand for.
type Digits string

// NumberLike holds if the caller or the callee of a call can be a number of this form. A single '*'
// stands for any digits or none, and several together for as many digits, as in a number that
// Microsoft has masked. The rest is as in [Digits].
type NumberLike string

// SeenBy holds if every kind of All has spoken of the call and no kind of None
// has.
type SeenBy struct{ All, None Kinds }

func (And) expr()        {}
func (Or) expr()         {}
func (Not) expr()        {}
func (Compare) expr()    {}
func (TextMatch) expr()  {}
func (Digits) expr()     {}
func (NumberLike) expr() {}
func (SeenBy) expr()     {}

// Match implements [Expr].
func (a And) Match(r *Row) bool {
	for _, x := range a {
		if !x.Match(r) {
			return false
		}
	}
	return true
}

// Match implements [Expr].
func (o Or) Match(r *Row) bool {
	for _, x := range o {
		if x.Match(r) {
			return true
		}
	}
	return false
}

// Match implements [Expr].
func (n Not) Match(r *Row) bool { return !n.X.Match(r) }

// Match implements [Expr].
func (c Compare) Match(r *Row) bool {
	switch v := c.Value.(type) {
	case GUID:
		if c.Field.Type() == ID {
			return c.Op.equal(r.GUID(c.Field) == v)
		}
	case string:
		if c.Field.Type() == Text {
			return c.Op.holds(strings.Compare(r.Text(c.Field), v))
		}
	case time.Time:
		if c.Field.Type() == Time {
			return c.Op.holds(r.Time(c.Field).Compare(v))
		}
	case int32:
		if c.Field.Type() == Number {
			return c.Op.holds(cmp.Compare(r.Number(c.Field), v))
		}
	case bool:
		if c.Field.Type() == Bool {
			return c.Op.equal(r.Bool(c.Field) == v)
		}
	}
	return false
}

// holds reports whether op holds for two values that compare as c.
func (op Op) holds(c int) bool {
	switch op {
	case EQ:
		return c == 0
	case NE:
		return c != 0
	case LT:
		return c < 0
	case LE:
		return c <= 0
	case GT:
		return c > 0
	case GE:
		return c >= 0
	}
	return false
}

// equal reports whether op holds for two values that have no order.
func (op Op) equal(same bool) bool { return op == EQ && same || op == NE && !same }

// Match implements [Expr].
func (m TextMatch) Match(r *Row) bool {
	if m.Field.Type() != Text {
		return false
	}
	s := r.Text(m.Field)
	switch m.Op {
	case HasPrefix:
		return strings.HasPrefix(s, m.Part)
	case HasSuffix:
		return strings.HasSuffix(s, m.Part)
	case Contains:
		return strings.Contains(s, m.Part)
	case EqualFold:
		return strings.EqualFold(s, m.Part)
	}
	return false
}

// Match implements [Expr].
func (d Digits) Match(r *Row) bool {
	return sameNumber(string(d), r.Caller) || sameNumber(string(d), r.Callee)
}

// Match implements [Expr].
func (n NumberLike) Match(r *Row) bool { return n.is(r.Caller) || n.is(r.Callee) }

// is reports whether a stored number can be of the form. It does not allocate for texts of ordinary
// length.
func (n NumberLike) is(stored string) bool {
	var room [32]byte
	have := room[:0]
	for i := range len(stored) {
		if isSymbol(stored[i]) {
			have = append(have, stored[i])
		}
	}
	// On a mismatch the last '*' takes one digit more, from back on.
	i, j, star, back := 0, 0, -1, 0
	for j < len(have) {
		for i < len(n) && !isSymbol(n[i]) {
			i++
		}
		switch {
		case i < len(n) && n.anyDigits(i):
			star, back = i, j
			i++
		case i < len(n) && (n[i] == have[j] || n[i] == '*' || have[j] == '*'):
			i++
			j++
		case star >= 0:
			back++
			i, j = star+1, back
		default:
			return false
		}
	}
	for i < len(n) && (!isSymbol(n[i]) || n.anyDigits(i)) {
		i++
	}
	return i == len(n) && len(have) > 0
}

// anyDigits reports whether there is a single '*' at i.
func (n NumberLike) anyDigits(i int) bool {
	return n[i] == '*' && (i == 0 || n[i-1] != '*') && (i+1 == len(n) || n[i+1] != '*')
}

// HasAnyDigits reports whether n has a single '*'. Without one it holds as [Digits] does.
func (n NumberLike) HasAnyDigits() bool {
	for i := range len(n) {
		if n.anyDigits(i) {
			return true
		}
	}
	return false
}

// Match implements [Expr].
func (s SeenBy) Match(r *Row) bool { return r.Seen&s.All == s.All && r.Seen&s.None == 0 }

// sameNumber reports whether the number asked for can be the stored one, whose last digits may be
// masked. It does not allocate.
func sameNumber(asked, stored string) bool {
	i, n := 0, 0
	for j := range len(stored) {
		c := stored[j]
		if !isSymbol(c) {
			continue
		}
		for i < len(asked) && !isSymbol(asked[i]) {
			i++
		}
		if i == len(asked) || c != asked[i] && c != '*' && asked[i] != '*' {
			return false
		}
		i++
		n++
	}
	for i < len(asked) && !isSymbol(asked[i]) {
		i++
	}
	return i == len(asked) && n > 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// AppendDigits appends the digits of a number to b, up to the first masked one, and reports how
// many masked ones follow. Engines index numbers in this form.
func AppendDigits(b []byte, number string) (digits []byte, masked int) {
	for i := range len(number) {
		switch c := number[i]; {
		case c == '*':
			masked++
		case isDigit(c) && masked == 0:
			b = append(b, c)
		}
	}
	return b, masked
}

// MapIDs returns x with to(id) in the place of each row id. Engines use it to replace aliases by
// the ids of their rows.
func MapIDs(x Expr, to func(GUID) GUID) Expr {
	switch x := x.(type) {
	case And:
		return And(mapAll(x, to))
	case Or:
		return Or(mapAll(x, to))
	case Not:
		return Not{MapIDs(x.X, to)}
	case ToldProven:
		return ToldProven{MapIDs(x.X, to)}
	case Compare:
		if id, ok := x.Value.(GUID); ok && x.Field == FieldID {
			x.Value = to(id)
		}
		return x
	}
	return x
}

func mapAll(xs []Expr, to func(GUID) GUID) []Expr {
	out := make([]Expr, len(xs))
	for i, x := range xs {
		out[i] = MapIDs(x, to)
	}
	return out
}
