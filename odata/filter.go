package odata

import (
	"strings"

	"github.com/trunklog/trunklog/call"
)

// Limits of a $filter. The parser enforces them as it reads, so that the cost of a hostile filter
// does not depend on its meaning.
const (
	maxFilter = 4 << 10 // bytes
	maxTokens = 256     // words, values and signs
	maxDepth  = 16      // parentheses within each other
	maxIn     = 100     // values of one "in"
)

// ParseFilter reads the value of $filter, decoded:
//
//	or         = and { "or" and }
//	and        = not { "and" not }
//	not        = { "not" } comparison
//	comparison = operand [ ("eq"|"ne"|"lt"|"le"|"gt"|"ge") operand
//	                     | "in" "(" literal { "," literal } ")" ]
//	operand    = "(" or ")" | property | "tolower" "(" property ")" | literal
//	           | ("startswith"|"endswith"|"contains") "(" property "," string ")"
//	literal    = string | number | "true" | "false" | "null" | date | date-time | GUID
//
// "not" takes in the whole comparison that follows. Words and properties may be in any case. A
// comparison has a property on one side; null stands for the zero value, which means "not known" in
// a row. A date is its midnight in UTC, a date-time without a zone is in UTC, and both may be
// quoted, as may GUIDs. tolower(p) eq 's' compares in any case, whatever the case of s.
//
// A condition on callType holds for Graph's and the admin centre's names alike: callType eq
// 'ByotIn' finds the rows with dr_in as well.
//
// The error is an [*Error]. It gives places as Microsoft does: in characters, the first of which is
// at position 0.
func ParseFilter(s string) (call.Expr, error) {
	if len(s) > maxFilter {
		return nil, errorf("$filter", "Invalid filter clause: it has %d bytes, more than the %d that are possible.", len(s), maxFilter)
	}
	p := parser{lex: lexer{src: s}}
	if err := p.next(); err != nil {
		return nil, err
	}
	o, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != endToken {
		return nil, p.unexpected("'and', 'or' or the end")
	}
	return p.condition(o)
}

// A parser reads a filter with one token of foresight.
type parser struct {
	lex lexer
	tok token
}

// An operand is what can stand on either side of an operator: a property, a literal, or a complete
// condition.
type operand struct {
	pos   int
	kind  operandKind
	field call.Field // of a property
	lower bool       // the property is within tolower
	value literal
	cond  call.Expr
}

type operandKind uint8

const (
	propertyOperand operandKind = iota
	literalOperand
	conditionOperand
)

func (p *parser) next() (err error) {
	p.tok, err = p.lex.next()
	return err
}

// is reports whether the next token is the given word, which is in lower case.
func (p *parser) is(word string) bool {
	return p.tok.kind == nameToken && strings.EqualFold(p.tok.text, word)
}

// expect consumes a sign.
func (p *parser) expect(kind tokenKind, what string) error {
	if p.tok.kind != kind {
		return p.unexpected(what)
	}
	return p.next()
}

func (p *parser) unexpected(expected string) error {
	return p.lex.errorf(p.tok.pos, "Syntax error at position %d: expected %s, found %s.", expected, p.tok.describe())
}

func (p *parser) or() (operand, error) {
	return p.chain("or", p.and, func(parts []call.Expr) call.Expr { return call.Or(parts) })
}

func (p *parser) and() (operand, error) {
	return p.chain("and", p.not, func(parts []call.Expr) call.Expr { return call.And(parts) })
}

// chain reads one or more parts that the word joins.
func (p *parser) chain(word string, part func() (operand, error), join func([]call.Expr) call.Expr) (operand, error) {
	first, err := part()
	if err != nil || !p.is(word) {
		return first, err
	}
	x, err := p.condition(first)
	if err != nil {
		return operand{}, err
	}
	parts := []call.Expr{x}
	for p.is(word) {
		if err := p.next(); err != nil {
			return operand{}, err
		}
		o, err := part()
		if err != nil {
			return operand{}, err
		}
		if x, err = p.condition(o); err != nil {
			return operand{}, err
		}
		parts = append(parts, x)
	}
	return operand{pos: first.pos, kind: conditionOperand, cond: join(parts)}, nil
}

func (p *parser) not() (operand, error) {
	pos, some, odd := p.tok.pos, false, false
	for p.is("not") {
		some, odd = true, !odd
		if err := p.next(); err != nil {
			return operand{}, err
		}
	}
	o, err := p.comparison()
	if err != nil || !some {
		return o, err
	}
	x, err := p.condition(o)
	if err != nil {
		return operand{}, err
	}
	if odd {
		x = negate(x)
	}
	return operand{pos: pos, kind: conditionOperand, cond: x}, nil
}

