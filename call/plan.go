package call

import (
	"slices"
	"strings"
	"time"
)

// A Plan says how an engine narrows a query. It yields a superset of the answer: the engine still
// calls [Expr.Match] for every row.
type Plan struct {
	// From and To are the bounds of the query, narrowed by conditions on the start. A zero time is
	// no bound.
	From, To time.Time
	// Any holds distinct look-ups; each row of the answer is found by at least one of them. If it
	// is nil, no index helps; if it is empty and not nil, no row matches.
	Any []Lookup
}

// MaxLookups is the most look-ups that a plan has. With more, an engine reads
// the range of time.
const MaxLookups = 100

// minShown is how many digits a masked number must show before its first '*' for a look-up. With
// fewer it stands for a good part of all numbers.
const minShown = 3

// PlanOf returns the plan for q. Among conditions that must all hold it takes the look-ups that
// find the fewest rows. Alternatives use an index only if each of them can.
func PlanOf(q Query) Plan {
	p := Plan{From: q.From, To: q.To}
	if q.Where != nil {
		p.Any = p.lookups(q.Where, true)
	}
	return p
}

// lookups returns look-ups that find all rows for which x holds, or nil. Only a condition on all
// rows of the answer narrows the time.
func (p *Plan) lookups(x Expr, all bool) []Lookup {
	switch x := x.(type) {
	case And:
		return p.best(x, all)
	case Or:
		return p.union(x)
	case Digits:
		return lookUpNumber(string(x))
	case Compare:
		if t, ok := x.Value.(time.Time); ok && all && x.Field == FieldStart {
			p.narrow(x.Op, t)
		}
		return lookUpCompare(x)
	case TextMatch:
		if x.Op == EqualFold {
			return lookUpText(x.Field, x.Part)
		}
	}
	return nil
}

// best returns the look-ups of the part that finds the fewest rows.
func (p *Plan) best(parts And, all bool) (best []Lookup) {
	for _, part := range parts {
		if found := p.lookups(part, all); found != nil && (best == nil || rowsOf(found) < rowsOf(best)) {
			best = found
		}
	}
	return best
}

func rowsOf(ls []Lookup) (n int) {
	for _, l := range ls {
		n += l.rows()
	}
	return n
}

// union returns the look-ups of all parts, each once.
func (p *Plan) union(parts Or) []Lookup {
	found := []Lookup{}
	for _, part := range parts {
		of := p.lookups(part, false)
		if of == nil {
			return nil
		}
		for _, l := range of {
			found = join(found, l)
		}
		if len(found) > MaxLookups {
			return nil
		}
	}
	return found
}

// join adds l to the look-ups unless one of them covers it.
func join(ls []Lookup, l Lookup) []Lookup {
	written := Lookup{By: FindWritten, Text: l.Text}
	wide := Lookup{By: FindNumber, Text: l.Text}
	switch {
	case slices.Contains(ls, l), l.By == FindWritten && slices.Contains(ls, wide):
		return ls
	case l.By == FindNumber:
		ls = slices.DeleteFunc(ls, func(x Lookup) bool { return x == written })
	}
	return append(ls, l)
}

// lookUpNumber returns look-ups that find the rows for which Digits(number) holds.
func lookUpNumber(number string) []Lookup {
	l := Lookup{By: FindNumber, Text: Symbols(number)}
	switch masked := strings.Contains(l.Text, "*"); {
	case l.Text == "":
		return []Lookup{} // a number without digits matches nothing
	case masked && len(l.Shown()) < minShown:
		return nil
	case masked:
		l.By = FindMasked
	}
	return []Lookup{l}
}

func lookUpCompare(x Compare) []Lookup {
	if x.Op != EQ {
		return nil
	}
	switch v := x.Value.(type) {
	case string:
		return lookUpText(x.Field, v)
	case GUID:
		return lookUpID(x.Field, v)
	}
	return nil
}

// lookUpID returns look-ups that find the rows whose field is id. No index holds rows without an
// id.
func lookUpID(f Field, id GUID) []Lookup {
	l := Lookup{ID: id}
	switch f {
	case FieldID:
		l.By = FindID
	case FieldCorrelationID:
		l.By = FindCorrelation
	case FieldUserID:
		l.By = FindUser
	}
	if l.By == 0 || id.IsZero() {
		return nil
	}
	return []Lookup{l}
}

// lookUpText returns look-ups that find the rows whose field is text, in any case: equal texts have
// the same digits and '*' of a number, and the same folded name.
func lookUpText(f Field, text string) []Lookup {
	switch f {
	case FieldUserPrincipalName:
		if text != "" {
			return []Lookup{{By: FindName, Text: Fold(text)}}
		}
	case FieldCaller, FieldCallee:
		if symbols := Symbols(text); symbols != "" {
			return []Lookup{{By: FindWritten, Text: symbols}}
		}
	}
	return nil
}

// narrow narrows the bounds by a condition on the start.
func (p *Plan) narrow(op Op, t time.Time) {
	switch op {
	case EQ:
		p.from(t)
		p.to(t.Add(1))
	case GE:
		p.from(t)
	case GT:
		p.from(t.Add(1))
	case LE:
		p.to(t.Add(1))
	case LT:
		p.to(t)
	}
}

func (p *Plan) from(t time.Time) {
	if t.After(p.From) { // a zero bound is earlier than all rows
		p.From = t
	}
}

func (p *Plan) to(t time.Time) {
	if !t.IsZero() && (p.To.IsZero() || t.Before(p.To)) {
		p.To = t
	}
}
