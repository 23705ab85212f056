package call

// Split divides x for a view that hides fields: down mentions no hidden field and goes to the
// engine; up tests each row after masking. A nil condition matches every row. If nothing is masked,
// the two together hold for exactly the rows for which x does.
//
// Split divides only an [And]. An [Or] or a [Not] with a hidden field anywhere goes up whole,
// because the engine's half of it would betray the rest.
func Split(x Expr, hidden func(Field) bool) (down, up Expr) {
	if x == nil || !mentions(x, hidden) {
		return x, nil
	}
	and, ok := x.(And)
	if !ok {
		return nil, x
	}
	var downs, ups And
	for _, part := range and {
		d, u := Split(part, hidden)
		if d != nil {
			downs = append(downs, d)
		}
		if u != nil {
			ups = append(ups, u)
		}
	}
	return joined(downs), joined(ups)
}

// joined returns the simplest condition that holds if all parts do.
func joined(parts And) Expr {
	switch len(parts) {
	case 0:
		return nil
	case 1:
		return parts[0]
	}
	return parts
}

// mentions reports whether x reads a field that is in the set. A search for a number reads the
// caller and the callee.
func mentions(x Expr, set func(Field) bool) bool {
	switch x := x.(type) {
	case And:
		return anyMentions(x, set)
	case Or:
		return anyMentions(x, set)
	case Not:
		return mentions(x.X, set)
	case Compare:
		return set(x.Field)
	case TextMatch:
		return set(x.Field)
	case ToldProven:
		return mentions(x.X, set)
	case Digits, NumberLike:
		return set(FieldCaller) || set(FieldCallee)
	}
	return false
}

func anyMentions(parts []Expr, set func(Field) bool) bool {
	for _, part := range parts {
		if mentions(part, set) {
			return true
		}
	}
	return false
}
