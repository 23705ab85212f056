package hep

import "bytes"

// Strip appends the SIP message msg to dst without what nobody needs to see a
// call and nobody may keep: its body, in which SDP has the keys of the media
// (RFC 4568), and the headers with credentials, challenges and signatures, which
// are Authorization, Proxy-Authorization, WWW-Authenticate, Proxy-Authenticate,
// Authentication-Info, Proxy-Authentication-Info and Identity. What remains is
// as it was, Content-Length too. msg need not be a message that [Scan] accepts.
func Strip(dst, msg []byte) []byte {
	before := len(dst)
	i := skipSpace(msg, 0)
	_, next, ended := cutLine(msg, i)
	dst = append(dst, msg[i:next]...)
	for ended && !atEnd(msg, next) {
		from := next
		_, next, ended = cutLine(msg, from)
		for ended && goesOn(msg, next) {
			_, next, ended = cutLine(msg, next)
		}
		line := msg[from:next]
		if name, _, _ := bytes.Cut(line, []byte{':'}); headerNamed(trim(name)) != credentials {
			dst = append(dst, line...)
		}
	}
	if n := len(dst); n > before && dst[n-1] != '\n' {
		dst = append(dst, "\r\n"...) // of a message that is cut
	}
	return append(dst, "\r\n"...)
}
