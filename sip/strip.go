package sip

import "bytes"

// Strip appends to dst the part of the SIP message msg that a store may keep. It removes the body,
// in which SDP has the keys of the media (RFC 4568), and the headers with credentials, challenges
// and signatures, which are Authorization, Proxy-Authorization, WWW-Authenticate,
// Proxy-Authenticate, Authentication-Info, Proxy-Authentication-Info and Identity. It also removes
// lines that are no header, since they may be a body without an empty line before it, bytes behind
// a CR that ends no line, and a header that breaks off. The rest stays unchanged, Content-Length
// too. msg need not be a message that [Scan] accepts.
//
// Strip replaces the first Identity with an attestation by the headers Attestation-Info and
// Origination-Id (3GPP TS 24.229, sections 7.2.18 and 7.2.19), unless an Attestation-Info stands in
// front of it. So Scan reads the result as it reads msg.
func Strip(dst, msg []byte) []byte {
	before := len(dst)
	i := SkipSpace(msg, 0)
	_, next, ended := cutLine(msg, i)
	dst = appendLine(dst, msg[i:next], 0)
	if n := len(dst); n > before && dst[n-1] != '\n' {
		dst = append(dst, "\r\n"...) // of a message that breaks off
	}
	attested := false
	for ended && !atEnd(msg, next) {
		from := next
		_, next, ended = cutLine(msg, from)
		for ended && goesOn(msg, next) {
			_, next, ended = cutLine(msg, next)
		}
		if ended {
			dst, attested = stripLine(dst, msg[from:next], attested)
		}
	}
	return append(dst, "\r\n"...)
}

// stripLine appends the part of a header that a store may keep. attested says that an earlier
// header has had the attestation; the result says the same including this one.
func stripLine(dst, line []byte, attested bool) ([]byte, bool) {
	name, value, isHeader := bytes.Cut(line, []byte{':'})
	if name = trim(name); !isHeader || !isToken(name) {
		return dst, attested
	}
	switch headerNamed(name) {
	case credentials:
		return dst, attested
	case headerIdentity:
		if attested {
			return dst, true
		}
		a, ok := identityOf(trim(value))
		if ok {
			dst = appendAttestation(dst, a)
		}
		return dst, ok
	case headerAttestation:
		attested = attested || levelOf(value) != ""
	}
	return appendLine(dst, line, bytes.IndexByte(line, ':')), attested
}

// appendLine appends a line, up to a CR at from or later that ends no line.
func appendLine(dst, line []byte, from int) []byte {
	for i := from; i < len(line); i++ {
		if line[i] == '\r' && (i+1 == len(line) || line[i+1] != '\n') {
			return append(append(dst, line[:i]...), "\r\n"...)
		}
	}
	return append(dst, line...)
}
