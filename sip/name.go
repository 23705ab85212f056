package sip

// A name is the name of a known header, or its compact form (section 7.3.3 and the IANA registry of
// SIP header fields).
type name struct {
	text   string // in lower case
	header header
	// word is the first eight bytes of the text. mask selects what a line must share with it: not
	// the case of letters, nor the bytes behind the name.
	word, mask uint64
}

var names = [...]name{
	{}, // none
	{text: "call-id", header: headerCallID},
	{text: "i", header: headerCallID},
	{text: "cseq", header: headerCSeq},
	{text: "from", header: headerFrom},
	{text: "f", header: headerFrom},
	{text: "to", header: headerTo},
	{text: "t", header: headerTo},
	{text: "via", header: headerVia},
	{text: "v", header: headerVia},
	{text: "contact", header: headerContact},
	{text: "m", header: headerContact},
	{text: "p-asserted-identity", header: headerAsserted},
	{text: "user-agent", header: headerUserAgent},
	{text: "server", header: headerServer},
	{text: "reason", header: headerReason},
	{text: "referred-by", header: headerReferredBy},
	{text: "b", header: headerReferredBy},
	{text: "refer-to", header: headerReferTo},
	{text: "r", header: headerReferTo},
	{text: "history-info", header: headerHistory},
	{text: "session-id", header: headerSessionID},
	{text: "session-expires", header: headerSessionExpires},
	{text: "x", header: headerSessionExpires},
	{text: "x-ms-mediapath", header: headerMediaPath},
	{text: "authorization", header: credentials},
	{text: "proxy-authorization", header: credentials},
	{text: "www-authenticate", header: credentials},
	{text: "proxy-authenticate", header: credentials},
	{text: "authentication-info", header: credentials},
	{text: "proxy-authentication-info", header: credentials},
	{text: "identity", header: headerIdentity},
	{text: "y", header: headerIdentity},
	{text: "attestation-info", header: headerAttestation},
	{text: "origination-id", header: headerOrigination},
	{text: "priority", header: headerPriority},
	{text: "require", header: headerRequire},
	{text: "content-type", header: headerContentType},
	{text: "c", header: headerContentType},
}

const longestName = len("proxy-authentication-info")

// nameByEnds maps the length of a name, and the number of its first and last letters, to the name.
// No two names share a place, so that one comparison tells whether a line has a known name.
var nameByEnds = func() (table [longestName + 1][32]uint8) {
	for i := 1; i < len(names); i++ {
		n := &names[i]
		last := len(n.text) - 1
		slot := &table[last+1][ends(n.text[0], n.text[last])]
		if *slot != 0 {
			panic(n.text + " begins and ends as " + names[*slot].text + " does")
		}
		*slot = uint8(i)
		for k := range min(len(n.text), 8) {
			mask := uint64(0xff)
			if n.text[k] != '-' {
				mask = 0xff &^ 0x20 // the case of a letter
			}
			n.mask |= mask << (8 * k)
			n.word |= mask & uint64(n.text[k]) << (8 * k)
		}
	}
	return table
}()

// ends makes one number below 32 of the first and the last letter of a name, in any case.
func ends(first, last byte) byte { return (2*first + last) & 31 }

// cutName returns the header of a line, and its value. Nearly all lines are long enough to compare
// eight bytes at a time, and have no white space around their names; the others take the longer
// way.
func cutName(line []byte) (h header, value []byte) {
	colon := indexColon(line)
	if colon < 0 {
		return otherHeader, nil
	}
	if 0 < colon && colon <= longestName && len(line) >= 8 {
		n := &names[nameByEnds[colon][ends(line[0], line[colon-1])]]
		if n.mask != 0 && eightBytes(line)&n.mask == n.word && (colon <= 8 || equalFold(line[8:colon], n.text[8:])) {
			return n.header, line[colon+1:]
		}
		if line[0] > ' ' && line[colon-1] > ' ' {
			return otherHeader, nil
		}
	}
	return headerNamed(trim(line[:colon])), line[colon+1:]
}

// headerNamed returns the header with the given name, in any case.
func headerNamed(b []byte) header {
	if len(b) == 0 || len(b) > longestName {
		return otherHeader
	}
	n := &names[nameByEnds[len(b)][ends(b[0], b[len(b)-1])]]
	if !equalFold(b, n.text) {
		return otherHeader
	}
	return n.header
}
