package admin

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/trunklog/trunklog/call"
)

// appendQuery appends q. It fails with [call.ErrInvalid] if q.Where holds a condition that package
// call does not have.
func appendQuery(b []byte, q call.Query) ([]byte, error) {
	b = append(b, q.Tenant[:]...)
	b = appendMoment(b, q.From)
	b = appendMoment(b, q.To)
	b = appendMoment(b, q.After.Start)
	b = append(b, q.After.ID[:]...)
	b = binary.AppendVarint(b, q.Skip)
	b = binary.AppendVarint(b, int64(q.Limit))
	b = appendVersion(appendFlag(b, q.Reverse), q.Walk)
	return appendExpr(b, q.Where, 0)
}

func parseQuery(s string) (call.Query, error) {
	p := parser{s: s}
	q := p.query()
	if err := p.end(); err != nil {
		return call.Query{}, err
	}
	return q, nil
}

func (p *parser) query() call.Query {
	q := call.Query{Tenant: p.guid(), From: p.moment(), To: p.moment()}
	q.After.Start, q.After.ID = p.moment(), p.guid()
	q.Skip, q.Limit, q.Reverse, q.Walk = p.varint(), int(p.varint()), p.flag(), p.version()
	q.Where = p.expr(0)
	return q
}

// The tags of conditions, and of the values in a [call.Compare].
const (
	tagNone = iota
	tagAnd
	tagOr
	tagNot
	tagCompare
	tagTextMatch
	tagDigits
	tagSeenBy
	tagNumberLike
	tagToldProven
)

const (
	tagOther = iota // a type that no field has: such a value matches no row
	tagGUID
	tagText
	tagTime
	tagNumber
	tagBool
)

// maxDepth limits the nesting of conditions.
const maxDepth = 1000

func appendExpr(b []byte, x call.Expr, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: the condition is nested more than %d times", call.ErrInvalid, maxDepth)
	}
	switch x := x.(type) {
	case nil:
		if depth == 0 {
			return append(b, tagNone), nil
		}
	case call.And:
		return appendExprs(append(b, tagAnd), x, depth)
	case call.Or:
		return appendExprs(append(b, tagOr), x, depth)
	case call.Not:
		return appendExpr(append(b, tagNot), x.X, depth+1)
	case call.Compare:
		if x.Field < call.NumFields {
			return appendOperand(append(b, tagCompare, byte(x.Field), byte(x.Op)), x.Value), nil
		}
	case call.TextMatch:
		if x.Field < call.NumFields {
			return appendText(append(b, tagTextMatch, byte(x.Field), byte(x.Op)), x.Part), nil
		}
	case call.Digits:
		return appendText(append(b, tagDigits), string(x)), nil
	case call.NumberLike:
		return appendText(append(b, tagNumberLike), string(x)), nil
	case call.SeenBy:
		b = binary.AppendUvarint(append(b, tagSeenBy), uint64(x.All))
		return binary.AppendUvarint(b, uint64(x.None)), nil
	case call.ToldProven:
		return appendExpr(append(b, tagToldProven), x.X, depth+1)
	}
	return nil, fmt.Errorf("%w: there is no condition %T like that", call.ErrInvalid, x)
}

func appendExprs(b []byte, xs []call.Expr, depth int) (_ []byte, err error) {
	b = binary.AppendUvarint(b, uint64(len(xs)))
	for _, x := range xs {
		if b, err = appendExpr(b, x, depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendOperand(b []byte, v any) []byte {
	switch v := v.(type) {
	case call.GUID:
		return append(append(b, tagGUID), v[:]...)
	case string:
		return appendText(append(b, tagText), v)
	case time.Time:
		return appendMoment(append(b, tagTime), v)
	case int32:
		return binary.AppendVarint(append(b, tagNumber), int64(v))
	case bool:
		return appendFlag(append(b, tagBool), v)
	}
	return append(b, tagOther)
}

// expr returns a condition, which may be nil at depth 0 only.
func (p *parser) expr(depth int) call.Expr {
	tag := p.byte()
	if depth > maxDepth || tag == tagNone && depth > 0 {
		p.bad = true
	}
	if p.bad {
		return nil
	}
	switch tag {
	case tagNone:
		return nil
	case tagAnd:
		return call.And(p.exprs(depth + 1))
	case tagOr:
		return call.Or(p.exprs(depth + 1))
	case tagNot:
		return call.Not{X: p.expr(depth + 1)}
	case tagCompare:
		return call.Compare{Field: p.field(), Op: call.Op(p.byte()), Value: p.operand()}
	case tagTextMatch:
		return call.TextMatch{Field: p.field(), Op: call.TextOp(p.byte()), Part: p.text()}
	case tagDigits:
		return call.Digits(p.text())
	case tagNumberLike:
		return call.NumberLike(p.text())
	case tagSeenBy:
		return call.SeenBy{All: p.kinds(), None: p.kinds()}
	case tagToldProven:
		return call.ToldProven{X: p.expr(depth + 1)}
	}
	p.bad = true
	return nil
}

func (p *parser) exprs(depth int) []call.Expr {
	n := p.uvarint()
	if n > uint64(len(p.s)) { // a condition has at least one byte
		p.bad = true
		return nil
	}
	xs := make([]call.Expr, 0, n)
	for ; n > 0 && !p.bad; n-- {
		xs = append(xs, p.expr(depth))
	}
	return xs
}

func (p *parser) kinds() call.Kinds {
	n := p.uvarint()
	p.bad = p.bad || n > math.MaxUint16
	return call.Kinds(n)
}

func (p *parser) field() call.Field {
	f := call.Field(p.byte())
	p.bad = p.bad || f >= call.NumFields
	return f
}

func (p *parser) operand() any {
	switch p.byte() {
	case tagOther:
		return nil
	case tagGUID:
		return p.guid()
	case tagText:
		return p.text()
	case tagTime:
		return p.moment()
	case tagNumber:
		n := p.varint()
		p.bad = p.bad || n != int64(int32(n))
		return int32(n)
	case tagBool:
		return p.flag()
	}
	p.bad = true
	return nil
}
