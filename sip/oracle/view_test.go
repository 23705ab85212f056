package oracle

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip"
)

// A view is what both readers say of a message, in the same words.
type view struct {
	Method                 string
	Code                   int
	Phrase                 string
	URI                    address
	CallID                 string
	CSeq                   uint32
	CSeqMethod             string
	From, To, Contact      address
	FromTag, ToTag         string
	UserAgent, Reason, Via string
}

// An address is one of SIP or a telephone; of other schemes nothing is read.
type address struct{ Name, User, Host, Params string }

// ours returns what sip.Scan reads, and what it cannot read of it.
func ours(msg []byte) (view, sip.Fault, error) {
	var s call.Signal
	unread, err := sip.Scan(bytes.Clone(msg), &s)
	if err != nil {
		return view{}, 0, err
	}
	v := view{
		Method: strings.ToUpper(s.Method), Code: s.Code, Phrase: s.Phrase, URI: address(s.URI),
		CallID: s.CallID, CSeq: s.CSeq, CSeqMethod: s.CSeqMethod,
		From: address(s.From), To: address(s.To), Contact: address(s.Contact), FromTag: s.FromTag, ToTag: s.ToTag,
		UserAgent: s.UserAgent, Reason: s.Reason, Via: s.Transport,
	}
	v.URI.Params, v.From.Params = params(v.URI.Params), params(v.From.Params)
	v.To.Params, v.Contact.Params = params(v.To.Params), params(v.Contact.Params)
	return v, unread, nil
}

// params writes parameters as sipgo's are written below: name=value, with an =
// even where there is no value.
func params(s string) string {
	var out []string
	for p := range strings.SplitSeq(s, ";") {
		if name, value, _ := strings.Cut(p, "="); name != "" {
			out = append(out, strings.TrimSpace(name)+"="+strings.TrimSpace(value))
		}
	}
	return strings.Join(out, ";")
}

// theirs returns what sipgo reads, without what it leaves for its callers to do:
// undoing escapes.
func theirs(msg []byte) (v view, err error) {
	m, _, err := sipgo.NewParser().ParseHeaders(bytes.Clone(msg), false)
	if err != nil {
		return v, err
	}
	switch m := m.(type) {
	case *sipgo.Request:
		v.Method, v.URI = string(m.Method), uri(&m.Recipient)
	case *sipgo.Response:
		v.Code, v.Phrase = m.StatusCode, strings.TrimSpace(m.Reason)
	}
	if m.CallID() == nil || m.CSeq() == nil || m.From() == nil || m.To() == nil {
		return v, fmt.Errorf("a header is missing")
	}
	v.CallID, v.CSeq, v.CSeqMethod = m.CallID().Value(), m.CSeq().SeqNo, strings.TrimSpace(string(m.CSeq().MethodName))
	v.From, v.To = uri(&m.From().Address), uri(&m.To().Address)
	v.From.Name, v.To.Name = unquote(m.From().DisplayName), unquote(m.To().DisplayName)
	v.FromTag, v.ToTag = tag(m.From().Params), tag(m.To().Params)
	for _, h := range append(m.GetHeaders("Contact"), m.GetHeaders("m")...) {
		c := h.(*sipgo.ContactHeader)
		v.Contact = uri(&c.Address)
		v.Contact.Name = unquote(c.DisplayName)
		break
	}
	if via := m.Via(); via != nil {
		switch t := strings.ToLower(strings.TrimSpace(via.Transport)); t {
		case "udp", "tcp", "tls", "ws":
			v.Via = t
		case "wss":
			v.Via = "ws"
		}
	}
	v.UserAgent = text(m, "User-Agent", "Server")
	if v.Code != 0 {
		v.UserAgent = text(m, "Server", "User-Agent")
	}
	v.Reason = reason(m)
	return v, nil
}

// text returns the first header that there is.
func text(m sipgo.Message, names ...string) string {
	for _, name := range names {
		for _, h := range m.GetHeaders(name) {
			if h.Value() != "" {
				return h.Value()
			}
			break
		}
	}
	return ""
}

// reason returns the first Reason of the telephone network, or else the first.
func reason(m sipgo.Message) (out string) {
	network := regexp.MustCompile(`^(?i)Q\.850.`)
	for _, h := range m.GetHeaders("Reason") {
		if v := h.Value(); out == "" || network.MatchString(v) && !network.MatchString(out) {
			out = v
		}
	}
	return out
}

// subscriber is a telephone number with parameters in the place of a user.
var subscriber = regexp.MustCompile(`^((?:\+|%2B|%2b)*[-0-9*#.()]+);.*$`)

func uri(u *sipgo.Uri) address {
	if u.Scheme == "tel" {
		number, rest, _ := strings.Cut(u.Raw(), ";")
		return address{User: unescape(strings.TrimSpace(number)), Params: params(rest)}
	}
	if u.Scheme != "sip" && u.Scheme != "sips" {
		return address{}
	}
	a := address{User: unescape(subscriber.ReplaceAllString(u.User, "$1")), Host: strings.Trim(u.Host, "[] \t")}
	var all []string
	for _, p := range u.UriParams {
		name, _, _ := strings.Cut(p.K, "?") // it takes the ? for a part of a name without a value
		all = append(all, strings.TrimSpace(name)+"="+strings.TrimSpace(p.V))
	}
	a.Params = strings.Join(all, ";")
	return a
}

func tag(p sipgo.HeaderParams) string {
	for _, kv := range p {
		if strings.EqualFold(strings.TrimSpace(kv.K), "tag") {
			return strings.Trim(kv.V, " \t\"")
		}
	}
	return ""
}

// unquote undoes the escapes in a quoted string.
func unquote(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out = append(out, s[i])
	}
	return strings.TrimSpace(string(out))
}

// unescape undoes the escapes in a user that stand for printable ASCII.
func unescape(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		var c byte
		if s[i] == '%' && i+2 < len(s) {
			if _, err := fmt.Sscanf(s[i+1:i+3], "%02x", &c); err == nil && !strings.ContainsAny(s[i+1:i+3], "+- xX") && ' ' <= c && c <= '~' {
				out = append(out, c)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// differences names the fields in which two views differ.
func differences(a, b view) (out []string) {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		if p, q := x.Field(i).Interface(), y.Field(i).Interface(); p != q {
			out = append(out, fmt.Sprintf("%s: %q, and sipgo %q", x.Type().Field(i).Name, p, q))
		}
	}
	return out
}
