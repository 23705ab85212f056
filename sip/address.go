package sip

import (
	"bytes"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// scanAddress reads the first address in a header's value: a URI in angle brackets with or without
// a name in front of it, or a URI alone (section 20.10). It returns the URI and the rest, which is
// the header's parameters, and clears a if there is none.
//
// It accepts malformed names and brackets. Teams puts no quotes around names, whatever is in them,
// SBCs put texts of all kinds between the brackets, and Microsoft shows them unchanged.
func scanAddress(v []byte, a *call.Address) (uri, rest []byte, ok bool) {
	open := 0
	if len(v) == 0 || v[0] != '<' {
		open, v = scanName(v, a)
	}
	if open >= 0 {
		if uri, rest = cutBrackets(v[open:]); scanURI(uri, a) {
			return uri, rest, true
		}
		// The name may begin with a bracket.
		*a = call.Address{}
		if open = findBracket(v, open+1); open < 0 {
			return nil, nil, false
		}
		a.Name = bareName(v[:open])
		uri, rest = cutBrackets(v[open:])
	} else {
		// Without brackets all parameters are the header's.
		end := bareEnd(v)
		uri, rest = trim(v[:end]), v[end:]
		if space := bytes.LastIndexAny(uri, " \t"); space >= 0 && hasScheme(uri[space+1:]) {
			a.Name, uri = bareName(uri[:space]), uri[space+1:]
		}
	}
	if !scanURI(uri, a) {
		*a = call.Address{}
		return nil, nil, false
	}
	return uri, rest, true
}

// scanName reads the name in front of a URI in brackets, and returns the place of the bracket. If
// there is none, it returns -1, and v begins with the URI.
func scanName(v []byte, a *call.Address) (open int, _ []byte) {
	if len(v) > 0 && v[0] == '"' {
		if end := EndOfString(v, 1); end >= 0 {
			next := SkipSpace(v, end+1)
			bracket := next < len(v) && v[next] == '<'
			if bracket || hasScheme(v[next:]) {
				a.Name = unquote(v[1:end])
			}
			switch {
			case bracket:
				return next, v
			case a.Name != "":
				return -1, v[next:]
			}
		}
		// Quotes stay in the name if its last quote is not its end.
	}
	open = bytes.IndexByte(v, '<')
	if open < 0 || beginsWithURI(v[:open]) {
		return -1, v
	}
	if !hasScheme(v[open+1:]) { // a bracket of the name, or a URI of another scheme
		if other := findBracket(v, open+1); other >= 0 {
			open = other
		}
	}
	a.Name = bareName(v[:open])
	return open, v
}

// findBracket returns the place of the first bracket, at from or later, in front of a URI with a
// known scheme, or -1.
func findBracket(v []byte, from int) int {
	for {
		i := bytes.IndexByte(v[from:], '<')
		if i < 0 {
			return -1
		}
		if from += i + 1; hasScheme(v[from:]) {
			return from - 1
		}
	}
}

// beginsWithURI reports whether the text in front of a bracket is a URI without one, so that the
// bracket is the next address's, or a parameter's.
func beginsWithURI(before []byte) bool {
	end := bytes.IndexByte(before, ';')
	if end < 0 {
		end = bytes.IndexByte(before, ',')
	}
	return end >= 0 && hasScheme(before[:end])
}

// cutBrackets cuts a URI in brackets off v. An unclosed one ends in front of the parameters.
func cutBrackets(v []byte) (uri, rest []byte) {
	if end := bytes.IndexByte(v, '>'); end >= 0 {
		return trim(v[1:end]), v[end+1:]
	}
	v = v[1:]
	end := bareEnd(v)
	return trim(v[:end]), v[end:]
}

// bareEnd returns where a URI without brackets ends: in front of the parameters, or of the next
// address. A user may hold a comma.
func bareEnd(v []byte) int {
	end := bytes.IndexByte(v, ';')
	if end < 0 {
		end = len(v)
	}
	comma := bytes.IndexByte(v[:end], ',')
	if comma < 0 || bytes.IndexByte(v[:comma], '@') < 0 && bytes.IndexByte(v[comma:end], '@') >= 0 && !hasScheme(v[comma+1:end]) {
		return end
	}
	return comma
}

// cutAddress cuts the text behind an address at the comma in front of the next one.
func cutAddress(v []byte) (params, next []byte, more bool) {
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '"':
			if end := EndOfString(v, i+1); end >= 0 {
				i = end
			}
		case ',':
			return v[:i], trim(v[i+1:]), true
		}
	}
	return v, nil, false
}

