package sip

import "bytes"

// Strip appends the SIP message msg to dst without what nobody needs to see a
// call and nobody may keep: its body, in which SDP has the keys of the media
// (RFC 4568), and the headers with credentials, challenges and signatures, which
// are Authorization, Proxy-Authorization, WWW-Authenticate, Proxy-Authenticate,
// Authentication-Info, Proxy-Authentication-Info and Identity. Lines that are no
// header go too, since they may be a body without an empty line before it, and
// what stands behind a CR that ends no line. What remains is as it was,
// Content-Length too. msg need not be a message that [Scan] accepts.
func Strip(dst, msg []byte) []byte {
	before := len(dst)
	i := SkipSpace(msg, 0)
	_, next, ended := cutLine(msg, i)
	dst = appendLine(dst, msg[i:next], 0)
	for ended && !atEnd(msg, next) {
		from := next
		_, next, ended = cutLine(msg, from)
		for ended && goesOn(msg, next) {
			_, next, ended = cutLine(msg, next)
		}
		line := msg[from:next]
		name, _, isHeader := bytes.Cut(line, []byte{':'})
		if name = trim(name); isHeader && isToken(name) && headerNamed(name) != credentials {
			dst = appendLine(dst, line, bytes.IndexByte(line, ':'))
		}
	}
	if n := len(dst); n > before && dst[n-1] != '\n' {
		dst = append(dst, "\r\n"...) // of a message that is cut
	}
	return append(dst, "\r\n"...)
}

// appendLine appends a line, or as much of it as stands in front of a CR behind
// from that ends no line.
func appendLine(dst, line []byte, from int) []byte {
	for i := from; i < len(line); i++ {
		if line[i] == '\r' && (i+1 == len(line) || line[i+1] != '\n') {
			return append(append(dst, line[:i]...), "\r\n"...)
		}
	}
	return append(dst, line...)
}
