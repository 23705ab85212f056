package odata

import (
	"github.com/trunklog/trunklog/call"
)

// opNamed returns the relation of an operator in a filter.
func opNamed(word string) (call.Op, bool) {
	for op, w := range opWords {
		if w == word {
			return call.Op(op), true
		}
	}
	return 0, false
}

var opWords = [...]string{call.EQ: "eq", call.NE: "ne", call.LT: "lt", call.LE: "le", call.GT: "gt", call.GE: "ge"}

// opKinds are the names of the relations in OData's errors.
var opKinds = [...]string{
	call.EQ: "Equal", call.NE: "NotEqual",
	call.LT: "LessThan", call.LE: "LessThanOrEqual",
	call.GT: "GreaterThan", call.GE: "GreaterThanOrEqual",
}

// mirror returns the relation that holds when the sides of op are exchanged.
func mirror(op call.Op) call.Op {
	switch op {
	case call.LT:
		return call.GT
	case call.LE:
		return call.GE
	case call.GT:
		return call.LT
	case call.GE:
		return call.LE
	}
	return op
}

// functionNamed returns the relation of a function of two arguments.
func functionNamed(name string) (call.TextOp, bool) {
	for op, w := range functionWords {
		if w == name {
			return call.TextOp(op), true
		}
	}
	return 0, false
}

var functionWords = [...]string{call.HasPrefix: "startswith", call.HasSuffix: "endswith", call.Contains: "contains"}

// negate returns the opposite of x.
func negate(x call.Expr) call.Expr {
	if n, ok := x.(call.Not); ok {
		return n.X
	}
	return call.Not{X: x}
}

// condition returns o as a condition, or an error if it is none.
func (p *parser) condition(o operand) (call.Expr, error) {
	switch {
	case o.kind == conditionOperand:
		return o.cond, nil
	case o.kind == propertyOperand && o.field.Type() == call.Bool:
		return call.Compare{Field: o.field, Op: call.EQ, Value: true}, nil
	case o.kind == literalOperand && o.value.value == true:
		return call.And{}, nil
	case o.kind == literalOperand && o.value.value == false:
		return call.Or{}, nil
	}
	return nil, p.lex.errorf(o.pos, "Syntax error at position %d: expected a condition, such as successfulCall eq true, found a value of type '%s'.", o.edm())
}

func (o operand) edm() edm {
	switch o.kind {
	case propertyOperand:
		return edmOf(o.field)
	case literalOperand:
		return o.value.edm
	}
	return edmBoolean
}

// compare returns the condition "left op right", whose operator is at pos.
func (p *parser) compare(left operand, op call.Op, pos int, right operand) (call.Expr, error) {
	if left.kind == literalOperand {
		left, right, op = right, left, mirror(op)
	}
	if right.kind != literalOperand || left.kind == literalOperand {
		return nil, p.lex.errorf(pos, "The operator at position %d compares '%s' with '%s'; expected a property on one side and a value on the other.",
			left.edm(), right.edm())
	}
	if left.kind == conditionOperand {
		yes, ok := right.value.value.(bool)
		switch {
		case !ok || op != call.EQ && op != call.NE:
			return nil, p.incompatible(left, right.value, pos, opKinds[op])
		case yes == (op == call.EQ):
			return left.cond, nil
		}
		return negate(left.cond), nil
	}
	ordered := op != call.EQ && op != call.NE
	switch {
	case !ordered:
		x, err := p.equal(left, right.value, pos, opKinds[op])
		if err != nil || op == call.EQ {
			return x, err
		}
		if c, ok := x.(call.Compare); ok {
			c.Op = call.NE
			return c, nil
		}
		return negate(x), nil
	case left.lower:
		return nil, p.lex.errorf(pos, "The operator at position %d stands beside tolower, which can be compared with eq, ne and in.")
	case right.value.edm == edmNull, left.field.Type() == call.ID, left.field.Type() == call.Bool:
		return nil, p.incompatible(left, right.value, pos, opKinds[op])
	}
	v, ok := right.value.as(left.field)
	if !ok {
		return nil, p.incompatible(left, right.value, pos, opKinds[op])
	}
	return call.Compare{Field: left.field, Op: op, Value: v}, nil
}

// equal returns the condition that a property has a value.
func (p *parser) equal(left operand, v literal, pos int, kind string) (call.Expr, error) {
	if left.kind != propertyOperand {
		return nil, p.lex.errorf(pos, "The operator at position %d stands behind a value of type '%s'; expected a property.", left.edm())
	}
	value, ok := v.as(left.field)
	if !ok {
		return nil, p.incompatible(left, v, pos, kind)
	}
	text, _ := value.(string)
	if left.field == call.FieldCallType && text != "" {
		if x, ok := widen(call.TextMatch{Field: left.field, Op: call.EqualFold, Part: text}).(call.Or); ok {
			return x, nil
		}
	}
	if left.lower {
		return call.TextMatch{Field: left.field, Op: call.EqualFold, Part: text}, nil
	}
	return call.Compare{Field: left.field, Op: call.EQ, Value: value}, nil
}

func (p *parser) incompatible(left operand, v literal, pos int, kind string) error {
	return p.lex.errorf(pos, "A binary operator with incompatible types was detected. "+
		"Found operand types '%[2]s' and '%[3]s' for operator kind '%[4]s'. The operator is at position %[1]d.", left.edm(), v.edm, kind)
}

// widen returns m, or, if m is about callType, a condition on all names of the types that m finds
// by one of their names. Names of either family compare in any case, as [call.CallType.Graph] does.
func widen(m call.TextMatch) call.Expr {
	if m.Field != call.FieldCallType || m.Part == "" {
		return m
	}
	var or call.Or
	if m.Op != call.EqualFold {
		or = append(or, m)
	}
	var r call.Row
	for _, names := range call.CallTypes() {
		found := false
		for _, name := range names {
			r.CallType = string(name)
			found = found || m.Match(&r)
		}
		if !found {
			continue
		}
		for _, name := range names {
			or = append(or, call.TextMatch{Field: m.Field, Op: call.EqualFold, Part: string(name)})
		}
	}
	if len(or) < 2 {
		return m
	}
	return or
}
