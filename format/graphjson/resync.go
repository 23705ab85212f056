package graphjson

// resync skips what is broken up to the next place where a record can begin,
// or where the list of records ends. It appends what it skips to raw, which
// grows to maxRaw at most.
//
// The text is not taken apart here, because what a quote means is not known
// any more. A record can begin with a brace
//
//   - where scanning stopped: the one before was not closed
//   - at the beginning of a line
//   - behind a closing brace, or behind that and a comma in a list
//
// and a list can end behind a closing brace. None of these stands within a
// sound text that could be taken for a record, because there each quote has a
// backslash before it. Every byte is looked at once, so that an input with
// nothing but errors takes no longer than others.
func (s *scanner) resync(raw []byte, inList bool) []byte {
	var last, before byte // those that are no white space
	s.startsLine = s.i > 0 && s.buf[s.i-1] == '\n'
	for here := true; s.more(); here = false {
		c := s.buf[s.i]
		switch {
		case c == '{' && (here || s.startsLine || last == '}' || inList && last == ',' && before == '}'),
			c == '[' && s.startsLine && !inList,
			c == ']' && inList && last == '}':
			return raw
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			last, before = c, last
		}
		if len(raw) < maxRaw {
			raw = append(raw, c)
		}
		s.i++
		s.startsLine = c == '\n'
	}
	s.startsLine = false
	return raw
}
