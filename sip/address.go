package sip

import (
	"bytes"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// scanAddress reads the address at the beginning of a header's value: a URI in
// angle brackets with or without a name in front of it, or a URI alone (section
// 20.10). It returns what follows, which is the header's parameters. In a list
// of addresses it reads the first.
//
// What stands in the name or between the brackets need not be well formed: SBCs
// put texts of all kinds there, and Microsoft shows them as they are.
func scanAddress(v []byte, a *call.Address, list bool) (rest []byte, ok bool) {
	open := 0
	if len(v) == 0 || v[0] != '<' {
		if open, ok = scanName(v, a, list); !ok {
			return nil, false
		}
	}
	if open >= 0 {
		end := bytes.IndexByte(v[open:], '>')
		if end < 0 {
			return nil, false
		}
		end += open
		return v[end+1:], scanURI(trim(v[open+1:end]), a)
	}
	// Without brackets all parameters are the header's.
	end := bytes.IndexByte(v, ';')
	if end < 0 {
		end = len(v)
	}
	if list {
		if comma := bytes.IndexByte(v[:end], ','); comma >= 0 {
			end = comma
		}
	}
	return v[end:], scanURI(trim(v[:end]), a)
}

// scanName reads the name in front of a URI and returns the place of the angle
// bracket, or -1 if there is none.
func scanName(v []byte, a *call.Address, list bool) (open int, ok bool) {
	if len(v) > 0 && v[0] == '"' {
		end := EndOfString(v, 1)
		if end < 0 {
			return 0, false
		}
		if open = SkipSpace(v, end+1); open == len(v) || v[open] != '<' {
			return 0, false
		}
		a.Name = unquote(v[1:end])
		return open, true
	}
	if len(v) > 0 && v[0] == '<' {
		return 0, true
	}
	open = bytes.IndexByte(v, '<')
	if open < 0 {
		return open, true
	}
	// The bracket may be the next address's, or a parameter's.
	before := v[:open]
	if stop := bytes.IndexByte(before, ';'); stop >= 0 && hasScheme(before[:stop]) {
		return -1, true
	}
	if list {
		if comma := bytes.IndexByte(before, ','); comma >= 0 && hasScheme(before[:comma]) {
			return -1, true
		}
	}
	a.Name = Text(trim(before))
	return open, true
}

// hasScheme reports whether b begins as a URI that we know.
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

// cutScheme takes the scheme off a URI of SIP or a telephone. The rest of any
// other is nil.
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

// scanURI reads a URI (section 19.1.1, RFC 3966) and reports whether it is one.
// Of schemes other than sip, sips and tel nothing is kept.
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

// scanSIPURI reads user:password@host:port;parameters?headers. The password is
// not kept, and a host that is an IPv6 address loses its brackets.
func scanSIPURI(u []byte, a *call.Address) bool {
	host, end := u, hostEnd(u)
	at := end
	if len(u) > 0 && u[0] == '[' || end < len(u) && u[end] != '@' { // no user, or one with a password
		at = bytes.IndexByte(u, '@')
	}
	if 0 <= at && at < len(u) {
		host = u[at+1:]
		end = hostEnd(host)
		for end < len(host) && host[end] == '@' { // someone forgot to escape it in the user
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

// hostEnd returns where the host ends that b begins with: at the first ':', ';',
// '?' or '@' that is not in brackets.
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

// uriParams returns the parameters in what follows a host.
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

// userText returns the user in front of an @, without a password.
func userText(b []byte) string {
	if isPlain(b) {
		return Text(trim(b))
	}
	b, _, _ = bytes.Cut(b, []byte{':'})
	if b = trim(b); bytes.IndexByte(b, '%') >= 0 {
		return unescape(b)
	}
	return Text(b)
}

// isPlain reports whether a user has neither a password nor escapes.
func isPlain(user []byte) bool {
	if len(user) < 8 {
		for _, c := range user {
			if c == ':' || c == '%' {
				return false
			}
		}
		return true
	}
	found := uint64(0)
	for i := 0; i < len(user); i += 8 {
		x := eightBytes(user[min(i, len(user)-8):])
		found |= zeroBytes(x^':'*eachByte) | zeroBytes(x^'%'*eachByte)
	}
	return found == 0
}

// param returns the value of the parameter with the given name, in lower case,
// of a header whose parameters are ";name=value;name=value".
func param(p []byte, name string) []byte {
	for {
		for len(p) > 0 && p[0] != ';' {
			p = p[1:]
		}
		if len(p) == 0 {
			return nil
		}
		p = p[1:]
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
	return trim(p[:end]), p[end:]
}

// unquote returns what the inside of a quoted string stands for.
func unquote(b []byte) string {
	i := bytes.IndexByte(b, '\\')
	if i < 0 {
		return Text(trim(b))
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

// unescape undoes the escapes in a user that stand for printable ASCII, so that
// %2B49 is +49. Others stay: they may be no text at all.
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
