package graph

import (
	"net/url"
	"strconv"
	"strings"
)

// appendLink appends the absolute address of the next page: the path as the client wrote it, then
// $skip and $skiptoken, then the other options of the request. It leaves out an empty token.
//
// The address has only characters that RFC 3986 allows in a URI, and so no braces: some SDKs take
// it for a URI template.
func appendLink(b []byte, root, path, query string, skip int64, token []byte) []byte {
	b = append(b, root...)
	b = appendURI(b, path)
	b = append(b, "?$skip="...)
	b = strconv.AppendInt(b, skip, 10)
	if len(token) > 0 {
		b = append(b, "&$skiptoken="...)
		b = append(b, token...)
	}
	for option := range strings.SplitSeq(query, "&") {
		if option == "" || isPlace(option) {
			continue
		}
		b = appendURI(append(b, '&'), option)
	}
	return b
}

// isPlace reports whether an option is $skip or $skiptoken, which say where a
// page begins.
func isPlace(option string) bool {
	name, _, _ := strings.Cut(option, "=")
	name, err := url.QueryUnescape(name)
	return err == nil && (strings.EqualFold(name, "$skip") || strings.EqualFold(name, "$skiptoken"))
}

// appendURI appends a part of a URI that is escaped already. It escapes the characters that RFC
// 3986, section 3.4, does not allow there.
func appendURI(b []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', isDigit(c), strings.IndexByte("-._~!$&'()*+,;=:@/?%", c) >= 0:
			b = append(b, c)
		default:
			b = append(b, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		}
	}
	return b
}
