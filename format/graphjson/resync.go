package graphjson

// resync skips broken text up to the next place where a record can begin, or where the list of
// records ends. It appends the skipped text to raw, up to maxRaw bytes.
//
// It does not parse the text, because the meaning of a quote is unknown there. A record can begin
// with a brace
//
//   - where scanning stopped: the one before was not closed
//   - at the beginning of a line
//   - behind a closing brace, or behind that and a comma in a list
//
// and a list can end behind a closing brace. Inside a sound text none of these can look like a
// record, because there each quote has a backslash before it. resync looks at every byte once, so
// that an input full of errors takes no longer than others.
func (s *scanner) resync(raw []byte, inList bool) []byte {
	var last, before byte // the last two that are not white space
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
