package odata

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// A token is one word, value or sign of a filter.
type token struct {
	kind  tokenKind
	pos   int    // in bytes
	text  string // of a name
	value literal
}

type tokenKind uint8

const (
	endToken tokenKind = iota
	nameToken
	literalToken
	openToken
	closeToken
	commaToken
)

// describe names a token for the client. It does not show the text of a string.
func (t token) describe() string {
	switch t.kind {
	case nameToken:
		return "'" + clip(t.text) + "'"
	case literalToken:
		if t.value.edm == edmNull {
			return "null"
		}
		return "a value of type '" + t.value.edm.String() + "'"
	case openToken:
		return "'('"
	case closeToken:
		return "')'"
	case commaToken:
		return "','"
	}
	return "the end"
}

// A lexer splits a filter into tokens and enforces its limits. Every call of next moves on by at
// least one byte, reports the end, or fails.
type lexer struct {
	src    string
	pos    int
	tokens int
	depth  int
}

// errorf returns an error about the place at byte pos. The first argument of the format is that
// place as a number of characters.
func (l *lexer) errorf(pos int, format string, args ...any) error {
	args = append([]any{utf8.RuneCountInString(l.src[:pos])}, args...)
	return &Error{"$filter", "Invalid filter clause: " + fmt.Sprintf(format, args...)}
}

func (l *lexer) next() (token, error) {
	for l.pos < len(l.src) && isSpace(l.src[l.pos]) {
		l.pos++
	}
	t := token{pos: l.pos}
	if l.pos == len(l.src) {
		return t, nil
	}
	if l.tokens++; l.tokens > maxTokens {
		return t, l.errorf(t.pos, "At position %d it has more than the %d words, values and signs that are possible.", maxTokens)
	}
	rest := l.src[l.pos:]
	c := rest[0]
	switch {
	case c == '(':
		if l.depth++; l.depth > maxDepth {
			return t, l.errorf(t.pos, "At position %d it is nested deeper than %d levels.", maxDepth)
		}
		t.kind = openToken
		l.pos++
	case c == ')':
		l.depth--
		t.kind = closeToken
		l.pos++
	case c == ',':
		t.kind = commaToken
		l.pos++
	case c == '\'':
		return l.text(t)
	case isDigit(c) || (c == '-' || c == '+') && len(rest) > 1 && isDigit(rest[1]) || startsGUID(rest):
		return l.bare(t)
	case isLetter(c):
		l.name(&t)
	default:
		return t, l.badCharacter(t.pos)
	}
	return t, nil
}

// name reads a word; three of them are values.
func (l *lexer) name(t *token) {
	for l.pos < len(l.src) && (isLetter(l.src[l.pos]) || isDigit(l.src[l.pos])) {
		l.pos++
	}
	t.kind, t.text = nameToken, l.src[t.pos:l.pos]
	switch {
	case strings.EqualFold(t.text, "null"):
		t.kind, t.value = literalToken, literal{edmNull, nil}
	case strings.EqualFold(t.text, "true"):
		t.kind, t.value = literalToken, literal{edmBoolean, true}
	case strings.EqualFold(t.text, "false"):
		t.kind, t.value = literalToken, literal{edmBoolean, false}
	}
}

// text reads a string; a quote in it is doubled.
func (l *lexer) text(t token) (token, error) {
	var b strings.Builder
	rest := l.src[l.pos+1:]
	for {
		part, after, ok := strings.Cut(rest, "'")
		if !ok {
			return t, l.errorf(t.pos, "Syntax error at position %d: the string that begins here has no end; expected \"'\".")
		}
		b.WriteString(part)
		rest = after
		if !strings.HasPrefix(rest, "'") {
			break
		}
		b.WriteByte('\'')
		rest = rest[1:]
	}
	l.pos = len(l.src) - len(rest)
	s := b.String()
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return t, l.errorf(t.pos, "Syntax error at position %d: the string that begins here has bytes that are not UTF-8, or a NUL character.")
	}
	t.kind, t.value = literalToken, literal{edmString, s}
	return t, nil
}

// bare reads a number, a date, a date-time or a GUID.
func (l *lexer) bare(t token) (token, error) {
	for l.pos < len(l.src) && isBare(l.src[l.pos]) {
		l.pos++
	}
	s := l.src[t.pos:l.pos]
	// Clients forget to write the "+" of a zone as %2B, and query decoding turns it into a space.
	// Nothing else can stand here, so the lexer reads it as a plus.
	if zone := l.src[l.pos:]; len(zone) >= 6 && zone[0] == ' ' && zone[3] == ':' && strings.ContainsAny(s, "Tt") {
		whole := s + "+" + zone[1:6]
		if v, ok := parseBare(whole); ok && v.edm == edmDateTimeOffset && (len(zone) == 6 || !isBare(zone[6])) {
			l.pos += 6
			t.kind, t.value = literalToken, v
			return t, nil
		}
	}
	v, ok := parseBare(s)
	if !ok {
		if len(s) > 4 && s[4] == '-' {
			return t, l.errorf(t.pos, "The DateTimeOffset text '%[2]s' should be in format 'yyyy-mm-ddThh:mm:ss('.'s+)?(zzzzzz)?' "+
				"and each field value is within valid range (at position %[1]d).", clip(s))
		}
		return t, l.errorf(t.pos, "Syntax error at position %d: expected a number, a date, a date-time or a GUID.")
	}
	t.kind, t.value = literalToken, v
	return t, nil
}

func (l *lexer) badCharacter(pos int) error {
	r, _ := utf8.DecodeRuneInString(l.src[pos:])
	hint := ""
	switch r {
	case '"', '‘', '’', '“', '”':
		hint = "; strings are written in single quotes"
	case '=', '<', '>', '!', '&', '|':
		hint = "; operators are words, such as eq, gt and or"
	}
	return l.errorf(pos, "Syntax error at position %d: expected a property, a value, an operator or a function, found the character %q%s.", r, hint)
}

// startsGUID reports whether s begins with a GUID. A GUID that begins with a
// letter would be a name otherwise.
func startsGUID(s string) bool {
	if len(s) < 36 || s[8] != '-' || len(s) > 36 && isBare(s[36]) {
		return false
	}
	_, err := call.ParseGUID(s[:36])
	return err == nil
}

// isBare reports whether c can be in an unquoted value.
func isBare(c byte) bool {
	return isDigit(c) || isLetter(c) || c == ':' || c == '.' || c == '-' || c == '+'
}

func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
