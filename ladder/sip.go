package ladder

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"
)

// A head is the part of a SIP message that the ladder shows (RFC 3261, section 7). Fields that the
// message lacks are zero.
type head struct {
	method     string // of a request
	code       int    // of a response: 100 to 699
	phrase     string
	uri        string // the Request-URI
	callID     string
	cseq       string // its number, as it stands
	cseqMethod string
	agent      string // User-Agent or Server
	contact    string
}

// readHead reads the first line and the headers of a message.
func readHead(raw []byte) head {
	var h head
	line, rest := nextLine(bytes.TrimLeft(raw, "\r\n"))
	h.firstLine(line)
	for len(rest) > 0 {
		if line, rest = nextLine(rest); line == "" {
			break // the end of the headers
		}
		name, value, _ := strings.Cut(line, ":")
		h.header(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return h
}

// compareTurn orders messages of one dialog that have the same time: by the
// number of the transaction, and within it the request, its answers by their
// codes, and the ACK (RFC 3261, section 17).
func (h *head) compareTurn(o *head) int {
	return cmp.Or(cmp.Compare(h.number(), o.number()), cmp.Compare(h.turn(), o.turn()))
}

func (h *head) number() int {
	n, _ := strconv.Atoi(h.cseq) // 0 if it is none
	return n
}

func (h *head) turn() int {
	if h.method == "ACK" {
		return 1000
	}
	return h.code
}

// nextLine returns a line without its end, joined with its continuation lines: those that begin
// with a space (section 7.3.1).
func nextLine(b []byte) (line string, rest []byte) {
	cut := func() string {
		l, after, _ := bytes.Cut(b, []byte{'\n'})
		b = after
		return string(bytes.TrimSuffix(l, []byte{'\r'}))
	}
	line = cut()
	for line != "" && len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		line += " " + strings.TrimSpace(cut())
	}
	return line, b
}

func (h *head) firstLine(line string) {
	first, rest, _ := strings.Cut(line, " ")
	if len(first) >= 4 && strings.EqualFold(first[:4], "SIP/") {
		code, phrase, _ := strings.Cut(rest, " ")
		if n, err := strconv.Atoi(code); err == nil && n >= 100 && n <= 699 {
			h.code, h.phrase = n, strings.TrimSpace(phrase)
		}
		return
	}
	uri, version, found := strings.Cut(rest, " ")
	if found && len(version) >= 4 && strings.EqualFold(version[:4], "SIP/") && isToken(first) {
		h.method, h.uri = first, uri
	}
}

// isToken reports whether s is a token, as methods are (section 25.1).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', strings.IndexByte("-.!%*_+`'~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// header notes a header. The first of several counts.
func (h *head) header(name, value string) {
	set := func(to *string) {
		if *to == "" {
			*to = value
		}
	}
	switch strings.ToLower(name) {
	case "call-id", "i":
		set(&h.callID)
	case "cseq":
		if h.cseq == "" {
			number, method, _ := strings.Cut(value, " ")
			h.cseq, h.cseqMethod = number, strings.TrimSpace(method)
		}
	case "user-agent", "server":
		set(&h.agent)
	case "contact", "m":
		set(&h.contact)
	}
}

// label returns the text on the rung of a message.
func (h *head) label() string {
	switch {
	case h.method != "":
		return h.method
	case h.code != 0:
		return strings.TrimSpace(strconv.Itoa(h.code) + " " + h.phrase)
	}
	return "(not SIP)"
}

// sequence returns the CSeq, such as "1 INVITE".
func (h *head) sequence() string { return strings.TrimSpace(h.cseq + " " + h.cseqMethod) }