// bareName returns an unquoted name unchanged, except for two things that it removes: quotes around
// all of it, whose inside ended with a backslash, and a bracket at its end, where there were two in
// front of the URI.
func bareName(v []byte) string {
	v = trim(bytes.TrimRight(v, "<"))
	if n := len(v); n > 1 && v[0] == '"' && v[n-1] == '"' && bytes.IndexByte(v[1:n-1], '"') < 0 {
		v = v[1 : n-1]
	}
	return nameText(trim(v))
}

// nameText returns a name with single spaces for white space of any length, as where a header was
// folded (section 7.3.1).
func nameText(v []byte) string {
	if bytes.IndexByte(v, '\t') < 0 && !bytes.Contains(v, []byte("  ")) {
		return Text(v)
	}
	out := make([]byte, 0, len(v))
	for i, c := range v {
		if !isSpace(c) {
			out = append(out, c)
		} else if !isSpace(v[i-1]) { // it does not begin with one
			out = append(out, ' ')
		}
	}
	return string(out)
}

// hasScheme reports whether b begins with a known scheme.
func hasScheme(b []byte) bool {
	_, rest := cutScheme(trim(b))
	return rest != nil
}

type scheme uint8

const (
	otherScheme scheme = iota
	schemeSIP
	schemeTel
)

// cutScheme takes the scheme off a URI of SIP or a telephone. For any other, the rest is nil.
func cutScheme(u []byte) (scheme, []byte) {
	switch {
	case len(u) < 4:
	case u[3] == ':' && equalFold(u[:3], "sip"):
		return schemeSIP, u[4:]
	case u[3] == ':' && equalFold(u[:3], "tel"):
		return schemeTel, u[4:]
	case len(u) > 4 && u[4] == ':' && equalFold(u[:4], "sips"):
		return schemeSIP, u[5:]
	}
	return otherScheme, nil
}

// scanURI reads a URI (section 19.1.1, RFC 3966) and reports whether it is one. It keeps nothing of
// schemes other than sip, sips and tel.
func scanURI(u []byte, a *call.Address) bool {
	if len(u) > 4 && string(u[:4]) == "sip:" { // as most are
		return scanSIPURI(u[4:], a)
	}
	switch s, rest := cutScheme(u); s {
	case schemeSIP:
		return scanSIPURI(rest, a)
	case schemeTel:
		number, params, _ := bytes.Cut(rest, []byte{';'})
		a.User, a.Params = userText(number), Text(params)
		return a.User != ""
	}
	i := bytes.IndexByte(u, ':')
	if i < 1 {
		return false
	}
	for k, c := range u[:i] { // RFC 3986, section 3.1
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (k == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return true
}

// scanSIPURI reads user:password@host:port;parameters?headers. It drops the password, and the
// brackets of an IPv6 address.
func scanSIPURI(u []byte, a *call.Address) bool {
	host, end := u, hostEnd(u)
	at := end
	if len(u) > 0 && u[0] == '[' || end < len(u) && u[end] != '@' { // no user, or one with a password
		at = bytes.IndexByte(u, '@')
	}
	if 0 <= at && at < len(u) {
		host = u[at+1:]
		end = hostEnd(host)
		for end < len(host) && host[end] == '@' { // an unescaped @ in the user
			at += 1 + end
			host = u[at+1:]
			end = hostEnd(host)
		}
		a.User = userText(u[:at])
	}
	rest := host[end:]
	if len(host) > 0 && host[0] == '[' {
		if host = host[1:end]; len(host) == 0 || host[len(host)-1] != ']' {
			return false
		}
		host, end = host[:len(host)-1], end-2
	}
	a.Host = Text(trim(host[:end]))
	if len(rest) > 0 {
		a.Params = uriParams(rest)
	}
	return a.User != "" || a.Host != ""
}

// hostEnd returns the end of the host at the beginning of b: the first ':', ';', '?' or '@' that is
// not in brackets.
func hostEnd(b []byte) int {
	i := 0
	if len(b) > 0 && b[0] == '[' {
		if i = bytes.IndexByte(b, ']') + 1; i == 0 {
			return len(b)
		}
	}
	for ; i <= len(b)-8; i += 8 {
		// The four lie close together, and few other bytes near them.
		for near := bytesBetween(eightBytes(b[i:]), ':', '@'); near != 0; near &= near - 1 {
			if k := i + firstMark(near); endsHost(b[k]) {
				return k
			}
		}
	}
	for i < len(b) && !endsHost(b[i]) {
		i++
	}
	return i
}

func endsHost(c byte) bool { return c-':' <= '@'-':' && (c == ':' || c == ';' || c == '?' || c == '@') }

// uriParams returns the parameters in the text behind a host.
func uriParams(rest []byte) string {
	if query := bytes.IndexByte(rest, '?'); query >= 0 {
		rest = rest[:query]
	}
	for i, c := range rest { // behind a port, which is short
		if c == ';' {
			return Text(trim(rest[i+1:]))
		}
	}
	return ""
}

// userText returns the user in front of an @, without a password. It drops the parameters of a
// telephone number (section 19.1.6), such as those of number portability, because they are no part
// of the number.
func userText(b []byte) string {
	if isPlain(b) {
		return Text(trim(b))
	}
	b, _, _ = bytes.Cut(b, []byte{':'})
	if number, _, found := bytes.Cut(b, []byte{';'}); found && isNumber(number) {
		b = number
	}
	if b = trim(b); bytes.IndexByte(b, '%') >= 0 {
		return unescape(b)
	}
	return Text(b)
}

// isNumber reports whether b is a telephone number: digits, with or without + in
// front and separators (RFC 3966, section 3).
func isNumber(b []byte) bool {
	b = trim(b)
	for _, plus := range [...]string{"+", "%2B", "%2b"} {
		b = bytes.TrimPrefix(b, []byte(plus))
	}
	digits := 0
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9', c == '*', c == '#':
			digits++
		case c == '-', c == '.', c == '(', c == ')':
		default:
			return false
		}
	}
	return digits > 0
}

