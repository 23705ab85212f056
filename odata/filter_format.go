package odata

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// FormatFilter writes x as the value of $filter, not encoded for a URL. If ParseFilter made x, it
// makes x of the text again; otherwise it makes a condition that holds for the same rows, with two
// exceptions: a comparison with one name of a callType becomes one with all its names, and times
// are cut to 100 ns.
//
// It fails if OData cannot express x, as is the case for [call.Digits], [call.SeenBy] and fields
// that have no place on the wire, or if the text would be longer than ParseFilter accepts. The
// error names no values.
func FormatFilter(x call.Expr) (string, error) {
	if x == nil {
		x = call.And{}
	}
	var p printer
	p.print(x, looseLevel)
	if p.err != nil {
		return "", fmt.Errorf("write a condition as $filter: %w", p.err)
	}
	s := p.b.String()
	if _, err := ParseFilter(s); err != nil {
		return "", fmt.Errorf("write a condition as $filter: %w", err)
	}
	return s, nil
}

// A level is how tightly the surroundings of an expression bind.
type level uint8

const (
	looseLevel level = iota // the whole filter, or within parentheses
	orLevel                 // a part of an or
	andLevel                // a part of an and
	notLevel                // behind not
)

type printer struct {
	b   strings.Builder
	err error
}

func (p *printer) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *printer) print(x call.Expr, at level) {
	if p.b.Len() > maxFilter {
		p.fail(fmt.Errorf("it has more than %d bytes", maxFilter))
	}
	if p.err != nil {
		return
	}
	switch x := x.(type) {
	case call.And:
		p.chain([]call.Expr(x), "true", " and ", andLevel, at)
	case call.Or:
		if m, ok := unwiden(x); ok {
			p.match(m, "eq")
		} else if !p.in(x, at) {
			p.chain([]call.Expr(x), "false", " or ", orLevel, at)
		}
	case call.Not:
		p.not(x)
	case call.Compare:
		p.wrapped(at == notLevel, func() { p.compare(x) })
	case call.TextMatch:
		p.wrapped(at == notLevel && x.Op == call.EqualFold, func() { p.match(x, "eq") })
	case call.Digits:
		p.fail(errors.New("a search for a number in any notation has no form in OData"))
	case call.SeenBy:
		p.fail(errors.New("a question for what has spoken of a call has no form in OData"))
	default:
		p.fail(fmt.Errorf("a condition of type %T has no form in OData", x))
	}
}

func (p *printer) wrapped(yes bool, inner func()) {
	if yes {
		p.b.WriteByte('(')
	}
	inner()
	if yes {
		p.b.WriteByte(')')
	}
}

// chain writes the parts of an And or an Or.
func (p *printer) chain(parts []call.Expr, empty, joint string, own, at level) {
	switch len(parts) {
	case 0:
		p.b.WriteString(empty)
		return
	case 1:
		p.print(parts[0], at)
		return
	}
	p.wrapped(at >= own, func() {
		for i, x := range parts {
			if i > 0 {
				p.b.WriteString(joint)
			}
			p.print(x, own)
		}
	})
}

// not writes a negation. In OData "not" binds tighter than "eq", so it puts a comparison in
// parentheses for other readers.
func (p *printer) not(n call.Not) {
	switch x := n.X.(type) {
	case call.TextMatch:
		if x.Op == call.EqualFold {
			p.match(x, "ne")
			return
		}
	case call.Or:
		if m, ok := unwiden(x); ok && m.Op == call.EqualFold {
			p.match(m, "ne")
			return
		}
	}
	p.b.WriteString("not ")
	p.print(n.X, notLevel)
}

// in writes an Or as "in" if all its parts compare one field with a value. It reports whether it
// has.
func (p *printer) in(x call.Or, at level) bool {
	if len(x) < 2 {
		return false
	}
	f, _, ok := equality(x[0])
	for _, part := range x {
		g, _, same := equality(part)
		ok = ok && same && f == g
	}
	if !ok {
		return false
	}
	p.wrapped(at == notLevel, func() {
		p.field(f)
		p.b.WriteString(" in (")
		for i, part := range x {
			if i > 0 {
				p.b.WriteString(", ")
			}
			_, v, _ := equality(part)
			p.value(f, v, true)
		}
		p.b.WriteByte(')')
	})
	return true
}