func (p *parser) comparison() (operand, error) {
	left, err := p.operand()
	if err != nil || p.tok.kind != nameToken {
		return left, err
	}
	word, pos := strings.ToLower(p.tok.text), p.tok.pos
	if word == "in" {
		return p.in(left)
	}
	op, ok := opNamed(word)
	if !ok {
		return left, nil
	}
	if err := p.next(); err != nil {
		return operand{}, err
	}
	right, err := p.operand()
	if err != nil {
		return operand{}, err
	}
	x, err := p.compare(left, op, pos, right)
	return operand{pos: left.pos, kind: conditionOperand, cond: x}, err
}

// in reads the list behind a property and "in".
func (p *parser) in(left operand) (operand, error) {
	pos := p.tok.pos
	if err := p.next(); err != nil {
		return operand{}, err
	}
	if err := p.expect(openToken, "'('"); err != nil {
		return operand{}, err
	}
	var parts call.Or
	for {
		if len(parts) == maxIn {
			return operand{}, p.lex.errorf(p.tok.pos, "The list before position %d has more than the %d values that are possible.", maxIn)
		}
		if p.tok.kind != literalToken {
			return operand{}, p.unexpected("a value")
		}
		x, err := p.equal(left, p.tok.value, pos, "In")
		if err != nil {
			return operand{}, err
		}
		parts = append(parts, x)
		if err := p.next(); err != nil {
			return operand{}, err
		}
		if p.tok.kind != commaToken {
			break
		}
		if err := p.next(); err != nil {
			return operand{}, err
		}
	}
	if err := p.expect(closeToken, "',' or ')'"); err != nil {
		return operand{}, err
	}
	o := operand{pos: left.pos, kind: conditionOperand, cond: parts}
	if len(parts) == 1 {
		o.cond = parts[0]
	}
	return o, nil
}

func (p *parser) operand() (operand, error) {
	t := p.tok
	switch t.kind {
	case literalToken:
		return operand{pos: t.pos, kind: literalOperand, value: t.value}, p.next()
	case openToken:
		if err := p.next(); err != nil {
			return operand{}, err
		}
		o, err := p.or()
		if err != nil {
			return operand{}, err
		}
		return o, p.expect(closeToken, "')'")
	case nameToken:
		if isKeyword(t.text) {
			break
		}
		if err := p.next(); err != nil {
			return operand{}, err
		}
		if p.tok.kind == openToken {
			return p.function(t)
		}
		f, err := p.property(t)
		return operand{pos: t.pos, field: f}, err
	}
	return operand{}, p.unexpected("a property, a value, a function or '('")
}

// isKeyword reports whether a name is an operator, and so cannot name anything else.
func isKeyword(name string) bool {
	switch word := strings.ToLower(name); word {
	case "and", "or", "not", "in":
		return true
	default:
		_, ok := opNamed(word)
		return ok
	}
}

// property returns the field that a name stands for.
func (p *parser) property(t token) (call.Field, error) {
	f, ok := wireField(t.text)
	if !ok {
		return 0, p.lex.errorf(t.pos, "Could not find a property named '%[2]s' on type '%[3]s' (at position %[1]d).", clip(t.text), rowType)
	}
	if f.Type() == call.List {
		return 0, p.lex.errorf(t.pos, "The property '%[2]s' at position %[1]d is a collection, which cannot be compared.", f)
	}
	return f, nil
}

// function reads the arguments of the function whose name was t.
func (p *parser) function(t token) (operand, error) {
	name := strings.ToLower(t.text)
	op, two := functionNamed(name)
	if !two && name != "tolower" {
		return operand{}, p.lex.errorf(t.pos, "An unknown function with name '%[2]s' was found at position %[1]d. "+
			"Possible are startswith, endswith, contains and tolower.", clip(t.text))
	}
	if err := p.next(); err != nil {
		return operand{}, err
	}
	subject, err := p.operand()
	if err != nil {
		return operand{}, err
	}
	text := subject.kind == propertyOperand && subject.field.Type() == call.Text && !subject.lower
	subject.pos, subject.lower = t.pos, true
	if two {
		if err := p.expect(commaToken, "','"); err != nil {
			return operand{}, err
		}
		part, err := p.operand()
		if err != nil {
			return operand{}, err
		}
		text = text && part.kind == literalOperand && part.value.edm == edmString
		if text {
			m := call.TextMatch{Field: subject.field, Op: op, Part: part.value.value.(string)}
			subject = operand{pos: t.pos, kind: conditionOperand, cond: widen(m)}
		}
	}
	if !text {
		return operand{}, p.noSignature(t, name, two)
	}
	return subject, p.expect(closeToken, "')'")
}

func (p *parser) noSignature(t token, name string, two bool) error {
	signature := "(a text property)"
	if two {
		signature = "(a text property, a string)"
	}
	return p.lex.errorf(t.pos, "No function signature for the function with name '%[2]s' at position %[1]d matches the specified arguments. "+
		"The function signatures considered are: %[2]s%[3]s.", name, signature)
}