// isPlain reports whether a user has neither a password, nor parameters, nor
// escapes.
func isPlain(user []byte) bool {
	if len(user) < 8 {
		for _, c := range user {
			if c == ':' || c == ';' || c == '%' {
				return false
			}
		}
		return true
	}
	found := uint64(0)
	for i := 0; i < len(user); i += 8 {
		x := eightBytes(user[min(i, len(user)-8):])
		found |= bytesBetween(x, ':', ';') | zeroBytes(x^'%'*eachByte)
	}
	return found == 0
}

// param returns the value of the parameter with the given name, in lower case, in a list
// ";name=value;name=value" that begins at the first semicolon.
func param(p []byte, name string) []byte {
	for {
		i := bytes.IndexByte(p, ';')
		if i < 0 {
			return nil
		}
		p = p[i+1:]
		end := 0
		for end < len(p) && p[end] != '=' && p[end] != ';' {
			end++
		}
		found := equalFold(trim(p[:end]), name)
		p = p[end:]
		if len(p) == 0 || p[0] == ';' {
			if found {
				return nil
			}
			continue
		}
		var value []byte
		value, p = paramValue(p[1:])
		if found {
			return value
		}
	}
}

// paramValue cuts the value of a parameter off p.
func paramValue(p []byte) (value, rest []byte) {
	from := SkipSpace(p, 0)
	if from < len(p) && p[from] == '"' {
		if end := EndOfString(p, from+1); end >= 0 {
			return p[from+1 : end], p[end+1:]
		}
	}
	end := bytes.IndexByte(p, ';')
	if end < 0 {
		end = len(p)
	}
	if comma := bytes.IndexByte(p[:end], ','); comma >= 0 { // the next address
		end = comma
	}
	return trim(p[:end]), p[end:]
}

// maxVerstat is the longest verstat that a Signal keeps.
const maxVerstat = 64

// verstat returns the parameter of that name of a URI, behind the number (3GPP TS 24.229, section
// 7.2A.20) or the host, or of the header, where some carriers put it.
func verstat(uri, params []byte) string {
	const name = "verstat"
	for _, p := range [...][]byte{uri, params} {
		for {
			i := bytes.IndexByte(p, ';')
			if i < 0 {
				break
			}
			if p = p[i+1:]; len(p) < len(name) || p[0]|0x20 != name[0] || !equalFold(p[:len(name)], name) {
				continue // as nearly all do: the rest is slow
			}
			_, v, _ := bytes.Cut(p, []byte{'='})
			v, _ = paramValue(v)
			if v, _, _ = bytes.Cut(v, []byte{'@'}); len(v) <= maxVerstat && isToken(v) {
				return Text(v)
			}
		}
	}
	return ""
}

// unquote returns the text of the inside of a quoted string.
func unquote(b []byte) string {
	i := bytes.IndexByte(b, '\\')
	if i < 0 {
		return nameText(trim(b))
	}
	var out strings.Builder
	for ; i >= 0 && i+1 < len(b); i = bytes.IndexByte(b, '\\') {
		out.Write(b[:i])
		out.WriteByte(b[i+1])
		b = b[i+2:]
	}
	out.Write(b)
	return strings.TrimSpace(out.String())
}

// unescape decodes the escapes in a user that stand for printable ASCII, so that %2B49 is +49.
// Others stay, because they may not be text.
func unescape(b []byte) string {
	var out strings.Builder
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '%' && i+2 < len(b) {
			if n, ok := HexNumber(b[i+1:], 2); ok && ' ' <= n && n <= '~' {
				c = byte(n)
				i += 2
			}
		}
		out.WriteByte(c)
	}
	return out.String()
}