// equality returns field and value of a condition that "eq" expresses.
func equality(x call.Expr) (call.Field, any, bool) {
	switch x := x.(type) {
	case call.Compare:
		return x.Field, x.Value, x.Op == call.EQ
	case call.Or:
		if m, ok := unwiden(x); ok {
			return m.Field, m.Part, m.Op == call.EqualFold
		}
	}
	return 0, nil, false
}

// unwiden returns the condition from which widen made x.
func unwiden(x call.Or) (call.TextMatch, bool) {
	if len(x) < 2 {
		return call.TextMatch{}, false
	}
	m, ok := x[0].(call.TextMatch)
	if !ok {
		return m, false
	}
	wide, ok := widen(m).(call.Or)
	if !ok || len(wide) != len(x) {
		return m, false
	}
	for i := range wide {
		if part, ok := x[i].(call.TextMatch); !ok || part != wide[i] {
			return m, false
		}
	}
	return m, true
}

func (p *printer) field(f call.Field) {
	if f >= call.NumFields {
		p.fail(fmt.Errorf("there is no field with number %d", f))
		return
	}
	if g, ok := wireField(f.String()); !ok || g.Type() == call.List {
		p.fail(fmt.Errorf("field %s has no place in a filter", f))
		return
	}
	p.b.WriteString(f.String())
}

func (p *printer) compare(c call.Compare) {
	p.field(c.Field)
	if p.err != nil {
		return
	}
	equality := c.Op == call.EQ || c.Op == call.NE
	if int(c.Op) >= len(opWords) || !equality && (c.Field.Type() == call.ID || c.Field.Type() == call.Bool) {
		p.fail(fmt.Errorf("field %s cannot stand in relation %d", c.Field, c.Op))
		return
	}
	p.b.WriteString(" " + opWords[c.Op] + " ")
	p.value(c.Field, c.Value, equality)
}

// match writes a TextMatch; word is the operator if it becomes a comparison. A callType with
// several names needs no tolower, because it compares in any case anyway.
func (p *printer) match(m call.TextMatch, word string) {
	if m.Field < call.NumFields && m.Field.Type() != call.Text {
		p.fail(fmt.Errorf("field %s is not a text", m.Field))
		return
	}
	_, wide := widen(m).(call.Or)
	switch {
	case m.Op == call.EqualFold && wide:
		p.field(m.Field)
		p.b.WriteString(" " + word + " ")
	case m.Op == call.EqualFold:
		p.b.WriteString("tolower(")
		p.field(m.Field)
		p.b.WriteString(") " + word + " ")
	case int(m.Op) < len(functionWords):
		p.b.WriteString(functionWords[m.Op] + "(")
		p.field(m.Field)
		p.b.WriteString(",")
		p.quote(m.Part)
		p.b.WriteString(")")
		return
	default:
		p.fail(fmt.Errorf("field %s cannot stand in relation %d", m.Field, m.Op))
		return
	}
	p.quote(m.Part)
}

// value writes a value of a field. If null is true, null stands for the zero id, text and time.
func (p *printer) value(f call.Field, v any, null bool) {
	if p.err != nil {
		return
	}
	ok := false
	switch v := v.(type) {
	case call.GUID:
		if ok = f.Type() == call.ID; v.IsZero() {
			p.b.WriteString("null")
		} else {
			p.b.WriteString(v.String())
		}
	case string:
		if ok = f.Type() == call.Text; v == "" && null {
			p.b.WriteString("null")
		} else {
			p.quote(v)
		}
	case time.Time:
		v = v.UTC()
		if ok = f.Type() == call.Time && v.Year() >= 1 && v.Year() <= 9999; v.IsZero() && null {
			p.b.WriteString("null")
		} else {
			p.b.WriteString(v.Format("2006-01-02T15:04:05.9999999Z"))
		}
	case int32:
		ok = f.Type() == call.Number
		p.b.WriteString(strconv.FormatInt(int64(v), 10))
	case bool:
		ok = f.Type() == call.Bool
		p.b.WriteString(strconv.FormatBool(v))
	}
	if !ok {
		p.fail(fmt.Errorf("field %s cannot be compared with this value of type %T", f, v))
	}
}

func (p *printer) quote(s string) {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		p.fail(errors.New("a text in it is not UTF-8 or has a NUL character"))
	}
	p.b.WriteString("'" + strings.ReplaceAll(s, "'", "''") + "'")
}
